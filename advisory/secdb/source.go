package secdb

import (
	"iter"
	"strconv"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// Source is one distribution's security databases.
type Source struct {
	feed.Files
	description advisory.Description
	prefix      string // of ids
	fixed       string // the ecosystem; empty where the document tells it
	page        string // what leads to people's page about a CVE
}

// Describe says what the source is.
func (s *Source) Describe() advisory.Description { return s.description }

// Parse yields the records of a document; see [advisory.Source].
func (s *Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return s.parse(doc)
}

// The releases of Alpine that are asked for. Those that do not exist yet cost a
// request each.
const (
	firstAlpine = 2  // v3.2
	lastAlpine  = 27 // v3.27
)

// Alpine returns the source of Alpine's databases: main and community of edge
// and of every release.
func Alpine() *Source {
	const base = "https://secdb.alpinelinux.org/"
	s := &Source{prefix: "ALPINE-", page: "https://security.alpinelinux.org/vuln/", description: advisory.Description{
		Name: "alpine", Title: "Alpine security database", Home: base,
		License: "CC-BY-SA-4.0", Attribution: "Alpine Linux security database, CC BY-SA 4.0", Redistribute: true,
	}}
	s.Files = feed.Files{Source: s.description.Name}
	add := func(release string, optional bool) {
		for _, repository := range []string{"main", "community"} {
			name := release + "/" + repository + ".json"
			s.List = append(s.List, feed.File{URL: base + name, Name: name, Optional: optional})
		}
	}
	add("edge", false)
	for n := firstAlpine; n <= lastAlpine; n++ {
		add("v3."+strconv.Itoa(n), true)
	}
	s.description.Hosts = s.Files.Hosts()
	return s
}

// Wolfi returns the source of Wolfi's database.
func Wolfi() *Source {
	return single("wolfi", "Wolfi", "WOLFI-", "https://packages.wolfi.dev/os/security.json", "https://images.chainguard.dev/security/")
}

// Chainguard returns the source of Chainguard's database.
func Chainguard() *Source {
	return single("chainguard", "Chainguard", "CGA-", "https://packages.cgr.dev/chainguard/security.json", "https://images.chainguard.dev/security/")
}

// MinimOS returns the source of MinimOS's database.
func MinimOS() *Source {
	return single("minimos", "MinimOS", "MINI-", "https://packages.mini.dev/advisories/secdb/security.json", "")
}

// single is a source of one database, which states no licence.
func single(name, ecosystem, prefix, address, page string) *Source {
	s := &Source{prefix: prefix, fixed: ecosystem, page: page, description: advisory.Description{
		Name: name, Title: ecosystem + " security database", Home: address, License: "LicenseRef-" + ecosystem + "-secdb",
	}}
	s.Files = feed.Files{Source: name, List: []feed.File{{URL: address, Name: "security.json"}}}
	s.description.Hosts = s.Files.Hosts()
	return s
}
