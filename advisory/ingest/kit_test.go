package ingest_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/sqlite"
)

// feed is a publisher of OSV records, one a document, and of signals.
type feed struct {
	name     string
	docs     map[string]string
	order    []string // the order of fetching; nil means sorted
	complete bool
	gone     []string
	state    string
	fails    error // at the end of fetching
	parse    func(*advisory.Document) iter.Seq2[advisory.Statement, error]
	parsed   int
}

func (f *feed) Describe() advisory.Description { return advisory.Description{Name: f.name} }

func (f *feed) Fetch(_ context.Context, _ advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	order := f.order
	if order == nil {
		order = slices.Sorted(maps.Keys(f.docs))
	}
	for _, name := range order {
		if err := emit(&advisory.Document{Source: f.name, Name: name, URL: "https://feed.example/" + name, Content: []byte(f.docs[name])}); err != nil {
			return nil, err
		}
	}
	for _, name := range f.gone {
		if err := emit(&advisory.Document{Source: f.name, Name: name, Gone: true}); err != nil {
			return nil, err
		}
	}
	if f.fails != nil {
		return nil, f.fails
	}
	return &advisory.Fetched{State: []byte(f.state), Complete: f.complete}, nil
}

func (f *feed) Parse(d *advisory.Document) iter.Seq2[advisory.Statement, error] {
	f.parsed++
	if f.parse != nil {
		return f.parse(d)
	}
	return func(yield func(advisory.Statement, error) bool) {
		for line := range strings.Lines(string(d.Content)) {
			if strings.HasPrefix(line, "signal ") {
				w := strings.Fields(line)
				if !yield(&advisory.Signal{Vulnerability: w[1], EPSS: w[2], Day: "2026-11-28"}, nil) {
					return
				}
				continue
			}
			r, err := osv.Parse([]byte(line), nil)
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// record is a line of a document: a record about package name in npm.
func record(id string, revision int, more string) string {
	return fmt.Sprintf(`{"schema_version":"1.6.0","id":%q,"modified":"2026-01-%02dT00:00:00Z",%s"affected":[{"package":{"ecosystem":"npm","name":"pkg-%s"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.0.%d"}]}]}]}`+"\n",
		id, revision, more, strings.ToLower(id), revision)
}

func newStore(t testing.TB) (*store.Root, *store.Advisories) {
	t.Helper()
	root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	bucket, err := blob.Open(t.Context(), "file:"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return root, root.Advisories(bucket)
}

func newIngester(a *store.Advisories) *ingest.Ingester {
	return &ingest.Ingester{Store: a, Holder: "test", Lease: 10 * time.Second}
}
