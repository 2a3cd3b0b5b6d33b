package conda

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/held"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readMeta reads conda-meta/name-version-build.json, the record that conda keeps of an
// installed package (conda, models/records.py, PrefixRecord). Keys are names, in a scope of
// the environment's folder: an environment has one version of a package.
func readMeta(file string, data []byte) ([]analyzer.Fact, error) {
	var a archive
	var licence string
	var hashes []sbom.Hash
	var needs []string
	var set held.Set
	prefix := path.Dir(path.Dir(file))
	r := jsontext.New(data)
	text := func(to *string) { *to, _ = r.Text() }
	err := r.Document(func() {
		r.Object(func(key []byte) {
			switch string(key) {
			case "name":
				text(&a.name)
			case "version":
				text(&a.version)
			case "build":
				text(&a.build)
			case "channel":
				text(&a.channel)
			case "subdir":
				text(&a.subdir)
			case "url":
				text(&a.url)
			case "license":
				text(&licence)
			case "md5", "sha256":
				sum, _ := r.Text()
				hashes = append(hashes, locked.Hex(string(key), sum)...)
			case "files":
				r.Array(func() {
					name, _ := r.Text()
					set.Prefix(prefix, name)
				})
			case "depends":
				r.Array(func() {
					if spec, ok := r.Text(); ok {
						needs = append(needs, specName(spec))
					}
				})
			}
		})
	})
	if a.name == "" {
		if err == nil {
			err = fmt.Errorf("no name: %w", fault.Invalid)
		}
		return nil, err
	}
	a.complete()
	p := a.describe()
	if licence != "" {
		p.Licenses = []sbom.License{{Name: licence}}
	}
	slices.SortFunc(hashes, func(x, y sbom.Hash) int {
		return cmp.Or(cmp.Compare(x.Algorithm, y.Algorithm), cmp.Compare(x.Value, y.Value))
	})
	p.Hashes = slices.Compact(hashes)
	slices.Sort(needs)
	needs = slices.DeleteFunc(slices.Compact(needs), func(n string) bool { return n == a.name || n == "" })
	holds, err := set.List(err)
	return []analyzer.Fact{{
		Kind: analyzer.KindPackage, Scope: "environment " + prefix, Key: a.name, Package: &p, DependsOn: needs, Holds: holds,
	}}, err
}

// complete takes what the record leaves out from the address of the archive: old ones have
// no platform, and a channel's address instead of its name ends in the platform.
func (a *archive) complete() {
	from, _ := parseArchive(a.url)
	a.url, a.kind = from.url, from.kind
	if a.subdir == "" {
		a.subdir = from.subdir
	}
	if channel, subdir, ok := cutLast(strings.TrimSuffix(a.channel, "/"), "/"); ok && subdir == a.subdir {
		a.channel = channel
	}
	if a.channel = channelName(a.channel); a.channel == "" {
		a.channel = from.channel
	}
}
