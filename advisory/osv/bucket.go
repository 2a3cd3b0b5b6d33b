package osv

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/fault"
)

const (
	bucketHost = "osv-vulnerabilities.storage.googleapis.com"
	bucketURL  = "https://" + bucketHost + "/"
)

// Bucket returns the source "osv": what osv.dev gathers, all of it or that of
// some ecosystems, by their names without a release ("PyPI", "Debian"). It is
// fetched as one archive for each first, and then what the list of changes has
// as newer.
//
// The licences are those of the databases that are gathered.
//
// Source: https://google.github.io/osv.dev/data/, "Data dumps".
func Bucket(ecosystems ...string) *Source {
	return NewSource(advisory.Description{
		Name: "osv", Title: "OSV.dev", Home: "https://osv.dev/",
		License:      "LicenseRef-osv-dev-sources",
		Attribution:  "Data of OSV.dev, under the licences of its sources (https://google.github.io/osv.dev/data/)",
		Redistribute: true, Hosts: []string{bucketHost},
	}, bucket{source: "osv", ecosystems: ecosystems}, nil)
}

// Rocky returns the source "rocky": errata of Rocky Linux, as osv.dev has them.
func Rocky() *Source {
	return NewSource(advisory.Description{
		Name: "rocky", Title: "Rocky Linux errata", Home: "https://errata.rockylinux.org/",
		License: "BSD-3-Clause", Attribution: "Data of the Rocky Enterprise Software Foundation",
		Redistribute: true, Hosts: []string{bucketHost},
	}, bucket{source: "rocky", ecosystems: []string{"Rocky Linux"}}, nil)
}

// bucket fetches from osv.dev's bucket.
type bucket struct {
	source     string
	ecosystems []string
}

// Fetch passes on each ecosystem in turn; see [advisory.Source]. A record of
// several ecosystems is passed on once.
func (b bucket) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	if len(b.ecosystems) == 0 {
		return b.index("").Fetch(ctx, door, state, emit)
	}
	out := &advisory.Fetched{State: state, Complete: true, Unchanged: true}
	seen := map[string]bool{}
	once := func(doc *advisory.Document) error {
		if seen[doc.Name] {
			return nil
		}
		seen[doc.Name] = true
		return emit(doc)
	}
	for _, e := range b.ecosystems {
		one, err := b.index(e).Fetch(ctx, door, out.State, once)
		if err != nil {
			return nil, err
		}
		out.State = one.State
		out.Complete = out.Complete && one.Complete
		out.Unchanged = out.Unchanged && one.Unchanged
	}
	return out, nil
}

// index is the shape of one ecosystem, "" for all.
func (b bucket) index(ecosystem string) feed.Index {
	base := bucketURL
	if ecosystem != "" {
		base += url.PathEscape(ecosystem) + "/"
	}
	return feed.Index{
		Source: b.source, URL: base + "modified_id.csv", Entries: func(list []byte) ([]feed.Entry, error) { return entries(base, list) },
		Bulk: &feed.Archive{Source: b.source, URL: base + "all.zip", Keep: feed.Below("", ".json")},
	}
}

// entries reads a list of changes: a time, a comma and an id, below its
// ecosystem in the list of all.
func entries(base string, list []byte) ([]feed.Entry, error) {
	var out []feed.Entry
	for line := range strings.Lines(string(list)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		at, id, ok := strings.Cut(line, ",")
		folder, name, nested := strings.Cut(id, "/")
		if !nested {
			folder, name = "", id
		} else {
			folder = url.PathEscape(folder) + "/"
		}
		if !ok || name == "" {
			return nil, fmt.Errorf("line %d: %.200q is not a time and an id: %w", len(out)+1, line, fault.Invalid)
		}
		out = append(out, feed.Entry{Name: name + ".json", URL: base + folder + url.PathEscape(name) + ".json", Modified: at})
	}
	return out, nil
}
