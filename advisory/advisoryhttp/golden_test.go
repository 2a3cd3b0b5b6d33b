package advisoryhttp_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/openapitest"
)

// advisorytest, which the tests of views use, has the flag -update.
func update() bool { return flag.Lookup("update").Value.String() == "true" }

const goldenFile = "testdata/api.txtar"

// answerName ends the name of the file with the answer to the one before.
const answerName = ": answer"

var (
	realRequestID = regexp.MustCompile(`"request_id":"[A-Z2-7]{26}"`)
	realSize      = regexp.MustCompile(`"size":\d+`)
)

// digests are the digests of a backend by the names that they have in the golden
// file.
func (b *backend) digests() []string {
	m := b.snap.Manifest()
	return []string{b.snap.Digest(), "{snapshot}", m.Segments[0].Digest, "{segment}", m.Overlays[0].Digest, "{overlay}"}
}

// troubled is a backend for the golden file: its documents are in trouble of every
// kind.
func troubled(t testing.TB) *backend {
	b := newBackend(t)
	foreign := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("db.internal:5432 refused")}
	b.facts = 2
	b.trouble = map[string]error{
		fakeDigest(413): &fault.LimitError{What: "bytes of a document", Where: "store", Max: 64 << 20, Seen: 1 << 30},
		fakeDigest(500): fmt.Errorf("read: %w", foreign),
		fakeDigest(503): fmt.Errorf("read: %w: %w", foreign, fault.Unavailable),
		fakeDigest(507): fmt.Errorf("read: %w: %w", foreign, &fault.MismatchError{What: "object", Want: "a", Got: "b"}),
	}
	return b
}

// play sends the requests of the golden file to a new service.
func play(t *testing.T) (*txtar.Archive, []openapitest.Exchange) {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	b := troubled(t)
	server := httptest.NewServer(b.handler())
	defer server.Close()
	names := b.digests()
	back := slices.Clone(names)
	slices.Reverse(back) // as a replacer wants it: name, digest
	archive := txtar.Parse(text)
	got := &txtar.Archive{Comment: archive.Comment}
	var out []openapitest.Exchange
	tag := ""
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, answerName) {
			continue
		}
		x := send(t, server.URL, f.Name, strings.NewReplacer(append(back, "{etag}", tag)...).Replace(string(f.Data)))
		if e := x.Header.Get("ETag"); e != "" {
			tag = e
		}
		out = append(out, x)
		got.Files = append(got.Files, f, txtar.File{Name: f.Name + answerName, Data: []byte(strings.NewReplacer(names...).Replace(written(&x)))})
	}
	if len(b.reports) != 3 {
		t.Errorf("the operator was told: %q", b.reports)
	}
	return got, out
}

// send sends a request that is written as METHOD PATH [as TOKEN], lines of a
// header, an empty line, and a body.
func send(t testing.TB, server, name, text string) openapitest.Exchange {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	first := strings.Fields(lines[0])
	x := openapitest.Exchange{Name: name, Method: first[0]}
	if body = strings.TrimSpace(body); body != "" {
		x.Request = []byte(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), first[0], server+first[1], bytes.NewReader(x.Request))
	if err != nil {
		t.Fatal(err)
	}
	x.Path = operation(r.Method, r.URL.EscapedPath())
	if len(first) == 4 {
		r.Header.Set("Authorization", "Bearer "+first[3])
	}
	if len(x.Request) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, ": ")
		r.Header.Set(key, value)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if x.Body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	x.Status, x.Header = resp.StatusCode, resp.Header
	if x.Path == "/api/v1/advisories/match" {
		x.Request = nil // is not JSON by its type
	}
	return x
}

// operation returns the path of the route that serves a path, or "".
func operation(method, path string) string {
	part := strings.Split(path, "/")
	best := ""
	for _, r := range advisoryhttp.Routes() {
		want := strings.Split(r[1], "/")
		if len(want) != len(part) || r[0] != strings.Replace(method, "HEAD", "GET", 1) {
			continue
		}
		fits := true
		for i := range want {
			fits = fits && (want[i] == part[i] || strings.HasPrefix(want[i], "{") && part[i] != "")
		}
		if fits && (best == "" || !strings.HasSuffix(r[1], "{id}")) {
			best = r[1]
		}
	}
	return best
}

// written writes an answer down, with the same text each time.
func written(x *openapitest.Exchange) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n", x.Status)
	for _, name := range []string{"Allow", "Cache-Control", "Content-Disposition", "Content-Type", "ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Content-Type-Options"} {
		for _, value := range x.Header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	b.WriteString("\n")
	switch {
	case x.Header.Get("Content-Type") == "application/octet-stream" && bytes.ContainsRune(x.Body, 0):
		b.WriteString("(binary)")
	default:
		b.Write(x.Body)
	}
	text := realRequestID.ReplaceAllString(b.String(), `"request_id":"ID"`)
	return strings.TrimRight(realSize.ReplaceAllString(text, `"size":0`), "\n") + "\n"
}

func TestGolden(t *testing.T) {
	got, _ := play(t)
	text := txtar.Format(got)
	if update() {
		if err := os.WriteFile(goldenFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("the API answers otherwise (-golden +got):\n%s", diff)
	}
	if bytes.Contains(text, []byte("5432")) {
		t.Error("an answer tells what a database said")
	}
}
