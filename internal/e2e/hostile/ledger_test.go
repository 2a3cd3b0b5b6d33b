package hostile

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/image"
)

//go:embed ledger.txt
var ledgerText string

// flaw is one line of the ledger.
type flaw struct {
	id, what  string
	patterns  []*regexp.Regexp
	tests     []string // elsewhere
	functions []string
}

func ledger(t *testing.T) (out []flaw) {
	for line := range strings.Lines(ledgerText) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		head, list, ok := strings.Cut(line, " = ")
		f := flaw{}
		f.id, f.what, _ = strings.Cut(head, " ")
		if !ok || f.what == "" || !regexp.MustCompile(`^(CVE-\d{4}-\d{4,}|GHSA(-[0-9a-z]{4}){3})$`).MatchString(f.id) {
			t.Fatalf("not a line of the ledger: %q", line)
		}
		for p := range strings.SplitSeq(list, " ; ") {
			if test, ok := strings.CutPrefix(p, "go:"); ok {
				f.tests = append(f.tests, test)
			} else if name, ok := strings.CutSuffix(p, "!"); ok {
				f.functions = append(f.functions, name)
			} else {
				f.patterns = append(f.patterns, glob(p))
			}
		}
		out = append(out, f)
	}
	return out
}

// TestLedger brings the input of each published flaw to this scanner, one subtest for
// each, in one place for each case. An identifier without a case fails.
func TestLedger(t *testing.T) {
	const most = 4 // cases of one flaw: TestCorpus runs all of them
	l := newLab(t)
	runs := map[string]func(*testing.T){}
	var order []string
	cases(l, func(class, name string, run func(*testing.T)) {
		id := class + "/" + name
		runs[id] = run
		order = append(order, id)
	})
	l.once = true
	functions := map[string]func(*testing.T){"attachments": attachments, "bundles": bundles, "encodings": encodings, "pins": pins, "labels": labels}
	list := ledger(t)
	if len(list) < 80 {
		t.Errorf("%d flaws", len(list))
	}
	for _, f := range list {
		t.Run(f.id, func(t *testing.T) {
			n := len(f.functions) + len(f.tests)
			for _, p := range f.patterns {
				of := 0
				for _, id := range order {
					if of < most && p.MatchString(id) {
						t.Run(id, runs[id])
						of++
					}
				}
				if of == 0 {
					t.Errorf("%s names no case", p)
				}
				n += of
			}
			for _, name := range f.functions {
				t.Run(name, functions[name])
			}
			for _, test := range f.tests {
				exists(t, test)
			}
			if n == 0 {
				t.Errorf("%s, %s: has no test", f.id, f.what)
			}
		})
	}
}

// attachments: a registry lists attestations without end, too many or too large ones.
func attachments(t *testing.T) {
	k := soundKit()
	inner := k.shelf()
	large := bytes.Repeat([]byte("x"), 64<<20)
	entry := func(i int, size int) obj {
		return obj{"mediaType": typeManifest, "digest": imagetest.Digest(fmt.Append(nil, i)), "size": size, "artifactType": "application/vnd.dsse.envelope.v1+json"}
	}
	many := make([]obj, 100_000)
	for i := range many {
		many[i] = entry(i, 500)
	}
	for name, list := range map[string]http.HandlerFunc{
		"pages without end": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", fmt.Sprintf(`<%s?last=%d>; rel="next"`, r.URL.Path, time.Now().UnixNano()))
			w.Write(marshal(obj{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []obj{}}))
		},
		"too many": func(w http.ResponseWriter, _ *http.Request) {
			w.Write(marshal(obj{"schemaVersion": 2, "mediaType": typeIndex, "manifests": many}))
		},
		"too large": func(w http.ResponseWriter, _ *http.Request) { w.Write(large) },
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/referrers/") {
					w.Header().Set("Content-Type", typeIndex)
					list(w, r)
					return
				}
				inner(w, r)
			}))
			defer srv.Close()
			var c trace
			got, err := image.Attestations(c.context(t.Context()), strings.TrimPrefix(srv.URL, "http://")+"/app", nil, &image.Options{Platform: "linux/amd64", Credentials: image.NoCredentials})
			if !errors.Is(err, image.ErrLimit) {
				t.Errorf("%+v, %v", got, err)
			}
			if out := c.outside(); len(out) > 0 {
				t.Errorf("connected to %q", out)
			}
		})
	}
}

// bundles: one with signatures and proofs without end.
func bundles(t *testing.T) {
	const head, tail = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payload":"e30=","payloadType":"a","signatures":[{"sig":"AA=="}]},"verificationMaterial":{"publicKey":{"hint":"a"},"tlogEntries":[`, `{}]}}`
	hash := `"` + strings.Repeat("A", 43) + `="`
	for name, text := range map[string]string{
		"entries":    head + strings.Repeat(`{"logIndex":"1"},`, 1<<20) + tail,
		"hashes":     head + `{"inclusionProof":{"hashes":[` + strings.Repeat(hash+",", 1<<20) + hash + `]}},` + tail,
		"signatures": strings.Replace(head, `{"sig":"AA=="}`, strings.Repeat(`{"sig":"AA=="},`, 1<<20)+`{"sig":"AA=="}`, 1) + tail,
		"depth":      strings.Repeat("[", 1<<20),
	} {
		if _, err := bundle.Decode([]byte(text)); !errors.Is(err, bundle.ErrLimit) && !errors.Is(err, bundle.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// encodings: DER that is nested, long or says more than there is.
func encodings(t *testing.T) {
	tlv := func(tag byte, content []byte) []byte {
		n := len(content)
		return append([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, content...)
	}
	nested := []byte{5, 0}
	for range 100_000 / 6 {
		nested = tlv(0x30, nested)
		if len(nested) > 60_000 {
			break
		}
	}
	for name, der := range map[string][]byte{
		"an identifier of a megabyte": tlv(0x30, tlv(0x06, bytes.Repeat([]byte{0x81}, 1<<20))),
		"a length of 2 GiB":           {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x30},
		"a set of a million":          tlv(0x31, bytes.Repeat([]byte{5, 0}, 1<<20)),
		"nested deep":                 nested,
	} {
		start := time.Now()
		if _, err := dsse.ParsePublicKeyDER(der); err == nil {
			t.Errorf("%s is a key", name)
		}
		if _, err := timestamp.Verify(der, []byte("x"), nil); err == nil {
			t.Errorf("%s is a timestamp", name)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// labels: what a client sends is no label of a measure. The services count by route, as
// the router wrote it, and never by path, name or header.
func labels(t *testing.T) {
	root := filepath.Join(module, "services")
	asked := regexp.MustCompile(`WithLabelValues\([^\n]*(\.URL\b|\.Header\b|\.UserAgent\(|\.RemoteAddr\b|\.Host\b|\.PathValue\()`)
	counted := 0
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		counted += bytes.Count(b, []byte("WithLabelValues("))
		if m := asked.Find(b); m != nil {
			t.Errorf("%s: %s", name, m)
		}
		return nil
	})
	if err != nil || counted == 0 {
		t.Errorf("%d measures: %v", counted, err)
	}
}

// moving are versions that somebody else can move.
var moving = regexp.MustCompile(`@(latest|master|main|HEAD)\b`)

// pins: nothing that builds or checks the project is fetched by a name that can come to
// mean something else, and every module has its checksum.
func pins(t *testing.T) {
	ci, err := filepath.Glob(filepath.Join(module, ".ci", "*"))
	if err != nil || len(ci) == 0 {
		t.Fatalf("%v: %v", ci, err)
	}
	for _, file := range ci {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if m := moving.Find(b); m != nil {
			t.Errorf("%s fetches %s", file, m)
		}
	}
	mod, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(module, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:require )?([a-z0-9.-]+\.[a-z]+/\S+) (v\S+)`).FindAllStringSubmatch(string(mod), -1) {
		n++
		if !strings.Contains(string(sums), m[1]+" "+m[2]+" h1:") && !strings.Contains(string(sums), m[1]+" "+m[2]+"/go.mod h1:") {
			t.Errorf("%s %s has no checksum", m[1], m[2])
		}
	}
	if n == 0 {
		t.Error("go.mod names no module")
	}
}
