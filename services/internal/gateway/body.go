package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/envelope"
)

// payload is the body of a request on its way to a backend.
type payload struct {
	digest [32]byte
	whole  []byte    // where it is read
	stream *streamed // where it is passed on as it comes; nil otherwise
	held   int64     // of the gateway's memory
}

func (p *payload) length() int64 {
	if p.stream != nil {
		return p.stream.length
	}
	return int64(len(p.whole))
}

// body reads a body of up to envelope.MaxWhole bytes, and of a longer one the digest that
// its sender gives.
func (x *exchange) body() (*payload, *refusal) {
	r, most := x.r, x.route.limits.Body
	declared, f := contentDigest(r.Header)
	if f != nil {
		return nil, f
	}
	if r.ContentLength > most {
		return nil, x.tooLong(r.ContentLength)
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return x.finish(&payload{digest: sha256.Sum256(nil)}, declared)
	}
	x.control.SetReadDeadline(time.Now().Add(x.route.limits.Time))
	x.hasBody = true
	if r.ContentLength > envelope.MaxWhole {
		if declared == nil {
			return nil, refuse(http.StatusBadRequest, ReasonBody, "a body of %d bytes: want its sha-256 in Content-Digest, for it is over %d bytes: %w", r.ContentLength, envelope.MaxWhole, fault.Invalid)
		}
		return &payload{digest: *declared, stream: x.stream(nil, r.ContentLength, *declared)}, nil
	}
	p := &payload{}
	limit := min(most, envelope.MaxWhole)
	more, f := x.read(p, limit)
	if f != nil {
		x.release(p)
		return nil, f
	}
	if !more {
		x.control.SetReadDeadline(time.Time{})
		p.digest = sha256.Sum256(p.whole)
		return x.finish(p, declared)
	}
	start := p.whole
	x.release(p)
	switch {
	case most <= envelope.MaxWhole:
		return nil, x.tooLong(0)
	case declared == nil:
		return nil, refuse(http.StatusLengthRequired, ReasonBody, "a body over %d bytes without Content-Length: want its sha-256 in Content-Digest: %w", envelope.MaxWhole, fault.Invalid)
	}
	return &payload{digest: *declared, stream: x.stream(start, -1, *declared)}, nil
}

func (x *exchange) tooLong(seen int64) *refusal {
	f := refuse(http.StatusRequestEntityTooLarge, ReasonBody, "%w", &fault.LimitError{What: "bytes of a body", Where: x.route.Method + " " + x.route.Pattern, Max: x.route.limits.Body, Seen: seen})
	f.close = true
	return f
}

func (x *exchange) finish(p *payload, declared *[32]byte) (*payload, *refusal) {
	if declared != nil && *declared != p.digest {
		x.release(p)
		return nil, refuse(http.StatusBadRequest, ReasonBody, "%w", mismatch(*declared, p.digest))
	}
	return p, nil
}

func mismatch(want, got [32]byte) error {
	encode := base64.StdEncoding.EncodeToString
	return &fault.MismatchError{What: "Content-Digest", Want: encode(want[:]), Got: encode(got[:])}
}

// read reads into p.whole while there is room, and reports whether there is more than
// limit. Memory is taken as bytes arrive: a length that is only announced costs nothing.
func (x *exchange) read(p *payload, limit int64) (more bool, f *refusal) {
	size := int64(4 << 10)
	if n := x.r.ContentLength; n > 0 {
		size = min(size, n)
	}
	for {
		if f := x.hold(p, size-int64(cap(p.whole))); f != nil {
			return false, f
		}
		grown := make([]byte, len(p.whole), size)
		copy(grown, p.whole)
		p.whole = grown
		for len(p.whole) < cap(p.whole) {
			n, err := x.r.Body.Read(p.whole[len(p.whole):cap(p.whole)])
			p.whole = p.whole[:len(p.whole)+n]
			if err == io.EOF {
				return int64(len(p.whole)) > limit, nil
			}
			if err != nil {
				return false, x.broken(err)
			}
		}
		if int64(len(p.whole)) > limit {
			return true, nil
		}
		if int64(len(p.whole)) == x.r.ContentLength {
			return false, nil
		}
		size = min(4*size, limit+1)
		if n := x.r.ContentLength; n > 0 {
			size = min(size, n)
		}
	}
}

// hold takes n bytes of what the gateway may hold of bodies.
func (x *exchange) hold(p *payload, n int64) *refusal {
	if n <= 0 {
		return nil
	}
	if x.g.held.Add(n) > x.g.c.Memory {
		x.g.held.Add(-n)
		f := refuse(http.StatusServiceUnavailable, ReasonConcurrency, "the gateway holds as many bodies as it may: %w", fault.Unavailable).later(time.Second)
		f.close = true
		return f
	}
	p.held += n
	return nil
}

func (x *exchange) release(p *payload) {
	if p != nil && p.held > 0 {
		x.g.held.Add(-p.held)
		p.held = 0
	}
}

// broken says why a body could not be read.
func (x *exchange) broken(err error) *refusal {
	f := refuse(http.StatusBadRequest, ReasonBody, "body: it ended early or could not be read: %w", fault.Invalid)
	switch {
	case errors.Is(err, errFraming):
		f = refuse(http.StatusBadRequest, ReasonFraming, "body: chunks are not framed strictly, or have extensions or trailers: %w", fault.Invalid)
	case errors.Is(err, os.ErrDeadlineExceeded):
		f = refuse(http.StatusRequestTimeout, ReasonTime, "body: it took longer than %v: %w", x.route.limits.Time, fault.Limit)
	}
	f.close = true
	return f.because(err)
}

// contentDigest reads the sha-256 of a Content-Digest (RFC 9530), nil where there is none.
func contentDigest(h http.Header) (*[32]byte, *refusal) {
	values := h["Content-Digest"]
	if len(values) == 0 {
		return nil, nil
	}
	const begin = "sha-256=:"
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		encoded, ok := strings.CutPrefix(strings.Trim(part, " \t"), begin)
		if !ok {
			continue
		}
		text, ok := strings.CutSuffix(encoded, ":")
		sum, err := base64.StdEncoding.Strict().DecodeString(text)
		if !ok || err != nil || len(sum) != 32 || len(values) > 1 || strings.Count(values[0], begin) > 1 {
			break
		}
		return (*[32]byte)(sum), nil
	}
	return nil, refuse(http.StatusBadRequest, ReasonBody, "Content-Digest: want one sha-256=:BASE64: %w", fault.Invalid)
}

// streamed is a body that is checked while it passes: its reader fails where it should end
// when it is another one than was said, or a longer one than may be.
type streamed struct {
	in     io.Reader
	length int64 // -1: unknown
	want   [32]byte
	hash   hash.Hash
	left   int64
	failed atomic.Pointer[refusal]
	sent   chan struct{} // closed when nobody reads it any more; nil before anybody does
	x      *exchange
}

func (x *exchange) stream(start []byte, length int64, want [32]byte) *streamed {
	return &streamed{in: io.MultiReader(bytes.NewReader(start), x.r.Body), length: length, want: want, hash: sha256.New(), left: x.route.limits.Body, x: x}
}

// Read returns io.EOF only at the end of the right body.
func (s *streamed) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.hash.Write(p[:n])
	var f *refusal
	if s.left -= int64(n); s.left < 0 {
		f = s.x.tooLong(0)
	} else if err == io.EOF {
		if got := [32]byte(s.hash.Sum(nil)); got != s.want {
			f = refuse(http.StatusBadRequest, ReasonBody, "%w", mismatch(s.want, got))
		}
	} else if err != nil {
		f = s.x.broken(err)
	}
	if f != nil {
		s.failed.Store(f)
		return 0, f.err
	}
	return n, err
}
