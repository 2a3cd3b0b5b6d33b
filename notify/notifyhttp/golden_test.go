package notifyhttp_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

const goldenFile = "testdata/api.txtar"

// answerName ends the name of the file with the answer to the one before.
const answerName = ": answer"

var (
	realStyle  = regexp.MustCompile(`(?s)<style>.*</style>`)
	realReport = regexp.MustCompile(`"request_id":"[A-Z2-7]+"|under [A-Z2-7]{26}\b`)
)

// script is a run of the golden file.
type script struct {
	g    *rig
	last *answer
}

// do sends the request of a file, "METHOD PATH as TOKEN" with headers and a body. {etag} is
// of the answer before, {long} a text of 100 kB.
func (s *script) do(t *testing.T, text string) *exchange {
	t.Helper()
	if s.last != nil {
		text = strings.ReplaceAll(text, "{etag}", s.last.Header.Get("ETag"))
	}
	text = strings.ReplaceAll(text, "{long}", strings.Repeat("x", 100_000))
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	first := strings.Fields(lines[0])
	token := ""
	if len(first) == 4 {
		token = first[3]
	}
	s.last = s.g.send(t, token, first[0], first[1], strings.TrimSpace(body), lines[1:]...)
	return &exchange{method: first[0], path: first[1], status: s.last.StatusCode, header: s.last.Header, body: s.last.body}
}

// print writes an answer down, with the same text each time.
func (s *script) print(x *exchange) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n", x.status)
	for _, name := range []string{"Allow", "Cache-Control", "Content-Disposition", "Content-Security-Policy", "Content-Type", "ETag", "Location", "Referrer-Policy", "Retry-After", "Stella-Checkpoint", "Stella-Media-Type", "WWW-Authenticate",
		"X-Content-Type-Options", "X-Robots-Tag"} {
		for _, value := range x.header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	text := realReport.ReplaceAllString(b.String()+"\n"+string(x.body), "ID")
	text = realStyle.ReplaceAllString(text, "<style>STYLE</style>")
	return strings.TrimRight(text, "\n") + "\n"
}

// golden holds what travels to a golden file.
func (g *rig) golden(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	s := &script{g: g}
	got := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, answerName) {
			continue
		}
		got.Files = append(got.Files, f, txtar.File{Name: f.Name + answerName, Data: []byte(s.print(s.do(t, string(f.Data))))})
	}
	written := txtar.Format(got)
	if *update {
		if err := os.WriteFile(file, written, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(text), string(written)); diff != "" && !*update {
		t.Errorf("the API answers otherwise (-golden +got):\n%s", diff)
	}
}

// TestGolden holds what travels to the golden file.
func TestGolden(t *testing.T) {
	g := newRig(t)
	g.golden(t, goldenFile)
	if len(g.reports) != 2 || !strings.Contains(g.reports[0], `tenant "gone"`) || !strings.Contains(g.reports[1], "d-damaged") {
		t.Errorf("the operator was told: %q", g.reports)
	}
}
