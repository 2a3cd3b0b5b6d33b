package vexhttp

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/vex"
)

// The defaults of a Client.
const (
	DefaultTimeout  = 2 * time.Minute
	DefaultAttempts = 4
)

// Client asks a [Handler]. URL is required. A Client is safe for concurrent use and
// must not be copied or changed after its first call.
//
// Where no answer came or the service was unavailable, a call is repeated: the same
// document or trust again changes nothing.
//
// Only answers of the service itself say that something is not found; from any other
// server, such as a gateway, that is ErrUnavailable.
type Client struct {
	// URL is where the service is, such as https://excititor.example. It may have a
	// path, and must not have a query or user information.
	URL string
	// Scope is whose VEX is asked for; the zero value is Own.
	Scope Scope
	// Transport sends requests. Nil: one of the client's own, which checks
	// certificates with the system's roots, and uses no proxy and no cookies.
	// Redirects are never followed.
	Transport http.RoundTripper
	// Token gives what is sent as a bearer token, before each attempt. Nil sends
	// none.
	Token func(context.Context) (string, error)
	// Timeout bounds one attempt, with its answer. Default: DefaultTimeout.
	Timeout time.Duration
	// Attempts bounds how often a call is tried. Default: DefaultAttempts.
	Attempts int

	once   sync.Once
	caller *httpjson.Caller
}

// do sends a request until it has an answer, and hands that to read.
func (c *Client) do(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(func() {
		c.caller = &httpjson.Caller{
			Service: "VEX", Root: root, URL: c.URL, Transport: c.Transport, Token: c.Token,
			Timeout: cmp.Or(c.Timeout, DefaultTimeout), Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts),
		}
	})
	if q.Query == nil {
		q.Query = url.Values{}
	}
	if c.Scope != "" {
		q.Query.Set("scope", string(c.Scope))
	}
	q.Again = true
	return c.caller.Do(ctx, q, read)
}

func (c *Client) get(ctx context.Context, what, path string, query url.Values, read func(*http.Response) error) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Query: query, Want: http.StatusOK}, read)
}

// into reads an answer as JSON. right says whether it is about what was asked for.
func into[T any](v *T, right func(*T) bool) func(*http.Response) error {
	return httpjson.Into(v, MaxAnswer, right)
}

// prepared prepares the statements of an answer, and reports whether they are sorted
// and what their IDs say.
func prepared(list []Item) bool {
	for i := range list {
		s := list[i].Statement
		if s == nil || s.Prepare() != nil || s.ID != list[i].ID || i > 0 && list[i-1].ID >= s.ID {
			return false
		}
	}
	return true
}

// Upload uploads a document under a name, "" for that of its digest; a newer one of
// the name supersedes it. What it says is released when it returns, and decided about
// with the next head. An error that wraps ErrInvalid says that the document is kept
// and cannot be used.
func (c *Client) Upload(ctx context.Context, name string, content []byte) (*Uploaded, error) {
	query := url.Values{}
	if name != "" {
		query.Set("name", name)
	}
	out, digest := new(Uploaded), sum.Of(content)
	q := httpjson.Call{What: "upload document " + name, Method: http.MethodPost, Path: "/documents", Query: query, Raw: content, Limit: MaxDocument,
		Header: map[string]string{"Content-Type": "application/octet-stream"}, Want: http.StatusCreated}
	err := c.do(ctx, q, into(out, func(u *Uploaded) bool { return u.Reading.Digest == digest && prepared(u.Statements) }))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Raw returns the bytes of a document by the digest of its content, which they are
// held against, or by that of what is in its envelope, which they are not. An error
// wraps ErrNotFound.
func (c *Client) Raw(ctx context.Context, digest string) ([]byte, error) {
	if !sum.Is(digest) {
		return nil, notThere("document", digest)
	}
	var out []byte
	err := c.get(ctx, "read document "+digest, "/documents/"+digest, nil, func(resp *http.Response) (err error) {
		out, err = httpjson.ReadTyped(resp, "application/octet-stream", MaxDocument)
		return err
	})
	return out, err
}

// Statements returns what is said about a vulnerability, and of a product where that
// is not "", as of the newest head: all pages, sorted by ID.
func (c *Client) Statements(ctx context.Context, vulnerability, product string) ([]*vex.Statement, error) {
	var out []*vex.Statement
	for query, after := about(vulnerability, product), ""; ; {
		page := new(StatementPage)
		err := c.get(ctx, "read statements about "+vulnerability, "/statements", query, into(page, func(p *StatementPage) bool {
			return p.Statements != nil && prepared(p.Statements) && (len(p.Statements) == 0 || p.Statements[0].ID > after) && (p.Next == "" || p.Next > after)
		}))
		if err != nil {
			return nil, err
		}
		for _, i := range page.Statements {
			out = append(out, i.Statement)
		}
		if page.Next == "" {
			return out, nil
		}
		after = page.Next
		query.Set("after", after)
	}
}

// Consensus returns what is decided about a vulnerability, and about a product where
// that is not "", as of the newest head: all pages, sorted by product.
func (c *Client) Consensus(ctx context.Context, vulnerability, product string) ([]vex.Decision, error) {
	var out []vex.Decision
	for query, after := about(vulnerability, product), 0; ; {
		page := new(DecisionPage)
		err := c.get(ctx, "read what is decided about "+vulnerability, "/consensus", query, into(page, func(p *DecisionPage) bool {
			return p.Decisions != nil && (p.Next == 0 || p.Next > after)
		}))
		if err != nil {
			return nil, err
		}
		out = append(out, page.Decisions...)
		if page.Next == 0 {
			return out, nil
		}
		after = page.Next
		query.Set("after", strconv.Itoa(after))
	}
}

func about(vulnerability, product string) url.Values {
	q := url.Values{"vulnerability": {vulnerability}}
	if product != "" {
		q.Set("product", product)
	}
	return q
}

// Head returns a head by its number, and the newest for 0. An error wraps
// ErrNotFound.
func (c *Client) Head(ctx context.Context, number int64) (*vex.Head, error) {
	name := "current"
	if number != 0 {
		name = strconv.FormatInt(number, 10)
	}
	head := new(vex.Head)
	err := c.get(ctx, "read VEX head "+name, "/heads/"+name, nil, into(head, func(h *vex.Head) bool {
		return sum.Is(h.Digest) && h.Number > 0 && (number == 0 || h.Number == number)
	}))
	if err != nil {
		return nil, err
	}
	return head, nil
}

// Sources returns how every source stands.
func (c *Client) Sources(ctx context.Context) ([]vex.SourceState, error) {
	var out sourceList
	err := c.get(ctx, "read the sources of VEX", "/sources", nil, into(&out, func(l *sourceList) bool { return l.Sources != nil }))
	return out.Sources, err
}

// Trust returns the trust in force.
func (c *Client) Trust(ctx context.Context) (*vex.Trust, error) {
	out := new(InForce)
	err := c.get(ctx, "read the trust", "/trust", nil, into(out, (*InForce).right))
	return out.Trust, err
}

// SetTrust puts a trust in force, in the name of the token's subject.
func (c *Client) SetTrust(ctx context.Context, t *vex.Trust) error {
	if t.Issuers == nil {
		t = &vex.Trust{Issuers: []vex.Issuer{}}
	}
	q := httpjson.Call{What: "put a trust in force", Method: http.MethodPut, Path: "/trust", Body: t, Limit: MaxTrust, Want: http.StatusOK}
	return c.do(ctx, q, into(new(InForce), func(f *InForce) bool { return f.right() && f.Digest == t.Digest() }))
}

func (f *InForce) right() bool { return f.Trust != nil && f.Trust.Digest() == f.Digest }

// Snapshot writes the file of a set of statements to w, once an answer is there:
// what is written when an error comes is no file. Who opens it should
// snapshot.Verify it.
func (c *Client) Snapshot(ctx context.Context, digest string, w io.Writer) error {
	if !sum.Is(digest) {
		return notThere("snapshot", digest)
	}
	begun := false
	return c.get(ctx, "read snapshot "+digest, "/snapshots/"+digest, nil, func(resp *http.Response) error {
		if begun { // what is written cannot be taken back
			return fmt.Errorf("read snapshot %s: it ended early: %w", digest, fault.Conflict)
		}
		begun = true
		n, err := io.Copy(w, io.LimitReader(resp.Body, MaxFile))
		if err != nil || n != resp.ContentLength {
			return fmt.Errorf("read snapshot %s: %d bytes of %d, %v: %w", digest, n, resp.ContentLength, err, fault.Conflict)
		}
		return nil
	})
}

// View is a set of statements that a service has: a [vex.View] whose every answer is
// asked for there, and believed: each statement is verified by its ID, and that none
// is missing is not. Where that must be checked, or the answers are many, a snapshot
// that was fetched and verified is the better view.
type View struct {
	client *Client
	digest string
}

var _ vex.View = (*View)(nil)

// View returns the view of a set, or of the newest head's for "".
func (c *Client) View(ctx context.Context, digest string) (*View, error) {
	if digest == "" {
		head, err := c.Head(ctx, 0)
		if err != nil {
			return nil, err
		}
		digest = head.Digest
	}
	v := &View{c, digest}
	if !sum.Is(digest) {
		return nil, notThere("snapshot", digest)
	}
	_, err := v.ask(ctx, []string{}) // whether it is there
	return v, err
}

// Digest implements [vex.View].
func (v *View) Digest() string { return v.digest }

// Statements implements [vex.View].
func (v *View) Statements(ctx context.Context, ids []string) ([]*vex.Statement, error) {
	var out []*vex.Statement
	for some := range slices.Chunk(ids, MaxNames) {
		list, err := v.ask(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			out = append(out, i.Statement)
		}
	}
	slices.SortFunc(out, func(a, b *vex.Statement) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b *vex.Statement) bool { return a.ID == b.ID }), nil
}

func (v *View) ask(ctx context.Context, ids []string) ([]Item, error) {
	out := new(found)
	q := httpjson.Call{What: "query snapshot " + v.digest, Method: http.MethodPost, Path: "/snapshots/" + v.digest + "/query", Body: question{ids}, Limit: MaxBody, Want: http.StatusOK}
	err := v.client.do(ctx, q, into(out, func(f *found) bool { return f.Statements != nil && prepared(f.Statements) }))
	return out.Statements, err
}
