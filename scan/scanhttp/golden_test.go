package scanhttp_test

import (
	"bytes"
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
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

const goldenFile = "testdata/api.txtar"

// answerName ends the name of the file with the answer to the one before.
const answerName = ": answer"

// exchange is a request of the golden file with its real answer.
type exchange struct {
	name, method, path string
	request            []byte
	*answer
}

var (
	realID     = regexp.MustCompile(`scan-[a-z2-7]{26}`)
	realTime   = regexp.MustCompile(`"20\d\d-\d\d-\d\dT[0-9:.]+Z"`)
	realAfter  = regexp.MustCompile(`Retry-After: \d{2,}`)
	realCursor = regexp.MustCompile(`\d{16}\.scan`)
)

// play sends the requests of the golden file to a new service. In a request,
// scan-1 is the first scan that an answer named, {etag} the last entity tag, and
// {next} the last cursor.
func play(t *testing.T) (*txtar.Archive, []exchange) {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	g := newRig(t)
	var ids []string
	var out []exchange
	tag, next := "", ""
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, answerName) {
			continue
		}
		text := strings.NewReplacer("{etag}", tag, "{next}", next).Replace(string(f.Data))
		for i, id := range ids {
			text = regexp.MustCompile(fmt.Sprintf(`scan-%d\b`, i+1)).ReplaceAllString(text, id)
		}
		head, body, _ := strings.Cut(text, "\n\n")
		lines := strings.Split(strings.TrimSpace(head), "\n")
		first := strings.Fields(lines[0]) // METHOD PATH [as TOKEN]
		x := exchange{name: f.Name, method: first[0], path: first[1]}
		if body = strings.TrimSpace(body); body != "" {
			x.request = []byte(body)
		}
		token := ""
		if len(first) == 4 {
			token = first[3]
		}
		x.answer = g.send(t, token, x.method, x.path, x.request, lines[1:]...)
		for _, id := range realID.FindAllString(string(x.body)+x.Header.Get("Location"), -1) {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		if e := x.Header.Get("ETag"); e != "" {
			tag = e
		}
		if m := regexp.MustCompile(`"next":"([^"]+)"`).FindSubmatch(x.body); m != nil {
			next = string(m[1])
		}
		out = append(out, x)
	}
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
	got := &txtar.Archive{Comment: archive.Comment}
	for i, f := range slices.DeleteFunc(slices.Clone(archive.Files), func(f txtar.File) bool { return strings.HasSuffix(f.Name, answerName) }) {
		got.Files = append(got.Files, f, txtar.File{Name: f.Name + answerName, Data: []byte(print(&out[i], ids))})
	}
	return got, out
}

// print writes an answer down, with the same text each time.
func print(x *exchange, ids []string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n", x.StatusCode)
	for _, name := range []string{"Allow", "Cache-Control", "Content-Disposition", "Content-Length", "Content-Security-Policy", "Content-Type", "ETag", "Idempotency-Replayed", "Location",
		"Preference-Applied", "Retry-After", "WWW-Authenticate", "X-Content-Type-Options"} {
		if name == "Content-Length" && x.method != http.MethodHead {
			continue
		}
		for _, value := range x.Header.Values(name) {
			if !strings.Contains(x.path, "/documents/") && name == "ETag" { // of bytes with ids and times

				value = `"sha256:…"`
			}
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	b.WriteString("\n")
	b.Write(x.body)
	text := b.String()
	for i, id := range ids {
		text = strings.ReplaceAll(text, id, fmt.Sprint("scan-", i+1))
	}
	text = realTime.ReplaceAllString(text, `"TIME"`)
	text = realAfter.ReplaceAllString(text, "Retry-After: SECONDS")
	text = realCursor.ReplaceAllString(text, "TIME.scan")
	return strings.TrimRight(text, "\n") + "\n"
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
}

// TestSeedAnswer holds the answer to a submission to the byte.
func TestSeedAnswer(t *testing.T) {
	g := newRig(t)
	a := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(`{"image_ref":"alpine:latest"}`))
	if !regexp.MustCompile(`^\{"job_id":"scan-[a-z2-7]{26}","status":"queued"\}\n$`).Match(a.body) || a.StatusCode != 202 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}
