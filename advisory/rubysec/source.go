package rubysec

import (
	"context"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// Name is the source's name.
const Name = "rubysec"

// Source is the database. The zero value is ready.
type Source struct{}

// Describe says what the source is.
func (s Source) Describe() advisory.Description {
	return advisory.Description{
		Name: Name, Title: "Ruby Advisory Database", Home: "https://rubysec.com",
		License: "LicenseRef-Public-Domain", Redistribute: true, Hosts: []string{"codeload.github.com"},
	}
}

// Fetch passes on the files of the repository; see [advisory.Source].
func (s Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	return feed.GitHub(Name, "rubysec/ruby-advisory-db", "master", isAdvisory).Fetch(ctx, door, state, emit)
}

// isAdvisory reports whether a file of the repository is an advisory.
func isAdvisory(name string) bool {
	return feed.Below("gems", ".yml")(name) || feed.Below("rubies", ".yml")(name) || feed.Below("libraries", ".yml")(name)
}
