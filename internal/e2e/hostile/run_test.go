package hostile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
)

// trace records what is connected to or looked up.
type trace struct {
	mu    sync.Mutex
	dials []string
}

func (c *trace) note(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dials = append(c.dials, s)
}

func (c *trace) context(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart: func(_, addr string) { c.note(addr) },
		DNSStart:     func(i httptrace.DNSStartInfo) { c.note(i.Host) },
	})
}

// outside returns what was connected to that is not this machine.
func (c *trace) outside() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.dials {
		if !strings.HasPrefix(d, "127.") && !strings.HasPrefix(d, "[::1]:") && d != "localhost" {
			out = append(out, d)
		}
	}
	return out
}

// lab is where the cases run.
type lab struct {
	root   string // fixtures
	canary string // must not change
	temp   string // must be empty after each case
	before map[string]string
	runs   int
	once   bool    // one place and compression for each case
	slow   measure // the longest scan
	big    measure // the scan with the largest resident set, in bytes
}

// measure is the largest of its kind and whose it is.
type measure struct {
	Case  string
	Value int64
}

func (m *measure) take(name string, n int64) {
	if n > m.Value {
		*m = measure{name, n}
	}
}

func newLab(t *testing.T) *lab {
	t.Helper()
	base := t.TempDir()
	l := &lab{root: filepath.Join(base, "images"), canary: filepath.Join(base, "canary"), temp: filepath.Join(base, "temp")}
	for _, dir := range []string{l.root, l.temp, filepath.Join(l.canary, "home"), filepath.Join(l.canary, "node_modules/outside")} {
		check(os.MkdirAll(dir, 0o755))
	}
	check(os.WriteFile(filepath.Join(l.canary, "file"), []byte(secret), 0o644))
	check(os.WriteFile(filepath.Join(l.canary, "node_modules/outside/package.json"), []byte(npmText("outside")), 0o644))
	t.Setenv("TMPDIR", l.temp)
	t.Setenv("HOME", filepath.Join(l.canary, "home"))
	t.Chdir(filepath.Join(l.canary, "home"))
	l.before = snapshot(t, l.canary)
	return l
}

// snapshot says what is below a folder.
func snapshot(t testing.TB, dir string) map[string]string {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			content = imagetest.Digest(b)
		}
		out[strings.TrimPrefix(p, dir)] = fmt.Sprint(info.Mode(), info.ModTime().UnixNano(), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// untouched fails when anything outside changed or was left behind.
func (l *lab) untouched(t *testing.T) {
	t.Helper()
	if diff := gocmp.Diff(l.before, snapshot(t, l.canary)); diff != "" {
		t.Errorf("the canary folder changed:\n%s", diff)
	}
	left, err := os.ReadDir(l.temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
		for _, e := range left {
			os.RemoveAll(filepath.Join(l.temp, e.Name()))
		}
	}
}

// run scans one image in one place and holds it against what is wanted.
func (l *lab) run(t *testing.T, h *hostile, at where, c imagetest.Compression) {
	dir := filepath.Join(l.root, fmt.Sprint(l.runs))
	l.runs++
	check(os.Mkdir(dir, 0o755))
	defer os.RemoveAll(dir)
	k := h.kit(c)
	ref, free, err := k.place(at, dir)
	defer free()
	if err != nil {
		t.Fatalf("make the image: %v", err)
	}
	at1 := *h
	at1.want = *h.wanted(at)
	l.scan(t, &at1, ref)
}

func (l *lab) scan(t *testing.T, h *hostile, ref string) {
	var c trace
	opt := h.options
	if opt.Platform == "" {
		opt.Platform = "linux/amd64"
	}
	if opt.Credentials == nil {
		opt.Credentials = image.NoCredentials
	}
	if h.large {
		debug.FreeOSMemory() // what making the image took is not the scan's
	}
	forgetPeak()
	start, before := time.Now(), processorTime()
	ctx, cancel := context.WithTimeout(c.context(t.Context()), cmp.Or(h.patience, 5*time.Minute))
	defer cancel()
	doc, err := scanned(ctx, ref, &opt, h.limits)
	// On a machine that others use a scan waits: what it takes itself counts.
	took := min(time.Since(start), processorTime()-before)
	l.slow.take(t.Name(), int64(took))
	l.big.take(t.Name(), peak())
	if took > time.Minute {
		t.Errorf("took %s", took)
	}
	if out := c.outside(); len(out) > 0 {
		t.Errorf("connected to %q", out)
	}
	l.untouched(t)
	judge(t, &h.want, doc, err)
}

// scanned opens and scans.
func scanned(ctx context.Context, ref string, opt *image.Options, limits analyzer.Limits) (doc *sbom.Document, err error) {
	m, err := image.Open(ctx, ref, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	s := &scan.Scanner{Analyzers: all.Set(), Limits: limits}
	r, err := s.Scan(ctx, m)
	if err != nil {
		return nil, err
	}
	return r.Document, nil
}

// judge compares a result with what was wanted.
func judge(t *testing.T, w *want, doc *sbom.Document, err error) {
	t.Helper()
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && !errors.Is(w.kind, context.DeadlineExceeded) {
			t.Fatalf("did not end: %v", err)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("shows what it should not: %v", err)
		}
		if w.kind == nil || !errors.Is(err, w.kind) && (w.also == nil || !errors.Is(err, w.also)) {
			t.Fatalf("got the error %q, want kind %v", err, w.kind)
		}
		for _, s := range w.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%q does not say %q", err, s)
			}
		}
		return
	}
	var gaps, pkgs []string
	text := ""
	for _, g := range doc.Gaps {
		s := string(g.Code) + " " + g.Where
		if g.Blocking {
			s = "!" + s
		}
		gaps = append(gaps, s)
		text += g.What + "\n"
		if g.Where == "" || g.What == "" {
			t.Errorf("a gap that does not say where or what: %+v", g)
		}
	}
	for _, p := range doc.Packages {
		pkgs = append(pkgs, p.Name)
	}
	if w.kind != nil {
		t.Fatalf("got a document with packages %q and gaps %q (%s), want an error of kind %v", pkgs, gaps, text, w.kind)
	}
	wantPkgs := slices.Clone(w.pkgs)
	if !w.blind {
		wantPkgs = append(wantPkgs, "witness")
	}
	if diff := gocmp.Diff(sorted(w.gaps), sorted(gaps)); diff != "" {
		t.Errorf("gaps (-want +got):\n%s%s", diff, text)
	}
	if w.count > 0 {
		if len(pkgs) != w.count {
			t.Errorf("%d packages, want %d", len(pkgs), w.count)
		}
	} else if diff := gocmp.Diff(sorted(wantPkgs), sorted(pkgs)); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	for _, s := range w.what {
		if !strings.Contains(text, s) {
			t.Errorf("gaps do not say %q:\n%s", s, text)
		}
	}
	if b, err := json.Marshal(doc); err != nil || strings.Contains(string(b), secret) {
		t.Errorf("the document shows what it should not (%v)", err)
	}
}

func sorted(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return slices.Sorted(slices.Values(list))
}
