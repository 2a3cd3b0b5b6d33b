package attesthttp_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/attest/export"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

const goldenFile = "testdata/api.txtar"

// answerName ends the name of the file with the answer to the one before.
const answerName = ": answer"

var (
	realTime   = regexp.MustCompile(`"20\d\d-\d\d-\d\dT[0-9:.]+Z"`)
	realCursor = regexp.MustCompile(`\d{16}\.sha256`)
	realSize   = regexp.MustCompile(`"size":\d\d+`)
	realLength = regexp.MustCompile(`(bytes (?:\d+-\d+|\*)/|bytes \d+-)\d+`)
	realDigest = regexp.MustCompile(`sha256:[0-9a-f]{64}|sha-256=:[A-Za-z0-9+/=]{44}:`)
	realReport = regexp.MustCompile(`"request_id":"[A-Z2-7]+"`)
)

// script is a run of the golden file.
type script struct {
	g     *rig
	ids   []string
	last  *answer
	known []string // digests, in the order of their appearance
}

// do sends the request of a file. In it scan-1 is a scan that is completed, scan-2 one
// that is not, scan-3 another tenant's; {body}, {etag} and {id} are of the answer before,
// {spdx} is a scan's document. "MAKE scan-1 spdx" makes an export, "LOSE" loses its
// object, "LOG" has the log go away, or come back.
func (s *script) do(t *testing.T, text string) (x *exchange) {
	for i, id := range s.ids {
		text = regexp.MustCompile(fmt.Sprintf(`scan-%d\b`, i+1)).ReplaceAllString(text, id)
	}
	if s.last != nil {
		text = strings.NewReplacer("{etag}", s.last.Header.Get("ETag"), "{body}", string(s.last.body), "{id}", s.last.Header.Get("Stella-Attestation")).Replace(text)
	}
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	first := strings.Fields(lines[0]) // METHOD PATH [as TOKEN]
	switch first[0] {
	case "LOG":
		s.g.away = !s.g.away
		return nil
	case "MAKE":
		s.g.make(t, "acme", first[1], export.Format(first[2]))
		return nil
	case "LOSE":
		if err := os.Remove(s.g.object(t, strings.Trim(s.last.Header.Get("ETag"), `"`))); err != nil {
			t.Fatal(err)
		}
		return nil
	}
	x = &exchange{method: first[0], path: first[1]}
	if body = strings.TrimSpace(body); body != "" {
		x.request = []byte(body)
	}
	token := ""
	if len(first) == 4 {
		token = first[3]
	}
	s.last = s.g.send(t, token, x.method, x.path, x.request, lines[1:]...)
	x.status, x.header, x.body = s.last.StatusCode, s.last.Header, s.last.body
	return x
}

// print writes an answer down, with the same text each time.
func (s *script) print(x *exchange) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n", x.status)
	for _, name := range []string{"Accept-Ranges", "Allow", "Cache-Control", "Content-Digest", "Content-Disposition", "Content-Range", "Content-Security-Policy", "Content-Type", "ETag", "Location", "Repr-Digest",
		"Retry-After", "Stella-Attestation", "Stella-Document", "Stella-Key-Id", "Stella-Missing", "Stella-State", "Stella-Version", "Vary", "WWW-Authenticate", "X-Content-Type-Options"} {
		for _, value := range x.header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	b.WriteString("\n")
	switch t := x.header.Get("Content-Type"); {
	case strings.HasPrefix(t, "application/json") || strings.HasPrefix(t, "application/problem"):
		b.Write(x.body)
	case len(x.body) > 0:
		fmt.Fprintf(&b, "(%s)\n", digest(string(x.body)))
	}
	text := b.String()
	for i, id := range s.ids {
		text = strings.ReplaceAll(text, id, fmt.Sprint("scan-", i+1))
	}
	text = realDigest.ReplaceAllStringFunc(text, func(d string) string {
		form := "sha256:%d"
		if raw, err := base64.StdEncoding.DecodeString(strings.Trim(strings.TrimPrefix(d, "sha-256="), ":")); err == nil && strings.HasPrefix(d, "sha-256") {
			form, d = "sha-256=:%d:", "sha256:"+hex.EncodeToString(raw)
		}
		i := slices.Index(s.known, d)
		if i < 0 {
			i, s.known = len(s.known), append(s.known, d)
		}
		return fmt.Sprintf(form, i+1)
	})
	text = realTime.ReplaceAllString(text, `"TIME"`)
	text = realCursor.ReplaceAllString(text, "TIME.sha256")
	text = realSize.ReplaceAllString(text, `"size":SIZE`)
	text = realLength.ReplaceAllString(text, "${1}SIZE")
	text = realReport.ReplaceAllString(text, `"request_id":"ID"`)
	return strings.TrimRight(text, "\n") + "\n"
}

// TestGolden holds what travels to the golden file.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	g := newRig(t)
	g.want(t, "acme", export.SignLog)
	s := &script{g: g, ids: []string{g.scan(t, "acme", image(0), true), g.scan(t, "acme", image(1), false), g.scan(t, "other", image(2), true)}}
	got := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, answerName) {
			continue
		}
		got.Files = append(got.Files, f)
		if x := s.do(t, string(f.Data)); x != nil {
			got.Files = append(got.Files, txtar.File{Name: f.Name + answerName, Data: []byte(s.print(x))})
		}
	}
	written := txtar.Format(got)
	if *update {
		if err := os.WriteFile(goldenFile, written, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(text), string(written)); diff != "" && !*update {
		t.Errorf("the API answers otherwise (-golden +got):\n%s", diff)
	}
}

// TestHead: HEAD is answered as GET is, without the bytes.
func TestHead(t *testing.T) {
	g := newRig(t)
	g.want(t, "acme", export.Sign)
	id := g.scan(t, "acme", image(0), true)
	g.made(t, "acme", id, export.SPDX, export.SARIF)
	for _, path := range []string{"/scans/" + id + "/export?format=spdx", "/scans/" + id + "/export?format=sarif", "/scans/" + id + "/export?format=csv", "/scans/" + id + "/exports", "/trust-root", "/attestations"} {
		get := g.send(t, "acme/ann", http.MethodGet, "/api/v1"+path, nil)
		head := g.send(t, "acme/ann", http.MethodHead, "/api/v1"+path, nil, "Range: bytes=0-9")
		get.Header.Del("Date")
		head.Header.Del("Date")
		if diff := cmp.Diff(get.Header, head.Header); diff != "" || get.StatusCode != head.StatusCode || len(head.body) > 0 {
			t.Errorf("%s: %d and %d, %d bytes (-get +head)\n%s", path, get.StatusCode, head.StatusCode, len(head.body), diff)
		}
	}
}
