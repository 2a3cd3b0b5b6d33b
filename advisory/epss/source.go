package epss

import (
	"context"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// Name is the source's name.
const Name = "epss"

// URL is the address of the newest scores.
const URL = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"

// Source are the newest scores. The zero value is the publisher's own.
type Source struct {
	// URL is the file's address; empty means the constant URL.
	URL string
}

// Describe says what the source is. FIRST asks for a citation of the scores.
func (s Source) Describe() advisory.Description {
	return advisory.Description{
		Name: Name, Title: "Exploit Prediction Scoring System", Home: "https://www.first.org/epss/",
		License: "LicenseRef-FIRST-EPSS", Attribution: "EPSS scores by FIRST.org and Empirical Security, https://www.first.org/epss",
		Redistribute: true, Hosts: s.files().Hosts(),
	}
}

// Fetch asks for the file; see [advisory.Source].
func (s Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	return s.files().Fetch(ctx, door, state, emit)
}

func (s Source) files() feed.Files {
	address := s.URL
	if address == "" {
		address = URL
	}
	return feed.Files{Source: Name, List: []feed.File{{URL: address, Name: "epss_scores-current.csv"}}, Max: MaxBytes}
}
