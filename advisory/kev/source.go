package kev

import (
	"context"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// Name is the source's name.
const Name = "kev"

// URL is the catalogue's address, and CSV that of its other form.
const (
	URL = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json"
	CSV = "https://www.cisa.gov/sites/default/files/csv/known_exploited_vulnerabilities.csv"
)

// Source is the catalogue. The zero value is CISA's own.
type Source struct {
	// URL is the catalogue's address, in either form; empty means the constant
	// URL.
	URL string
}

// Describe says what the source is.
func (s Source) Describe() advisory.Description {
	return advisory.Description{
		Name: Name, Title: "CISA Known Exploited Vulnerabilities", Home: "https://www.cisa.gov/known-exploited-vulnerabilities-catalog",
		License: "CC0-1.0", Redistribute: true, Hosts: s.files().Hosts(), Stale: 7 * 24 * time.Hour, // it has nothing new in some weeks
	}
}

// Fetch asks for the catalogue; see [advisory.Source].
func (s Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	return s.files().Fetch(ctx, door, state, emit)
}

func (s Source) files() feed.Files {
	address := s.URL
	if address == "" {
		address = URL
	}
	return feed.Files{Source: Name, List: []feed.File{{URL: address, Name: "known_exploited_vulnerabilities"}}, Max: MaxBytes}
}
