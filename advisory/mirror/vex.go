package mirror

import (
	"fmt"
	"os"
	"time"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// TypeVEX is the media type of a set of VEX statements in a registry.
const TypeVEX = "application/vnd.stella.vex.v1"

const vexName = "vex/set"

// VEX returns the set of VEX statements that the release has which was updated to
// last, to be copied from Source. at is the time by which signatures have expired. An
// error wraps ErrNotFound where the release has none.
func (c *Client) VEX(at time.Time) (role.Target, error) {
	state, err := c.state()
	if err != nil {
		return role.Target{}, err
	}
	release, err := state.Release(at)
	if err != nil {
		return role.Target{}, err
	}
	t, err := release.Target(vexName)
	if err != nil {
		return t, fmt.Errorf("version %d of the feed %s has no VEX statements: %w", release.Version, release.Feed, err)
	}
	if t.Length > maxObject {
		return t, &fault.LimitError{What: "bytes", Where: t.Name, Max: maxObject, Seen: t.Length}
	}
	return t, nil
}

// vex puts the file of VEX among the contents.
func (p *Publisher) vex() ([]role.Target, error) {
	if p.VEX == "" {
		return nil, nil
	}
	content, err := os.ReadFile(p.VEX)
	if err != nil {
		return nil, err
	}
	t, err := p.target(vexName, content, nil)
	return []role.Target{t}, err
}
