package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
)

// outgoing is a request that carries something.
type outgoing struct {
	method string
	url    url.URL
	header http.Header
	size   int64
	body   func() (io.ReadCloser, error) // nil for none; called for each time it is sent
	want   []int                         // the answers that are a success
}

// url returns a place of the repository.
func (s *session) url(path string) url.URL {
	u := s.base
	u.Path = "/v2/" + s.ref.Repository + "/" + path
	return u
}

// send sends a request once. The answer's body is read and closed.
func (s *session) send(ctx context.Context, out *outgoing) (*http.Response, error) {
	at := out.url
	at.RawQuery = "" // it can hold the state of an upload, which is the registry's secret
	name := out.method + " " + at.String()
	req, err := http.NewRequestWithContext(ctx, out.method, out.url.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, fault.Invalid)
	}
	for k, v := range out.header {
		req.Header[k] = v
	}
	var broken atomic.Pointer[error]
	if out.body != nil && out.size > 0 {
		req.ContentLength = out.size
		req.GetBody = func() (io.ReadCloser, error) {
			rc, err := out.body()
			if err != nil {
				return nil, err
			}
			return &source{rc, out.size, &broken}, nil
		}
		if req.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	resp, err := s.client.Do(req)
	if cause := broken.Load(); cause != nil {
		if err == nil {
			resp.Body.Close()
		}
		return nil, *cause
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, wireError(err))
	}
	defer resp.Body.Close()
	if !slices.Contains(out.want, resp.StatusCode) {
		return nil, fmt.Errorf("%s: %w", name, statusError(resp))
	}
	io.CopyN(io.Discard, resp.Body, maxSmall) // so that the connection can be used again
	return resp, nil
}

// source is the body of a request. What goes wrong while it is read is kept apart
// from what goes wrong on the wire.
type source struct {
	io.ReadCloser
	left   int64
	broken *atomic.Pointer[error]
}

// Read reads as much as was promised, and no more.
func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	switch {
	case err == nil, err == io.EOF && s.left == 0:
		return n, err
	case err == io.EOF:
		err = &fault.MismatchError{What: "size of what is pushed", Want: fmt.Sprint("another ", s.left, " bytes"), Got: "the end"}
	default:
		err = fmt.Errorf("read what is pushed: %w", err)
	}
	s.broken.CompareAndSwap(nil, &err)
	return n, err
}

// put sends a request until it succeeds, fails for good, or was tried often enough.
func (s *session) put(ctx context.Context, out *outgoing) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		resp, err := s.send(ctx, out)
		if err == nil {
			return resp, nil
		}
		if again, err := s.again(ctx, err, attempt); !again {
			return nil, err
		}
	}
}

// putDocument writes a manifest under a tag or its digest and returns the answer's
// header. What the registry calls its digest has to agree.
func (s *session) putDocument(ctx context.Context, id, mediaType string, b []byte, h http.Header) (http.Header, error) {
	header := http.Header{"Content-Type": {mediaType}}
	for k, v := range h {
		header[k] = v
	}
	what := "manifest " + id
	resp, err := s.put(ctx, &outgoing{
		method: http.MethodPut, url: s.url("manifests/" + id), header: header, size: int64(len(b)),
		body: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		want: []int{http.StatusCreated, http.StatusOK, http.StatusAccepted},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	said := resp.Header.Get("Docker-Content-Digest")
	if got := digestOf(b, said); checkDigest(said) == nil && got != said {
		return nil, &fault.MismatchError{What: what + ": the registry's Docker-Content-Digest", Want: got, Got: said}
	}
	return resp.Header, nil
}

// location is where the registry wants an upload to go on. It has to be the
// registry itself: what is uploaded goes to nobody else.
func (s *session) location(resp *http.Response) (url.URL, error) {
	var none url.URL
	said := resp.Header.Get("Location")
	if said == "" {
		return none, fmt.Errorf("upload to %s: the answer does not say where to: %w", s.ref.Registry, fault.Invalid)
	}
	u, err := resp.Request.URL.Parse(said)
	switch {
	case err != nil:
		return none, fmt.Errorf("upload to %s: the answer's Location is not a URL: %w", s.ref.Registry, fault.Invalid)
	case u.User != nil || netguard.Origin(u) != netguard.Origin(&s.base):
		return none, fmt.Errorf("upload to %s: it sends the content to %s://%s: refused, it goes to the registry only: %w", s.ref.Registry, clip(u.Scheme), clip(u.Host), fault.Forbidden)
	}
	return *u, nil
}

// isStatus reports whether err is one of these answers of a registry.
func isStatus(err error, codes ...int) bool {
	var said *answer
	return errors.As(err, &said) && slices.Contains(codes, said.status)
}
