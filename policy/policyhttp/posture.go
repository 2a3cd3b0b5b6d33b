package policyhttp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/policy"
)

// Postures keep what held about all images of a tenant. A store.Policy does, and a Client.
type Postures interface {
	// Posture returns what is kept of an environment, "" for the first that there is
	// something of, since a time, zero for 30 days ago.
	Posture(ctx context.Context, environment string, since time.Time) (*policy.PostureHistory, error)
}

var _ Postures = (*Client)(nil)

// posture says what holds about all images, and what held.
func (h *Handler) posture(c *call) error {
	postures, ok := c.store.(Postures)
	if !ok {
		return fmt.Errorf("what holds about all images is not kept here: %w", fault.Unsupported)
	}
	var since time.Time
	if c.query.Has("since") {
		var err error
		if since, err = time.Parse(time.RFC3339, c.query.Get("since")); err != nil || since.Year() < 1970 {
			return httpjson.BadRequest("query: since %.40q: want a time as RFC 3339 has it, such as 2026-01-31T00:00:00Z", c.query.Get("since"))
		}
	}
	out, err := postures.Posture(c.r.Context(), c.query.Get("environment"), since)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, out)
}

// Posture returns what holds about all images in an environment, and what held since a
// time, zero for 30 days ago. "" is the first environment that something is kept of.
func (c *Client) Posture(ctx context.Context, environment string, since time.Time) (*policy.PostureHistory, error) {
	query := url.Values{}
	if environment != "" {
		query.Set("environment", environment)
	}
	if !since.IsZero() {
		query.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	out := new(policy.PostureHistory)
	err := c.get(ctx, "read what holds about all images", "/posture", query, into(out, func(h *policy.PostureHistory) bool {
		return h.Samples != nil && (environment == "" || h.Environment == environment)
	}))
	if err != nil {
		return nil, err
	}
	return out, nil
}
