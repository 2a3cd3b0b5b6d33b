//go:build unix

package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/internal/testdata"
)

// real is a feed of documents as osv.dev publishes them.
type real struct{ docs []*advisory.Document }

func (r *real) Describe() advisory.Description { return advisory.Description{Name: "osv"} }

func (r *real) Fetch(_ context.Context, _ advisory.Door, _ []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	for _, d := range r.docs {
		if err := emit(d); err != nil {
			return nil, err
		}
	}
	return &advisory.Fetched{Complete: true}, nil
}

func (r *real) Parse(d *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		s, err := osv.Parse(d.Content, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		yield(s, nil)
	}
}

// realDocs returns n documents of about 1.7 KB, the real ones of some databases
// several times under other ids.
func realDocs(tb testing.TB, n int) (out []*advisory.Document) {
	var texts [][]byte
	for _, pack := range []string{"advisories/osv-go.tar.gz", "advisories/osv-crates.tar.gz", "advisories/osv-bellsoft.tar.gz"} {
		testdata.Walk(tb, pack, func(name string, r io.Reader) {
			if text, err := io.ReadAll(r); err == nil && strings.HasSuffix(name, ".json") && len(text) < 20_000 {
				if r, err := osv.Parse(text, nil); err == nil {
					texts = append(texts, bytes.ReplaceAll(text, []byte(`"`+r.ID+`"`), []byte(`"`+r.ID+`-%06d"`)))
				}
			}
		})
	}
	for i := range n {
		text := bytes.ReplaceAll(texts[i%len(texts)], []byte("-%06d"), fmt.Appendf(nil, "-%06d", i/len(texts)))
		out = append(out, &advisory.Document{Name: fmt.Sprintf("%06d.json", i), Content: text})
	}
	return out
}

// BenchmarkIngest ingests documents through the embedded store, from bytes in
// memory to a released run; again means that nothing changed.
func BenchmarkIngest(b *testing.B) {
	docs := realDocs(b, 60_000)
	var size int64
	for _, d := range docs {
		size += int64(len(d.Content))
	}
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		_, a := newStore(b)
		runtime.GC()
		b.StartTimer()
		before := processor()
		out, err := newIngester(a).Run(b.Context(), &real{docs})
		if err != nil || out.Records != len(docs) || out.Quarantined+out.Problems > 0 {
			b.Fatal(out, err)
		}
		spent += processor() - before
	}
	b.SetBytes(size)
	b.ReportMetric(float64(len(docs)*b.N)/b.Elapsed().Seconds(), "docs/s")
	b.ReportMetric(float64(size)/float64(len(docs)), "B/doc")
	b.ReportMetric(float64(spent.Microseconds())/float64(len(docs)*b.N), "cpu-µs/doc") // what a busy machine does not change much
}

// processor is the time that this process has had of processors, its system calls
// included.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
