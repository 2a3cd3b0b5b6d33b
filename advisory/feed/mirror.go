package feed

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Mirror is a place that has copies of what publishers publish: the address
// Prefix + rest is at Base + rest.
type Mirror struct {
	// Prefix is the start of the addresses that the mirror has, such as
	// "https://vuln.go.dev/"; "" for all, which are then at
	// Base/<host>/<path>, the layout of [Dir].
	Prefix string
	// Base is an http or https address.
	Base string
}

type mirror struct {
	prefix string
	base   *url.URL
}

func (m Mirror) compile() (mirror, error) {
	base, err := parseURL(m.Base)
	if err != nil {
		return mirror{}, fmt.Errorf("mirror %s: %w", shown(m.Base), err)
	}
	if base.RawQuery != "" {
		return mirror{}, fmt.Errorf("mirror %s: its address has a query: %w", shown(m.Base), fault.Invalid)
	}
	if m.Prefix != "" {
		if _, err := parseURL(m.Prefix); err != nil {
			return mirror{}, fmt.Errorf("mirror of %s: %w", shown(m.Prefix), err)
		}
	}
	return mirror{prefix: m.Prefix, base: base}, nil
}

// at returns where the mirror has an address. A prefix ends where a part of the
// address does: that of a.example is none of a.example.org.
func (m mirror) at(address string) (*url.URL, bool) {
	base := strings.TrimSuffix(m.base.String(), "/")
	var target string
	if m.prefix == "" {
		p, err := Path(address)
		if err != nil {
			return nil, false
		}
		parts := strings.Split(p, "/")
		for i, part := range parts {
			parts[i] = url.PathEscape(part)
		}
		target = base + "/" + strings.Join(parts, "/")
	} else {
		rest, ok := strings.CutPrefix(address, m.prefix)
		if !ok {
			return nil, false
		}
		if !strings.HasSuffix(m.prefix, "/") && rest != "" && rest[0] != '/' && rest[0] != '?' {
			return nil, false
		}
		if rest == "" || rest[0] == '?' && !strings.HasSuffix(m.prefix, "/") {
			target = base + rest
		} else {
			target = base + "/" + strings.TrimPrefix(rest, "/")
		}
	}
	u, err := url.Parse(target)
	return u, err == nil
}

// place is where one address can be read.
type place struct {
	url  *url.URL
	name string // of the mirror; "" for the publisher
}

// places lists where an address can be read, in order.
func (c *Client) places(address string) (out []place) {
	for _, m := range c.mirrors {
		if u, ok := m.at(address); ok {
			out = append(out, place{url: u, name: m.base.String()})
		}
	}
	if !c.opts.MirrorsOnly {
		if u, err := url.Parse(address); err == nil {
			out = append(out, place{url: u})
		}
	}
	return out
}

// tag marks a validator with the mirror that it is of: what one place calls
// current says nothing about another place's.
func (p place) tag(etag string) string {
	if p.name == "" {
		return etag
	}
	return p.name + " " + etag
}

// untag returns the validators to send to the place: none if those that are
// known are another place's.
func (p place) untag(etag, modified string) (string, string) {
	if p.name == "" {
		if etag == "" || strings.HasPrefix(etag, `"`) || strings.HasPrefix(etag, `W/"`) {
			return etag, modified
		}
		return "", ""
	}
	if own, ok := strings.CutPrefix(etag, p.name+" "); ok {
		return own, modified
	}
	return "", ""
}

// restTime is for how long a mirror that cannot be reached is passed over.
const restTime = time.Minute

// rest notes that a mirror cannot be reached; an answer, whatever it says, is
// reaching it.
func (c *Client) rest(p place, err error) {
	var a *answer
	if p.name == "" || !errors.Is(err, fault.Unavailable) || errors.As(err, &a) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next["mirror "+p.name] = c.opts.Now().Add(restTime)
}

// rests reports whether a mirror is passed over.
func (c *Client) rests(p place) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.name != "" && c.opts.Now().Before(c.next["mirror "+p.name])
}
