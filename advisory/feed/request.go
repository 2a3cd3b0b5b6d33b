package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// open asks one place, as often as attempts says.
func (c *Client) open(ctx context.Context, p place, r advisory.Request, attempts int) (*advisory.Response, error) {
	etag, modified := p.untag(r.ETag, r.Modified)
	q := &query{client: c, place: p, etag: etag, modified: modified, accept: r.Accept, attempts: attempts}
	resp, err := q.send(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := &advisory.Response{
		Size: resp.ContentLength, Modified: resp.Header.Get("Last-Modified"), URL: p.url.Redacted(),
		ETag: p.tag(resp.Header.Get("ETag")),
	}
	if resp.StatusCode == http.StatusNotModified {
		resp.Body.Close()
		out.NotModified, out.Size = true, -1
		if resp.Header.Get("ETag") == "" {
			out.ETag = r.ETag
		}
		if out.Modified == "" {
			out.Modified = r.Modified
		}
		return out, nil
	}
	b := &body{ctx: ctx, query: q, rc: resp.Body, size: resp.ContentLength, max: r.Max, validator: validator(resp.Header)}
	if err := b.admit(resp, p.url.Path); err != nil {
		resp.Body.Close()
		return nil, err
	}
	out.Body = b
	return out, nil
}

// query is one question, which may be sent several times.
type query struct {
	client         *Client
	place          place
	etag, modified string
	accept         string
	attempts       int
}

// span asks for the rest of a body: from is the first byte that is missing,
// validator what it must still be.
type span struct {
	from      int64
	validator string
}

// send sends the question until there is an answer or no use in asking.
func (q *query) send(ctx context.Context, rest *span) (*http.Response, error) {
	for n := 1; ; n++ {
		resp, err := q.once(ctx, rest)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !errors.Is(err, fault.Unavailable) || n >= q.attempts {
			return nil, err
		}
		wait := q.client.opts.Backoff << min(n-1, 16)
		var a *answer
		if errors.As(err, &a) && a.wait > 0 {
			wait = max(a.wait, wait)
		}
		if wait > q.client.opts.MaxWait {
			if a == nil || a.wait <= q.client.opts.MaxWait {
				wait = q.client.opts.MaxWait
			} else {
				return nil, fmt.Errorf("it asks to wait for %s, longer than %s: %w", a.wait, q.client.opts.MaxWait, err)
			}
		}
		if err := q.client.opts.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// once sends the question. The answer is of status 200, 206 to a span, or 304
// to a condition.
func (q *query) once(ctx context.Context, rest *span) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.place.url.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	req.Header.Set("User-Agent", q.client.opts.UserAgent)
	req.Header.Set("Accept-Encoding", "identity")
	if q.accept != "" {
		req.Header.Set("Accept", q.accept)
	}
	switch {
	case rest != nil:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", rest.from))
		req.Header.Set("If-Range", rest.validator)
	default:
		if q.etag != "" {
			req.Header.Set("If-None-Match", q.etag)
		}
		if q.modified != "" {
			req.Header.Set("If-Modified-Since", q.modified)
		}
	}
	resp, err := q.client.http.Do(req)
	if err != nil {
		return nil, wireError(err)
	}
	conditional := req.Header.Get("If-None-Match")+req.Header.Get("If-Modified-Since") != ""
	switch s := resp.StatusCode; {
	case s == http.StatusOK, s == http.StatusPartialContent && rest != nil, s == http.StatusNotModified && conditional:
		return resp, nil
	}
	resp.Body.Close()
	busy := q.client.host(q.place.url.Hostname()).Busy
	return nil, &answer{status: resp.StatusCode, wait: q.client.retryAfter(resp.Header), busy: slices.Contains(busy, resp.StatusCode)}
}

// retryAfter reads how long to wait (RFC 9110, 10.2.3); 0 where nothing is said.
func (c *Client) retryAfter(h http.Header) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, at.Sub(c.opts.Now()))
	}
	return 0
}

// validator returns what proves that a body is still the same: a strong ETag,
// or nothing. A date has a resolution of a second, which is too little for
// files that are written anew.
func validator(h http.Header) string {
	if e := h.Get("ETag"); strings.HasPrefix(e, `"`) {
		return e
	}
	return ""
}
