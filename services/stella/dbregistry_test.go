package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory/mirror"
)

// bench is a registry, and folders that push to it and pull from it.
type bench struct {
	*memory
	ref, dir string
}

func newBench(t *testing.T) *bench {
	m, host := startRegistry(t)
	return &bench{m, host + "/advisories", t.TempDir()}
}

func (b *bench) at(name string) string { return filepath.Join(b.dir, name) }

// run executes a command line on the data in a folder.
func (b *bench) run(db string, args ...string) (int, string) {
	var out bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &out, stderr: &out, env: func(k string) string {
		return map[string]string{"STELLA_DB": b.at(db), "DOCKER_CONFIG": b.at("none")}[k]
	}}
	return p.run(context.Background(), args), out.String()
}

func (b *bench) must(t *testing.T, db string, args ...string) string {
	t.Helper()
	code, out := b.run(db, args...)
	if code != 0 {
		t.Fatalf("%q: exit code %d: %s", args, code, out)
	}
	return out
}

// publish imports n records of npm and a thousand of PyPI, and pushes them.
func (b *bench) publish(t *testing.T, n int, more ...string) {
	t.Helper()
	dir := b.at("records")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(ecosystem string, n int) {
		for i := range n {
			id := fmt.Sprintf("X-%s-%d", ecosystem, i)
			if _, err := os.Stat(filepath.Join(dir, id+".json")); err == nil {
				continue // it was published before
			}
			text := fmt.Sprintf(`{"id":%q,"modified":"2024-05-20T16:03:47Z","summary":"%x","affected":[{"package":{"ecosystem":%q,"name":"p%d"},"versions":["1.0"]}]}`, id, digest([]byte(id)), ecosystem, i)
			if err := os.WriteFile(filepath.Join(dir, id+".json"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("npm", n)
	write("PyPI", 1000)
	b.must(t, "own", "db", "import", dir)
	args := []string{"db", "push", b.ref, "--keys", b.at("keys"), "--everything", "--deltas", "-1"}
	b.must(t, "own", append(args, more...)...)
}

// current is the digest of the data in a folder.
func (b *bench) current(t *testing.T, db string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.at(db), "current"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestPullChanges: what changed is read, and nothing else, with ranges and without.
func TestPullChanges(t *testing.T) {
	t.Parallel()
	for _, noRange := range []bool{false, true} {
		b := newBench(t)
		b.noRange = noRange
		b.publish(t, 10, "--new-keys")
		b.must(t, "db", "db", "pull", b.ref, "--root", filepath.Join(b.at("keys"), "root.json"))
		all := b.read()
		b.publish(t, 11)
		b.read()
		var u mirror.Updated
		if err := json.Unmarshal([]byte(b.must(t, "db", "db", "pull", b.ref, "-o", "json")), &u); err != nil {
			t.Fatal(err)
		}
		changed := b.read()
		if u.How != mirror.ByObjects || u.Version != 2 || b.current(t, "db") != b.current(t, "own") {
			t.Errorf("%+v", u)
		}
		if metadata := changed - int(u.Bytes); changed*4 > all || metadata > 6000 {
			t.Errorf("%d of %d bytes were read, of metadata %d", changed, all, metadata)
		}
		b.must(t, "db", "db", "pull", b.ref)
		if n := b.read(); n > 1000 { // the timestamp
			t.Errorf("nothing is new: %d bytes were read", n)
		}
	}
}

// TestPushChanges: what the registry has is not sent again.
func TestPushChanges(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	sent := func(n int, more ...string) (sent, size int64) {
		var p pushed
		b.publish(t, n, more...)
		out := b.must(t, "own", "db", "push", b.ref, "--keys", b.at("keys"), "--everything", "--deltas", "-1", "-o", "json")
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			t.Fatal(err)
		}
		return p.Sent, p.Size
	}
	if sent, size := sent(10, "--new-keys"); sent*4 > size { // the second time, only metadata
		t.Errorf("%d of %d bytes were sent", sent, size)
	}
}

// TestPullAttacks: whatever a registry does, the data stays what it was, and the exit
// code says whether it was a lie or a failure.
func TestPullAttacks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.publish(t, 10, "--new-keys")
	repository := "/v2/advisories/"
	b.must(t, "old", "db", "pull", b.ref, "--root", filepath.Join(b.at("keys"), "root.json"))
	first := maps.Clone(b.files)
	b.publish(t, 11)
	second := maps.Clone(b.files)
	latest := repository + "manifests/latest"
	blobs := func(change func(files map[string][]byte, name string)) func(map[string][]byte) {
		return func(files map[string][]byte) {
			for name := range files {
				if first[name] == nil && strings.Contains(name, "/blobs/") {
					change(files, name)
				}
			}
		}
	}
	// segment changes the one new blob that is large.
	segment := func(change func(files map[string][]byte, name string)) func(map[string][]byte) {
		return func(files map[string][]byte) {
			largest := ""
			blobs(func(_ map[string][]byte, name string) {
				if len(files[name]) > len(files[largest]) {
					largest = name
				}
			})(files)
			change(files, largest)
		}
	}
	flip := func(f map[string][]byte, n string) { f[n] = bytes.Clone(f[n]); f[n][len(f[n])/2] ^= 1 }
	cut := func(f map[string][]byte, n string) { f[n] = f[n][:len(f[n])/2] }
	lose := func(f map[string][]byte, n string) { delete(f, n) }
	edit := func(old, new string) func(map[string][]byte) {
		return func(files map[string][]byte) {
			files[latest] = []byte(strings.ReplaceAll(string(files[latest]), old, new))
		}
	}
	endless := func(kind string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, kind) || r.Method != http.MethodGet {
				return false
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			for zeros := make([]byte, 1<<20); ; {
				if _, err := w.Write(zeros); err != nil {
					return true
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		db     string // the folder that pulls
		change func(map[string][]byte)
		answer func(http.ResponseWriter, *http.Request) bool
		code   int
		text   string
	}{
		"rollback":              {"new", func(f map[string][]byte) { f[latest] = first[latest] }, nil, exitVerification, "rollback"},
		"a tampered layer":      {"old", blobs(flip), nil, exitVerification, "digest"},
		"a cut layer":           {"old", blobs(cut), nil, exitVerification, "size of layer"},
		"a longer layer":        {"old", blobs(func(f map[string][]byte, n string) { f[n] = append(bytes.Clone(f[n]), 0) }), nil, exitVerification, "size of layer"},
		"a missing blob":        {"old", blobs(lose), nil, exitVerification, "missing"},
		"a tampered segment":    {"old", segment(flip), nil, exitVerification, "read sha256/"},
		"a cut segment":         {"old", segment(cut), nil, exitVerification, "size of layer"},
		"a missing segment":     {"old", segment(lose), nil, exitVerification, "sha256/"},
		"an endless blob":       {"old", nil, endless("/blobs/"), exitVerification, "more"},
		"an endless manifest":   {"old", nil, endless("/manifests/"), exitError, "bytes"},
		"a manifest of nothing": {"old", func(f map[string][]byte) { f[latest] = []byte("{}") }, nil, exitError, "schemaVersion"},
		"another type":          {"old", edit("vnd.stella.advisories.v1", "vnd.example"), nil, exitError, "no advisory data"},
		"no timestamp":          {"old", edit(`"timestamp.json"`, `"else.json"`), nil, exitVerification, "missing"},
		"a name twice":          {"old", edit(`"2.targets.json"`, `"timestamp.json"`), nil, exitError, "two of its files"},
		"names exchanged":       {"old", edit(`"2.targets.json"`, `"2.snapshot.json"`), nil, exitError, "two of its files"},
		"nothing":               {"old", func(f map[string][]byte) { clear(f) }, nil, exitError, "404"},
		"out of order":          {"old", nil, func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(http.StatusBadRequest); return true }, exitError, "400"},
	} {
		t.Run(name, func(t *testing.T) {
			b.files, b.answer = maps.Clone(second), nil
			if err := os.CopyFS(b.at(name), os.DirFS(b.at("old"))); err != nil {
				t.Fatal(err)
			}
			if tt.db == "new" {
				b.must(t, name, "db", "pull", b.ref)
			}
			was := b.current(t, name)
			b.answer = tt.answer
			if tt.change != nil {
				tt.change(b.files)
			}
			code, out := b.run(name, "db", "pull", b.ref)
			if code != tt.code || !strings.Contains(out, tt.text) {
				t.Errorf("exit code %d: %s", code, out)
			}
			b.answer = nil
			if is := b.current(t, name); is != was {
				t.Errorf("the data is %s", is)
			}
			if _, out := b.run(name, "db", "verify"); !strings.Contains(out, "every block has its digest") {
				t.Error(out)
			}
			b.files = second
			b.must(t, name, "db", "pull", b.ref)
			if b.current(t, name) != b.current(t, "own") {
				t.Error("it does not recover")
			}
		})
	}
}

// TestPullCut cuts the connection at each request in turn, at every other one where time
// is short.
func TestPullCut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.publish(t, 10, "--new-keys")
	b.must(t, "old", "db", "pull", b.ref, "--root", filepath.Join(b.at("keys"), "root.json"))
	b.publish(t, 11)
	cuts, step := 0, 1
	if testing.Short() {
		step = 2
	}
	for nth := 1; ; nth += step {
		name := fmt.Sprint("cut", nth)
		if err := os.CopyFS(b.at(name), os.DirFS(b.at("old"))); err != nil {
			t.Fatal(err)
		}
		requests := 0
		b.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if requests++; requests == nth {
				w.WriteHeader(http.StatusForbidden) // is not tried again
				return true
			}
			return false
		}
		code, out := b.run(name, "db", "pull", b.ref)
		b.answer = nil
		if requests < nth {
			break
		}
		if cuts++; code != exitError && b.current(t, name) != b.current(t, "own") || code == exitError && b.current(t, name) != b.current(t, "old") {
			t.Fatalf("request %d: exit code %d: %s", nth, code, out)
		}
		b.must(t, name, "db", "pull", b.ref)
		if b.current(t, name) != b.current(t, "own") {
			t.Errorf("request %d: it does not recover", nth)
		}
	}
	if cuts < 6/step {
		t.Errorf("only %d requests were cut", cuts)
	}
}
