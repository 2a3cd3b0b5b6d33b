package advisoryhttp

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// Head returns a head by its number, and the newest for 0, without its manifest.
// An error wraps ErrNotFound.
func (c *Client) Head(ctx context.Context, number int64) (*advisory.Head, error) {
	name := "current"
	if number != 0 {
		name = strconv.FormatInt(number, 10)
	}
	head := new(advisory.Head)
	err := c.get(ctx, "read head "+name, "/heads/"+name, nil, into(head, func(h *advisory.Head) bool {
		return sum.Is(h.Digest) && h.Number > 0 && (number == 0 || h.Number == number)
	}))
	if err != nil {
		return nil, err
	}
	return head, nil
}

// Facts yields what differs between a head and the one before, page by page.
func (c *Client) Facts(ctx context.Context, head int64) iter.Seq2[advisory.Fact, error] {
	return func(yield func(advisory.Fact, error) bool) {
		for from, query := 0, (url.Values{}); ; {
			page, path := new(FactPage), "/heads/"+strconv.FormatInt(head, 10)+"/facts"
			err := c.get(ctx, fmt.Sprintf("read what changed with head %d", head), path, query, into(page, func(p *FactPage) bool {
				return p.Head == head && (p.Next == 0 || p.Next > from)
			}))
			if err != nil {
				yield(advisory.Fact{}, err)
				return
			}
			for _, f := range page.Facts {
				if !yield(f, nil) {
					return
				}
			}
			if page.Next == 0 {
				return
			}
			from = page.Next
			query.Set("after", strconv.Itoa(from))
		}
	}
}

// Sources returns how every source stands.
func (c *Client) Sources(ctx context.Context) ([]advisory.SourceState, error) {
	var out sourceList
	err := c.get(ctx, "read the sources of advisories", "/sources", nil, into(&out, func(l *sourceList) bool { return l.Sources != nil }))
	return out.Sources, err
}

// Approve releases a run that is held, in the name of the token's subject. It is
// tried once: after ErrUnavailable, Sources says whether the run is still held.
// An error wraps ErrConflict where it is not.
func (c *Client) Approve(ctx context.Context, source string, run int64) error {
	name, err := segment("source", source)
	if err != nil {
		return err
	}
	return c.do(ctx, httpjson.Call{What: "approve a run of " + source, Method: http.MethodPost, Path: "/sources/" + name + "/approve", Body: Approval{run}, Want: http.StatusNoContent}, nil)
}

// Sync asks for a source to be read soon. An error wraps ErrUnsupported where the
// service reads no sources.
func (c *Client) Sync(ctx context.Context, source string) error {
	name, err := segment("source", source)
	if err != nil {
		return err
	}
	return c.do(ctx, httpjson.Call{What: "have " + source + " read", Method: http.MethodPost, Path: "/sources/" + name + "/sync", Want: http.StatusAccepted, Again: true}, nil)
}

// Advisory returns what is known under an id now. An error wraps ErrNotFound
// where nothing is.
func (c *Client) Advisory(ctx context.Context, id string) (*Answer, error) {
	name, err := segment("advisory", id)
	if err != nil {
		return nil, err
	}
	out := new(Answer)
	if err := c.get(ctx, "read advisory "+id, "/"+name, nil, into(out, (*Answer).right)); err != nil {
		return nil, err
	}
	return out, nil
}

// right reports whether it can be the answer of a service.
func (a *Answer) right() bool {
	for _, k := range a.Records {
		if k.Record == nil {
			return false
		}
	}
	return sum.Is(a.Snapshot) && a.Records != nil
}

// Package returns what is known about a package of an ecosystem now: all pages as
// one answer, of one snapshot. None is no error.
func (c *Client) Package(ctx context.Context, ecosystem, name string) (*Answer, error) {
	all := &Answer{Records: []Known{}}
	for from, query := 0, (url.Values{"ecosystem": {ecosystem}, "name": {name}}); ; {
		page := new(Answer)
		err := c.get(ctx, "read advisories about "+ecosystem+" "+name, "", query, into(page, func(a *Answer) bool { return a.right() && (a.Next == 0 || a.Next > from) }))
		if err != nil {
			return nil, err
		}
		all.Snapshot = page.Snapshot
		all.Records = append(all.Records, page.Records...)
		if page.Next == 0 {
			return all, nil
		}
		from = page.Next
		query.Set("snapshot", page.Snapshot)
		query.Set("after", strconv.Itoa(from))
	}
}

// Linkset returns what is said about a vulnerability, by its key: a CVE id, or
// the smallest id of records without one. An error wraps ErrNotFound.
func (c *Client) Linkset(ctx context.Context, key string) (*advisory.Linkset, error) {
	name, err := segment("linkset", key)
	if err != nil {
		return nil, err
	}
	l := new(advisory.Linkset)
	if err := c.get(ctx, "read linkset "+key, "/linksets/"+name, nil, into(l, func(l *advisory.Linkset) bool { return l.Key == key })); err != nil {
		return nil, err
	}
	return l, nil
}

// Match matches an SBOM, in any format that the service reads. It is tried again
// like a call that reads: matching changes nothing.
func (c *Client) Match(ctx context.Context, sbom []byte, opts *Options) (*finding.Report, error) {
	out := new(finding.Report)
	q := httpjson.Call{What: "match an SBOM", Method: http.MethodPost, Path: "/match", Query: opts.query(), Raw: sbom, Limit: MaxDocument,
		Header: map[string]string{"Content-Type": "application/octet-stream"}, Want: http.StatusOK, Again: true}
	if err := c.do(ctx, q, into(out, func(r *finding.Report) bool { return sum.Is(r.Snapshot) && r.Findings != nil })); err != nil {
		return nil, err
	}
	return out, nil
}

// Explain says whether a vulnerability affects the package that a package URL
// names, and why. An error wraps ErrInvalid where the URL is none.
func (c *Client) Explain(ctx context.Context, q Question, opts *Options) (*finding.Explanation, error) {
	out := new(finding.Explanation)
	if err := c.post(ctx, "explain "+q.Vulnerability, "/explain", opts.query(), q, into(out, func(x *finding.Explanation) bool {
		return x.Asked == q.Vulnerability && x.Conclusion != ""
	})); err != nil {
		return nil, err
	}
	return out, nil
}

func (o *Options) query() url.Values {
	q := url.Values{}
	if o == nil {
		return q
	}
	if o.Snapshot != "" {
		q.Set("snapshot", o.Snapshot)
	}
	if o.MatchOwned {
		q.Set("match_owned", "true")
	}
	if o.CPE {
		q.Set("cpe", "true")
	}
	return q
}

// Raw returns a document as its publisher wrote it, by the SHA-256 of its bytes,
// which are checked.
func (c *Client) Raw(ctx context.Context, digest string) ([]byte, error) {
	text, err := c.bytes(ctx, "read document "+digest, "/documents/", digest, "application/octet-stream", MaxObject)
	if err != nil {
		return nil, err
	}
	if got := sum.Of(text); got != digest {
		return nil, &fault.MismatchError{What: "document", Want: digest, Got: got}
	}
	return text, nil
}

// Manifest returns the manifest of a snapshot; see snapshot.Cache, which checks
// it.
func (c *Client) Manifest(ctx context.Context, digest string) ([]byte, error) {
	return c.bytes(ctx, "read the manifest of snapshot "+digest, "/snapshots/", digest, "application/json", MaxAnswer)
}

// Object returns a segment or overlay of a snapshot; see snapshot.Cache, which
// checks it.
func (c *Client) Object(ctx context.Context, digest string) ([]byte, error) {
	return c.bytes(ctx, "read object "+digest, "/objects/", digest, "application/octet-stream", MaxObject)
}
