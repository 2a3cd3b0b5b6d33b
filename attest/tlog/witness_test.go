package tlog_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/tlog"
)

// heads are heads in memory, one for each origin.
func heads() func(string) (tlog.Head, error) {
	var mu sync.Mutex
	have := map[string]tlog.Head{}
	return func(origin string) (tlog.Head, error) {
		mu.Lock()
		defer mu.Unlock()
		if have[origin] == nil {
			have[origin] = tlog.NewMemHead()
		}
		return have[origin], nil
	}
}

func newWitness(t testing.TB, name string, logs ...tlog.LogKey) *tlog.Witness {
	t.Helper()
	if len(logs) == 0 {
		logs = trusting(origin).Logs
	}
	w, err := tlog.NewWitness(witnessSigner(name), &tlog.WitnessOptions{Logs: logs, Head: heads(), Now: func() time.Time { return time.Unix(1700000000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// served is a witness behind HTTP, which may be away.
func served(t testing.TB, w *tlog.Witness, away *atomic.Bool) tlog.Cosigner {
	t.Helper()
	h := tlog.NewWitnessHandler(w, func(err error) { t.Error(err) })
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if away != nil && away.Load() {
			http.Error(rw, "away", http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	c, err := tlog.NewHTTPWitness(server.URL, w.Key(), &tlog.HTTPOptions{Transport: http.DefaultTransport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWitnessedLog(t *testing.T) {
	var away atomic.Bool
	w1, w2 := newWitness(t, "w1"), newWitness(t, "w2")
	opt := &tlog.Options{MaxDelay: -1, Witnesses: []tlog.Cosigner{served(t, w1, nil), served(t, w2, &away)}, WitnessThreshold: 2}
	storage := tlog.NewMem()
	l := open(t, storage, opt)
	strict := trusting(origin)
	strict.Witnesses, strict.Threshold = witnesses("w1", "w2"), 2

	for i := range 3 {
		if _, err := strict.Verify([]byte(entry(i)), submit(t, l, entry(i))); err != nil {
			t.Error(err)
		}
	}
	away.Store(true)
	r, err := l.Submit(ctx, []byte(entry(3)))
	var lacking *tlog.WitnessError
	if !errors.As(err, &lacking) || !errors.Is(err, tlog.ErrUnavailable) || lacking.Got != 1 || lacking.Want != 2 || r == nil {
		t.Fatalf("a witness is away: %+v, %v", r, err)
	}
	if _, err := strict.Verify([]byte(entry(3)), r); tlog.ReasonOf(err) != tlog.ReasonWitness {
		t.Errorf("a receipt that lacks a cosignature: %v", err)
	}
	if _, err := trusting(origin).Verify([]byte(entry(3)), r); err != nil {
		t.Errorf("it is in the log all the same: %v", err)
	}
	if c, err := tlog.NewReader(storage.Source(), strict).Checkpoint(ctx); err != nil || c.Size != 3 {
		t.Errorf("readers see %+v, %v, want the last that has enough cosignatures", c, err)
	}
	if again, err := l.Submit(ctx, []byte(entry(3))); !errors.As(err, &lacking) || again == nil || again.Index != 3 {
		t.Errorf("once more: %+v, %v", again, err)
	}
	if old, err := l.Submit(ctx, []byte(entry(1))); err != nil {
		t.Errorf("what was published before: %v", err)
	} else if _, err := strict.Verify([]byte(entry(1)), old); err != nil {
		t.Error(err)
	}
	l.Close()
	l = open(t, storage, opt)
	if err := l.Publish(ctx); !errors.As(err, &lacking) {
		t.Errorf("still away: %v", err)
	}
	away.Store(false)
	if err := l.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	r = submit(t, l, entry(3))
	if _, err := strict.Verify([]byte(entry(3)), r); err != nil {
		t.Errorf("completed later: %v", err)
	}
	away.Store(true)
	if _, err := l.Submit(ctx, []byte(entry(4))); !errors.As(err, &lacking) {
		t.Error(err)
	}
	away.Store(false)
	if r := submit(t, l, entry(5)); r.Index != 5 {
		t.Errorf("index %d", r.Index)
	} else if _, err := strict.Verify([]byte(entry(5)), r); err != nil {
		t.Error(err)
	}
}

// TestRaisedThreshold: what was published without witnesses is not enough for a log
// that requires them now.
func TestRaisedThreshold(t *testing.T) {
	storage := tlog.NewMem()
	l := open(t, storage, quick())
	submit(t, l, entry(0))
	l.Close()
	l = open(t, storage, &tlog.Options{MaxDelay: -1, Witnesses: []tlog.Cosigner{newWitness(t, "w1")}, WitnessThreshold: 1})
	strict := trusting(origin)
	strict.Witnesses, strict.Threshold = witnesses("w1"), 1
	if _, err := strict.Verify([]byte(entry(0)), submit(t, l, entry(0))); err != nil {
		t.Error(err)
	}
	if c, err := tlog.NewReader(storage.Source(), strict).Checkpoint(ctx); err != nil || c.Size != 1 {
		t.Errorf("what readers see: %+v, %v", c, err)
	}
}

// post sends a request to a witness.
func post(t *testing.T, h http.Handler, body string) (int, string, string) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(body)))
	text, err := io.ReadAll(rec.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Code, rec.Header().Get("Content-Type"), string(text)
}

func TestWitnessHandler(t *testing.T) {
	leaves := []tlog.Hash{}
	for i := range 5 {
		leaves = append(leaves, tlog.LeafHash([]byte(entry(i))))
	}
	request := func(old int, proof []tlog.Hash, text string, lines ...string) string {
		s := fmt.Sprintf("old %d\n", old)
		for _, h := range proof {
			s += h.String() + "\n"
		}
		return s + "\n" + text + "\n" + strings.Join(lines, "")
	}
	signed := func(old, size int) string {
		text := body(origin, int64(size), mth(leaves[:size]))
		var proof []tlog.Hash
		if old > 0 && old < size {
			proof = subproof(old, leaves[:size], true)
		}
		return request(old, proof, text, logLine("stranger", text), logLine(origin, text))
	}
	text3, text5 := body(origin, 3, mth(leaves[:3])), body(origin, 5, mth(leaves))
	forked := body(origin, 5, mth(append(leaves[1:5:5], leaves[0])))
	forked3 := body(origin, 3, mth(leaves[1:4]))
	elsewhere := body("log.example/other", 1, leaves[0])
	emptyWrong := body(origin, 0, leaves[0])
	proof := subproof(3, leaves, true)
	many := make([]tlog.Hash, 64)
	steps := []struct {
		name, body string
		want       int
		answer     string // "": not looked at
	}{
		{"nothing", "", 400, ""},
		{"no empty line", "old 0\n" + text3, 400, ""},
		{"an old size with zeros", strings.Replace(signed(0, 3), "old 0", "old 00", 1), 400, ""},
		{"64 hashes", request(0, many, text3, logLine(origin, text3)), 400, ""},
		{"too large", "old 0\n\n" + strings.Repeat("x", 100_000), 400, ""},
		{"an unknown log", request(0, nil, elsewhere, logLine(origin, elsewhere)), 404, ""},
		{"unsigned", request(0, nil, text3, logLine("stranger", text3)), 403, ""},
		{"signed over another text", request(0, nil, text3, logLine(origin, text5)), 403, ""},
		{"an old size above the new one", request(4, nil, text3, logLine(origin, text3)), 400, ""},
		{"an empty tree with a root", request(0, nil, emptyWrong, logLine(origin, emptyWrong)), 422, ""},
		{"a proof from the empty tree", request(0, proof, text3, logLine(origin, text3)), 422, ""},
		{"stale before anything", signed(2, 3), 409, "0\n"},
		{"first", signed(0, 3), 200, witnessLine("w1", text3)},
		{"again from nothing", signed(0, 5), 409, "3\n"},
		{"without a proof", request(3, nil, text5, logLine(origin, text5)), 422, ""},
		{"another past", request(3, proof, forked, logLine(origin, forked)), 422, ""},
		{"another tree of the same size", request(3, nil, forked3, logLine(origin, forked3)), 422, ""},
		{"the same", signed(3, 3), 200, witnessLine("w1", text3)},
		{"grown", signed(3, 5), 200, witnessLine("w1", text5)},
		{"rolled back", signed(3, 3), 409, "5\n"},
	}
	w := newWitness(t, "w1")
	h := tlog.NewWitnessHandler(w, func(err error) { t.Error(err) })
	for _, s := range steps {
		status, kind, answer := post(t, h, s.body)
		if status != s.want || s.answer != "" && answer != s.answer {
			t.Errorf("%s: %d %q, want %d %q", s.name, status, answer, s.want, s.answer)
		}
		if status == 409 && kind != "text/x.tlog.size" {
			t.Errorf("%s: content type %s", s.name, kind)
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, fmt.Sprintf("/%x/checkpoint", sha256.Sum256([]byte(origin))), nil))
	p := trusting(origin)
	p.Witnesses, p.Threshold = witnesses("w1"), 1
	if c, err := p.Open(rec.Body.Bytes()); err != nil || c.Size != 5 {
		t.Errorf("what monitors see: %d %+v, %v", rec.Code, c, err)
	}
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/00/checkpoint", nil))
	if rec.Code != 404 {
		t.Errorf("another log: %d", rec.Code)
	}
}

// TestWitnessRace: of two trees after one, a witness co-signs one.
func TestWitnessRace(t *testing.T) {
	for range 20 {
		w := newWitness(t, "w1")
		var signed atomic.Int64
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				text := body(origin, 1, tlog.LeafHash([]byte(entry(i))))
				_, err := w.AddCheckpoint(ctx, 0, nil, []byte(text+"\n"+logLine(origin, text)))
				var stale *tlog.StaleError
				if err == nil {
					signed.Add(1)
				} else if !errors.As(err, &stale) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if signed.Load() != 1 {
			t.Fatalf("%d of 4 trees of one size are co-signed", signed.Load())
		}
	}
}

// lying is a witness that answers what it wants to.
type lying struct {
	key   *tlog.Key
	lines string
	err   error
}

func (w lying) Key() *tlog.Key { return w.key }

func (w lying) AddCheckpoint(context.Context, int64, []tlog.Hash, []byte) ([]byte, error) {
	return []byte(w.lines), w.err
}

func TestLyingWitness(t *testing.T) {
	k := witnessSigner("w1").Key()
	other := body(origin, 9, tlog.Hash{})
	for name, w := range map[string]lying{
		"nothing":            {k, "", nil},
		"no line":            {k, "yes", nil},
		"another tree":       {k, witnessLine("w1", other), nil},
		"another witness":    {k, witnessLine("w2", other), nil},
		"an empty line":      {k, "\n" + witnessLine("w1", other), nil},
		"another checkpoint": {k, "x\n\n" + witnessLine("w1", other), nil},
		"endless":            {k, strings.Repeat("x", 1<<20), nil},
		"a larger size":      {k, "", &tlog.StaleError{Size: 1000}},
		"a negative size":    {k, "", &tlog.StaleError{Size: -5}},
		"always stale":       {k, "", &tlog.StaleError{Size: 0}},
	} {
		l := open(t, tlog.NewMem(), &tlog.Options{MaxDelay: -1, Witnesses: []tlog.Cosigner{w}, WitnessThreshold: 1})
		r, err := l.Submit(ctx, []byte("entry"))
		var lacking *tlog.WitnessError
		if !errors.As(err, &lacking) || r == nil {
			t.Errorf("%s: %v, %v", name, r, err)
			continue
		}
		if _, err := trusting(origin).Verify([]byte("entry"), r); err != nil {
			t.Errorf("%s: the receipt is spoilt: %v", name, err)
		}
	}
}
