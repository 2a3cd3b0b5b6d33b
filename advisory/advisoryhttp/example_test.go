package advisoryhttp_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/store/sqlite"
)

// notebook is a source of one document with one record; those of package sources
// read what publishers have.
type notebook struct{}

func (notebook) Describe() advisory.Description { return advisory.Description{Name: "notebook"} }

func (notebook) Fetch(_ context.Context, _ advisory.Door, _ []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	return &advisory.Fetched{Complete: true}, emit(&advisory.Document{Source: "notebook", Name: "1", Content: []byte("lodash before 4.17.21"), Signature: advisory.Unsigned})
}

func (notebook) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		yield(&advisory.Record{
			ID: "NOTE-1", Source: "notebook", Modified: "2026-11-28T00:00:00Z", Aliases: []string{"CVE-2021-23337"}, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(doc.Content)),
			Affected: []advisory.Affected{{Ecosystem: "npm", Name: "lodash", Ranges: []advisory.Range{{Type: advisory.RangeSemver, Events: []version.Event{{Introduced: "0"}, {Fixed: "4.17.21"}}}}}},
		}, nil)
	}
}

// Example reads a source, makes a head of it, serves it, and asks.
func Example() {
	if err := askThere(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// head 1 of map[notebook:1]
	// NOTE-1 affects lodash
	// not_affected: NOTE-1: 4.17.21 >= 4.17.21, which fixes it
}

func askThere(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "stella-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := sqlite.Open(ctx, filepath.Join(dir, "stella.db"))
	if err != nil {
		return err
	}
	defer root.Close()

	// What a worker does.
	advisories := root.Advisories(nil)
	if _, err := (&ingest.Ingester{Store: advisories, Holder: "example"}).Run(ctx, notebook{}); err != nil {
		return err
	}
	cache := ingest.Cache(filepath.Join(dir, "snapshots"), advisories)
	defer cache.Close()
	if _, err := (&ingest.Publisher{Heads: advisories, Objects: advisories, Cache: cache}).Publish(ctx); err != nil {
		return err
	}

	// What a web service does.
	server := httptest.NewServer(&advisoryhttp.Handler{
		Advisories: advisories,
		View: func(ctx context.Context, digest string) (advisory.View, func(), error) {
			return cache.View(ctx, digest)
		},
		Object: advisories.Object,
		Identify: func(r *http.Request) (advisoryhttp.Identity, error) { // a service checks a token here
			return advisoryhttp.Identity{Subject: "ann"}, nil
		},
	})
	defer server.Close()

	client := &advisoryhttp.Client{URL: server.URL}
	head, err := client.Head(ctx, 0)
	if err != nil {
		return err
	}
	fmt.Println("head", head.Number, "of", head.Runs)
	known, err := client.Package(ctx, "npm", "lodash")
	if err != nil {
		return err
	}
	for _, k := range known.Records {
		fmt.Println(k.Record.ID, "affects", k.Text.Affected[0].Name)
	}
	x, err := client.Explain(ctx, advisoryhttp.Question{PURL: "pkg:npm/lodash@4.17.21", Vulnerability: "CVE-2021-23337"}, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", x.Conclusion, x.Why)
	return nil
}
