package vexhttp_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/vex/vexhttp"
)

var update = flag.Bool("update", false, "write the golden file")

const (
	goldenFile   = "testdata/api.txtar"
	answerName   = ": answer"
	documentFile = "../../docs/openapi/excititor.yaml"
	pageFile     = "../../docs/modules/excititor.md"
)

var (
	realRequestID = regexp.MustCompile(`"request_id":"[A-Z2-7]{26}"`)
	realTime      = regexp.MustCompile(`"(succeeded|failed)":"[^"]+"`)
)

// play sends the requests of the golden file to a new service.
func play(t *testing.T) (*txtar.Archive, []openapitest.Exchange) {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	s := newService(t)
	foreign := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("db.internal:5432 refused")}
	s.trouble = map[string]error{
		fakeDigest(500): fmt.Errorf("read: %w", foreign),
		fakeDigest(503): fmt.Errorf("read: %w: %w", foreign, fault.Unavailable),
		fakeDigest(507): fmt.Errorf("read: %w: %w", foreign, &fault.MismatchError{What: "document", Want: "a", Got: "b"}),
	}
	archive := txtar.Parse(text)
	got := &txtar.Archive{Comment: archive.Comment}
	var out []openapitest.Exchange
	known := map[string]string{}
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, answerName) {
			continue
		}
		request := string(f.Data)
		if strings.Contains(request, "{publish}") {
			s.publish("acme")
			s.publish("other")
		}
		for name, value := range known {
			request = strings.ReplaceAll(request, name, value)
		}
		x := send(t, s.url, f.Name, strings.ReplaceAll(request, "{publish}", ""))
		if e := x.Header.Get("ETag"); e != "" {
			known["{etag}"] = e
		}
		switch f.Name {
		case "upload again":
			known["{document}"] = strings.TrimPrefix(x.Header.Get("Location"), "/api/v1/vex/documents/")
		case "a head is made":
			known["{set}"] = regexp.MustCompile(`"digest":"(sha256:[0-9a-f]{64})"`).FindStringSubmatch(string(x.Body))[1]
		}
		out = append(out, x)
		got.Files = append(got.Files, f, txtar.File{Name: f.Name + answerName, Data: []byte(written(&x))})
	}
	if len(s.reports) != 3 {
		t.Errorf("the operator was told: %q", s.reports)
	}
	// The public trust was not changed, nor that of others.
	if slices.ContainsFunc(s.changed, func(tenant string) bool { return tenant != "acme" }) || len(s.changed) < 4 {
		t.Errorf("changed: %q", s.changed)
	}
	return got, out
}

// send sends a request that is written as METHOD PATH [as TOKEN], lines of a header,
// an empty line, and a body.
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
	if x.Path == "/api/v1/vex/documents" {
		x.Request = nil // is a document, and not JSON by its type
	}
	return x
}

// operation returns the path of the route that serves a path, or "".
func operation(method, path string) string {
	part := strings.Split(path, "/")
	for _, r := range vexhttp.Routes() {
		want := strings.Split(r[1], "/")
		if len(want) != len(part) || r[0] != strings.Replace(method, "HEAD", "GET", 1) {
			continue
		}
		fits := true
		for i := range want {
			fits = fits && (want[i] == part[i] || strings.HasPrefix(want[i], "{") && part[i] != "")
		}
		if fits {
			return r[1]
		}
	}
	return ""
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
	if x.Header.Get("Content-Type") == "application/octet-stream" && bytes.ContainsRune(x.Body, 0) {
		b.WriteString("(binary)")
	} else {
		b.Write(x.Body)
	}
	text := realRequestID.ReplaceAllString(b.String(), `"request_id":"ID"`)
	return strings.TrimRight(realTime.ReplaceAllString(text, `"$1":"2026-06-01T00:00:00Z"`), "\n") + "\n"
}

func TestGolden(t *testing.T) {
	got, _ := play(t)
	text := txtar.Format(got)
	if *update {
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

// TestRoutesAreDocumented: the handler serves what the document has, and nothing
// else.
func TestRoutesAreDocumented(t *testing.T) {
	openapitest.Open(t, documentFile).CheckRoutes(t, vexhttp.Routes())
}

// TestAnswersMatchDocument validates the exchanges of the golden file.
func TestAnswersMatchDocument(t *testing.T) {
	_, exchanges := play(t)
	openapitest.Open(t, documentFile).Check(t, exchanges)
}

// TestModulePage: the page for people names every route and problem type, the limits
// of what travels, and the event.
func TestModulePage(t *testing.T) {
	text, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	openapitest.Open(t, documentFile).CheckPage(t, page)
	delta := event.ConsensusDelta{Head: 7, Digest: "sha256:b", Base: 6, BaseDigest: "sha256:a", At: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), Trust: "sha256:t", BaseTrust: "sha256:t", Part: 1, Parts: 1, Vulnerabilities: []string{"CVE-2024-1234"}, Said: []string{"CVE-2024-5678"}}
	e := event.Event{ID: "vex/7", Type: event.VEXDelta, Source: "excititor", Tenant: "acme", Time: delta.At}
	if e.Data, err = delta.Encode(); err != nil {
		t.Fatal(err)
	}
	if body, err := e.Encode(); err != nil || !strings.Contains(page, "\n"+string(body)+"\n") {
		t.Errorf("the page does not show %s: %v", body, err)
	}
	for _, n := range []int{vexhttp.MaxPage, vexhttp.MaxShown, vexhttp.MaxNames, vexhttp.MaxFound, event.MaxVulnerabilities} {
		text := fmt.Sprint(n)
		if len(text) > 4 {
			text = text[:len(text)-3] + "," + text[len(text)-3:]
		}
		if !strings.Contains(page, text) {
			t.Errorf("the page does not name the limit %s", text)
		}
	}
}
