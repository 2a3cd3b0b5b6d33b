package attesthttp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// The defaults of a Client.
const (
	DefaultTimeout  = 2 * time.Minute
	DefaultAttempts = 4
)

// Client asks the handlers, as the tenant that its token names: Sign asks a
// [SignHandler]; Attest, Attestation, Envelope, Find, Verify and Root an
// [AttestHandler]; Export, Exports, Request, Settings and SetSettings an
// [ExportHandler]. URL is required. A Client is safe for concurrent use and must not be
// copied or changed after its first call.
//
// Where no answer came or the service was unavailable, a call is repeated: doing it over
// gives the same. SetSettings alone is tried once. Only answers of the service itself say that something is not found;
// from any other server, such as a gateway, that is ErrUnavailable.
//
// What comes is compared with what was asked for, and with its digest. That is not who
// signed it: an attest.Verifier says that.
type Client struct {
	// URL is where the service is, such as https://attestor.example. It may have a path,
	// and must not have a query or user information.
	URL string
	// Transport sends requests. Nil: one of the client's own, which checks certificates
	// with the system's roots, and uses no proxy and no cookies. Redirects are never
	// followed.
	Transport http.RoundTripper
	// Token gives what is sent as a bearer token, before each attempt. Nil sends none.
	Token func(context.Context) (string, error)
	// Timeout bounds one attempt, with its answer. A download goes on where it was cut
	// off. Default: DefaultTimeout.
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
			Service: "service of proof", Root: root, URL: c.URL, Transport: c.Transport, Token: c.Token,
			Timeout: cmp.Or(c.Timeout, DefaultTimeout), Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts),
		}
	})
	q.Again = q.Method != http.MethodPut
	return c.caller.Do(ctx, q, read)
}

func (c *Client) get(ctx context.Context, what, path string, query url.Values, read func(*http.Response) error) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Query: query, Want: http.StatusOK}, read)
}

// into reads an answer as JSON. right says whether it is about what was asked for.
func into[T any](v *T, right func(*T) bool) func(*http.Response) error {
	return httpjson.Into(v, MaxAnswer, right)
}

// readTyped reads bytes, and compares them with the digest that the service says.
func readTyped(resp *http.Response, mediaType string, limit int64) ([]byte, error) {
	text, err := httpjson.ReadTyped(resp, mediaType, limit)
	if err != nil {
		return nil, err
	}
	if want, got := resp.Header.Get("ETag"), httpjson.Tag(sum.Of(text)); want != got {
		return nil, &fault.MismatchError{What: "digest of the answer", Want: want, Got: got}
	}
	return text, nil
}

func noScan(id string) error {
	if isScan(id) {
		return nil
	}
	return fmt.Errorf("scan %.80q: %w", id, fault.NotFound)
}

// Sign has a statement signed about what the service keeps. Content travels as it is
// where it is an SBOM, else by its digest. The statement is that of the scan's; which
// keys are to be believed, a verification says. An error wraps ErrForbidden where the
// caller has no grant for it, and ErrMismatch where another document is kept.
func (c *Client) Sign(ctx context.Context, o attest.Order) (*attest.Signed, error) {
	what := fmt.Sprintf("sign %.80q of scan %.80q", o.Predicate, o.ScanID)
	if err := noScan(o.ScanID); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	predicate, err := intoto.PredicateType(o.Predicate)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	digest := o.Digest
	if o.Content != nil {
		if digest = sum.Of(o.Content); o.Digest != "" && o.Digest != digest {
			return nil, fmt.Errorf("%s: %w", what, &fault.MismatchError{What: "digest of the content", Want: o.Digest, Got: digest})
		}
	}
	q := httpjson.Call{What: what, Method: http.MethodPost, Path: "/sign", Want: http.StatusOK, Limit: MaxSBOM, Header: map[string]string{"Accept": TypeEnvelope}}
	kind := intoto.KindOf(predicate)
	switch {
	case o.Content != nil && kind == intoto.SPDX:
		q.Raw, q.Header["Content-Type"] = o.Content, TypeSPDX
	case o.Content != nil && kind == intoto.CycloneDX:
		q.Raw, q.Header["Content-Type"] = o.Content, TypeCycloneDX
	default:
		q.Body = signing{o.ScanID, predicate, digest, o.KeyID}
	}
	if q.Raw != nil {
		if q.Query = (url.Values{"scan_id": {o.ScanID}}); o.KeyID != "" {
			q.Query.Set("key_id", o.KeyID)
		}
	}
	var out *attest.Signed
	err = c.do(ctx, q, func(resp *http.Response) error {
		text, err := readTyped(resp, TypeEnvelope, dsse.MaxEnvelope)
		if err != nil {
			return err
		}
		out, err = readSigned(text, resp.Header, predicate, digest, o.KeyID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// readSigned reads an envelope, and refuses one that was not asked for.
func readSigned(text []byte, header http.Header, predicate, digest, keyID string) (*attest.Signed, error) {
	wrong := func(what, want, got string) error { return &fault.MismatchError{What: what, Want: want, Got: got} }
	e, err := dsse.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("the server's answer: %v: %w", err, fault.Mismatch)
	}
	s, err := intoto.Decode(e.PayloadType, e.Payload)
	if err != nil {
		return nil, fmt.Errorf("the server's answer: %v: %w", err, fault.Mismatch)
	}
	document := header.Get(DocumentHeader)
	switch {
	case !intoto.SamePredicate(predicate, s.PredicateType):
		return nil, wrong("predicate type", predicate, s.PredicateType)
	case digest != "" && document != digest:
		return nil, wrong("digest of the document", digest, document)
	case len(e.Signatures) != 1:
		return nil, wrong("signatures", "1", fmt.Sprint(len(e.Signatures)))
	case keyID != "" && e.Signatures[0].KeyID != keyID:
		return nil, wrong("key", keyID, e.Signatures[0].KeyID)
	}
	return &attest.Signed{
		Envelope: e, Encoded: text, Payload: sum.Of(e.Payload), KeyID: e.Signatures[0].KeyID,
		Fact: &attest.Fact{Subjects: s.Subjects, PredicateType: s.PredicateType, Predicate: s.Predicate, Digest: document},
	}, nil
}
