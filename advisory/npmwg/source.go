package npmwg

import (
	"context"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
)

// Name is the source's name.
const Name = "npmwg"

// Source are the group's advisories. The zero value is ready.
type Source struct{}

// Describe says what the source is.
func (s Source) Describe() advisory.Description {
	return advisory.Description{
		Name: Name, Title: "Node.js Security Working Group", Home: "https://github.com/nodejs/security-wg",
		License: "MIT", Attribution: "Copyright Node.js Security Working Group", Redistribute: true, Hosts: []string{"codeload.github.com"},
		Stale: 365 * 24 * time.Hour, // it hardly changes
	}
}

// Fetch passes on the files of the repository; see [advisory.Source].
func (s Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	keep := feed.Below("vuln", ".json")
	return feed.GitHub(Name, "nodejs/security-wg", "main", func(name string) bool {
		return keep(name) && !strings.HasSuffix(name, "/index.json") // which repeats the others
	}).Fetch(ctx, door, state, emit)
}
