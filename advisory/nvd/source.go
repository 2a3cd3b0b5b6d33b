package nvd

import (
	"context"
	"net/url"
	"time"

	"github.com/stella-ops/stella/advisory"
)

// Name is the source's name.
const Name = "nvd"

// The addresses of NVD.
const (
	API   = "https://services.nvd.nist.gov/rest/json/cves/2.0"
	Feeds = "https://nvd.nist.gov/feeds/json/cve/2.0/"
)

// KeyHeader is the header that a key for the API is sent in. The door sends it:
// it is part of what the door knows of the host.
const KeyHeader = "apiKey"

// Source is NVD. The zero value is the API.
type Source struct {
	// Feeds says that the data feeds are read, not the API.
	Feeds bool
	// Since is the year of the first feed that is read; 0 means 2002, whose feed
	// has the years before as well. CVEs of earlier feeds are then none of the
	// source.
	Since int
	// URL is the address of the API, or that of the folder of the feeds with a
	// slash at its end; empty means NVD's own.
	URL string
	// PageSize is how many CVEs are asked for at once; 0 means 2,000, which is
	// what the API gives at most.
	PageSize int
	// Now is the time by which windows of modification end; nil means the real
	// one. The feeds do not need it.
	Now func() time.Time
}

// Describe says what the source is.
func (s Source) Describe() advisory.Description {
	d := advisory.Description{
		Name: Name, Title: "National Vulnerability Database", Home: "https://nvd.nist.gov",
		License: "LicenseRef-NVD-Public-Domain", Redistribute: true,
		Attribution: "This product uses the NVD API but is not endorsed or certified by the NVD.",
	}
	if u, err := url.Parse(s.address()); err == nil {
		d.Hosts = []string{u.Host}
	}
	return d
}

func (s Source) address() string {
	switch {
	case s.URL != "":
		return s.URL
	case s.Feeds:
		return Feeds
	}
	return API
}

// Fetch passes on all CVEs, and later those that were modified; see
// [advisory.Source]. State of the one way of fetching is none for the other.
func (s Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	r := run{Source: s, ctx: ctx, door: door, emit: emit, seen: map[string]bool{}}
	fetch := r.api
	if s.Feeds {
		fetch = r.feeds
	}
	out, err := fetch(state)
	if r.refused != nil {
		return nil, r.refused
	}
	return out, err
}

// run is one Fetch.
type run struct {
	Source
	ctx     context.Context
	door    advisory.Door
	emit    func(*advisory.Document) error
	seen    map[string]bool // names of documents that were passed on
	refused error           // by emit
}
