package osv

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/fault"
)

// published is a database that is served as osv.dev asks for: a list of ids and
// times, and a file for each id beside it. All files are fetched one by one
// first, which takes long.
//
// Source: https://google.github.io/osv.dev/data/new/rest-api/; the addresses
// are those of osv.dev's source.yaml.
func published(about advisory.Description, list string) *Source {
	at, err := url.Parse(list)
	if err == nil {
		about.Hosts = []string{at.Hostname()}
	}
	base := list[:strings.LastIndexByte(list, '/')+1]
	return NewSource(about, feed.Index{
		Source: about.Name, URL: list, Entries: func(text []byte) ([]feed.Entry, error) { return listed(base, text) },
	}, nil)
}

// listed reads a list of ids and times.
func listed(base string, text []byte) ([]feed.Entry, error) {
	var list []struct {
		ID       string `json:"id"`
		Modified string `json:"modified"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	out := make([]feed.Entry, len(list))
	for i, e := range list {
		if e.ID == "" {
			return nil, fmt.Errorf("entry %d has no id: %w", i+1, fault.Invalid)
		}
		out[i] = feed.Entry{Name: e.ID + ".json", URL: base + url.PathEscape(e.ID) + ".json", Modified: e.Modified}
	}
	return out, nil
}

// RedHat returns the source "redhat-osv": errata of Red Hat.
func RedHat() *Source {
	return published(advisory.Description{
		Name: "redhat-osv", Title: "Red Hat errata (OSV)", Home: "https://access.redhat.com/security/data",
		License: "CC-BY-4.0", Attribution: "Data of Red Hat, Inc., CC BY 4.0", Redistribute: true,
	}, "https://security.access.redhat.com/data/osv/all.json")
}

// SUSE returns the source "suse-osv": updates of SUSE and openSUSE.
func SUSE() *Source {
	return published(advisory.Description{
		Name: "suse-osv", Title: "SUSE updates (OSV)", Home: "https://www.suse.com/support/security/", License: "LicenseRef-SUSE",
	}, "https://ftp.suse.com/pub/projects/security/osv/all.json")
}

// Mageia returns the source "mageia": advisories of Mageia.
func Mageia() *Source {
	return published(advisory.Description{
		Name: "mageia", Title: "Mageia advisories", Home: "https://advisories.mageia.org/", License: "LicenseRef-Mageia",
	}, "https://advisories.mageia.org/vulns.json")
}

// OpenEuler returns the source "openeuler": bulletins of openEuler.
func OpenEuler() *Source {
	return published(advisory.Description{
		Name: "openeuler", Title: "openEuler security bulletins", Home: "https://www.openeuler.org/en/security/security-bulletins/", License: "LicenseRef-openEuler",
	}, "https://repo.openeuler.org/security/data/osv/all.json")
}

// Echo returns the source "echo": advisories of Echo's packages.
func Echo() *Source {
	return published(advisory.Description{
		Name: "echo", Title: "Echo advisories", Home: "https://advisory.echohq.com/", License: "LicenseRef-Echo",
	}, "https://advisory.echohq.com/osv/all.json")
}

// Erlang returns the source "erlef": CVEs that the Erlang Ecosystem Foundation
// assigned.
func Erlang() *Source {
	return published(advisory.Description{
		Name: "erlef", Title: "Erlang Ecosystem Foundation", Home: "https://cna.erlef.org/", License: "LicenseRef-EEF",
	}, "https://cna.erlef.org/osv/all.json")
}
