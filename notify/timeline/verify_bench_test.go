package timeline_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/verify"
)

// whole exports and signs a chain of some windows as one stream.
func whole(t testing.TB, windows int) (lines, stamps [][]byte) {
	s, random := newStory(), rand.New(rand.NewPCG(1, 1))
	for range windows {
		w := s.next(t, random)
		part := w.lines(w.entries, w.end())
		if lines = append(lines, part...); len(lines) > 0 && s.n < windows*windowRows {
			lines = lines[:len(lines)-1] // the end comes last
		}
		stamps = append(stamps, w.stamps...)
	}
	return lines, stamps
}

// BenchmarkVerify measures rows of realistic events against checkpoints, by one core.
func BenchmarkVerify(b *testing.B) {
	lines, stamps := whole(b, 20)
	text, signed := bytes.Join(lines, nil), bytes.Join(stamps, nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	rows := int64(0)
	for b.Loop() {
		r, err := verify.Verify(bytes.NewReader(text), &verify.Options{Checkpoints: bytes.NewReader(signed), Trust: trustIn(testKey())})
		if err != nil {
			b.Fatal(err)
		}
		rows += r.Last
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkAppend measures indexing into memory: reading events and extending a chain.
func BenchmarkAppend(b *testing.B) {
	bodies := make([][]byte, 1000)
	topics := make([]string, 1000)
	for i := range bodies {
		topics[i], bodies[i] = bodyOf(i)
	}
	for n := 0; b.Loop(); n++ {
		e, err := timeline.Read(topics[n%1000], bodies[n%1000])
		if err != nil {
			b.Fatal(err)
		}
		timeline.Extend(timeline.Head{}, noon, []timeline.Event{*e})
	}
}

// TestVerifyStream: a long export is verified as a stream, and a flipped bit is found
// wherever it is. With STELLA_LONG it has 1,000,000 rows.
func TestVerifyStream(t *testing.T) {
	windows, times := 3, 8
	if os.Getenv("STELLA_LONG") == "1" {
		windows, times = 1000, 20
	}
	lines, stamps := whole(t, windows)
	trust := trustIn(testKey())
	r, err := verify.Verify(&stream{lines: lines}, &verify.Options{Checkpoints: &stream{lines: stamps}, Trust: trust})
	rows := int64(windows * windowRows)
	if err != nil || r.Last != rows || r.Signed != rows || r.Checkpoints != rows/windowMarks || r.Uncovered() != 0 || r.Lacking != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	random := rand.New(rand.NewPCG(5, 5))
	for range times {
		at := 1 + random.IntN(len(lines)-2)
		good := lines[at]
		lines[at] = bytes.Clone(good)
		lines[at][random.IntN(len(good)-1)] ^= 1 << random.IntN(8)
		_, err := verify.Verify(&stream{lines: lines}, &verify.Options{Checkpoints: &stream{lines: stamps}, Trust: trust})
		var found *verify.Error
		if !errors.As(err, &found) || found.Seq != int64(at) {
			t.Errorf("row %d is bad: %v", at, err)
		}
		lines[at] = good
	}
}

// TestMemory: what an export costs does not depend on how long it is.
func TestMemory(t *testing.T) {
	lines, stamps := whole(t, 4)
	few := testing.AllocsPerRun(3, func() { run(t, lines, nil) })
	all := testing.AllocsPerRun(3, func() { run(t, lines, stamps) })
	if few > 100 || all > 16*200 {
		t.Errorf("%v allocations for %d rows, %v with %d checkpoints", few, len(lines)-2, all, len(stamps))
	}
}

func run(t *testing.T, lines, stamps [][]byte) {
	o := &verify.Options{Trust: trustIn(testKey())}
	if stamps != nil {
		o.Checkpoints = &stream{lines: stamps}
	}
	if _, err := verify.Verify(&stream{lines: lines}, o); err != nil {
		t.Fatal(err)
	}
}

// TestExport: an export that was cut is completed, and one of a chain with a hole is not
// finished.
func TestExport(t *testing.T) {
	ctx := context.Background()
	s := newMemory(t, 2500)
	var full, rest bytes.Buffer
	if err := errors.Join(timeline.Export(ctx, &full, "acme", s, 0), timeline.Export(ctx, &rest, "acme", s, 1234)); err != nil {
		t.Fatal(err)
	}
	cut := full.Bytes()
	for range 1 + 1234 { // the first line, and rows
		cut = cut[bytes.IndexByte(cut, '\n')+1:]
	}
	if !bytes.Equal(cut, rest.Bytes()) {
		t.Error("the rest is not the rest")
	}
	for _, after := range []int64{-1, 2501} {
		if err := timeline.Export(ctx, io.Discard, "acme", s, after); !errors.Is(err, timeline.ErrInvalid) {
			t.Errorf("after row %d: %v", after, err)
		}
	}
	if err := timeline.Export(ctx, failing{}, "acme", s, 0); !errors.Is(err, errFull) {
		t.Errorf("a disk that is full: %v", err)
	}
	if err := timeline.Export(ctx, io.Discard, "acme", hollow{s}, 0); !errors.Is(err, timeline.ErrMismatch) {
		t.Errorf("rows that are missing: %v", err)
	}
}

var errFull = errors.New("no space is left")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

// hollow is a chain whose last rows are missing.
type hollow struct{ *timeline.Memory }

func (h hollow) Find(ctx context.Context, q timeline.Query) (*timeline.Page, error) {
	if q.After >= 1000 {
		return new(timeline.Page), nil
	}
	return h.Memory.Find(ctx, q)
}

func newMemory(t testing.TB, rows int) *timeline.Memory {
	s := timeline.NewMemory("acme", clock())
	events := make([]timeline.Event, rows)
	for i := range events {
		events[i] = eventOf(i)
	}
	if err := s.Append(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	return s
}
