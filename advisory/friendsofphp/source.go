package friendsofphp

import (
	"context"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// Name is the source's name.
const Name = "friendsofphp"

// Source is the database. The zero value is ready.
type Source struct{}

// Describe says what the source is.
func (s Source) Describe() advisory.Description {
	return advisory.Description{
		Name: Name, Title: "PHP Security Advisories Database", Home: "https://github.com/FriendsOfPHP/security-advisories",
		License: "Unlicense", Redistribute: true, Hosts: []string{"codeload.github.com"},
	}
}

// Fetch passes on the files of the repository; see [advisory.Source].
func (s Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	keep := feed.Below("", ".yaml")
	return feed.GitHub(Name, "FriendsOfPHP/security-advisories", "master", func(name string) bool {
		return strings.Count(name, "/") == 2 && keep(name)
	}).Fetch(ctx, door, state, emit)
}
