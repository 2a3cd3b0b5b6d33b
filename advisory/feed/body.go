package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// body reads an answer to its end, over several connections if need be.
type body struct {
	ctx       context.Context
	query     *query
	rc        io.ReadCloser
	read      int64
	size      int64 // -1 where it is not known
	max       int64
	validator string
	resumes   int
	err       error // the last, which stays
}

// admit refuses answers that cannot be read to a certain end.
func (b *body) admit(resp *http.Response, name string) error {
	if b.size > b.max {
		return &fault.LimitError{What: "bytes of an answer", Where: b.query.place.url.Redacted(), Max: b.max, Seen: b.size}
	}
	if b.size < 0 && resp.ProtoMajor == 1 && len(resp.TransferEncoding) == 0 {
		return fmt.Errorf("the answer has no length, so that a broken one looks like a whole one: %w", fault.Invalid)
	}
	// Some servers call a file that is stored compressed an encoding.
	stored := map[string]string{".gz": "gzip", ".tgz": "gzip", ".xz": "xz", ".bz2": "bzip2", ".zst": "zstd"}[path.Ext(name)]
	switch e := strings.TrimPrefix(strings.ToLower(resp.Header.Get("Content-Encoding")), "x-"); e {
	case "", "identity", stored:
		return nil
	default:
		return fmt.Errorf("the answer is encoded as %.40q, which was not asked for: %w", e, fault.Invalid)
	}
}

// Read reads on. Any error but io.EOF means that the answer is not complete.
func (b *body) Read(p []byte) (int, error) {
	for b.err == nil {
		if len(p) == 0 {
			return 0, nil
		}
		n, err := b.rc.Read(p[:min(int64(len(p)), b.max-b.read+1)])
		b.read += int64(n)
		if b.read > b.max {
			b.err = &fault.LimitError{What: "bytes of an answer", Where: b.query.place.url.Redacted(), Max: b.max}
			return 0, b.err
		}
		switch {
		case err == nil:
		case err == io.EOF && (b.size < 0 || b.read == b.size):
			b.err = io.EOF
		default:
			b.err = b.resume(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// resume opens the rest of the body after a break.
func (b *body) resume(cause error) error {
	b.rc.Close()
	where := b.query.place.url.Redacted()
	switch {
	case b.ctx.Err() != nil:
		return fmt.Errorf("read %s: %w", where, b.ctx.Err())
	case errors.Is(cause, fault.Unavailable): // too slow, which asking again does not change
		return fmt.Errorf("read %s: %w", where, cause)
	case b.validator == "":
		return fmt.Errorf("read %s: the answer broke off after %d bytes, and nothing says how to read on: %w", where, b.read, fault.Unavailable)
	}
	if b.resumes++; b.resumes > MaxResumes {
		return fmt.Errorf("read %s: the answer broke off %d times: %w", where, b.resumes, fault.Unavailable)
	}
	if err := b.query.client.opts.Sleep(b.ctx, b.query.client.opts.Backoff); err != nil {
		return fmt.Errorf("read %s: %w", where, err)
	}
	resp, err := b.query.send(b.ctx, &span{from: b.read, validator: b.validator})
	if err != nil {
		return fmt.Errorf("read %s on from byte %d: %w", where, b.read, err)
	}
	if err := b.follows(resp); err != nil {
		resp.Body.Close()
		return fmt.Errorf("read %s on from byte %d: %w", where, b.read, err)
	}
	b.rc = resp.Body
	return nil
}

// follows makes sure that an answer goes on with the body.
func (b *body) follows(resp *http.Response) error {
	changed := fmt.Errorf("it has changed meanwhile: %w", fault.Unavailable)
	if e := resp.Header.Get("ETag"); e != "" && e != b.validator {
		return changed
	}
	if resp.StatusCode == http.StatusPartialContent {
		from, total, ok := contentRange(resp.Header.Get("Content-Range"))
		switch {
		case !ok || from != b.read:
			return fmt.Errorf("the answer is another part than was asked for: %w", fault.Unavailable)
		case b.size >= 0 && total >= 0 && total != b.size:
			return changed
		}
		return nil
	}
	if resp.Header.Get("ETag") != b.validator || b.size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != b.size {
		return changed
	}
	// The server sends all of it again: what is known is passed over.
	if n, err := io.CopyN(io.Discard, resp.Body, b.read); err != nil {
		return fmt.Errorf("the answer broke off after %d bytes: %w", n, fault.Unavailable)
	}
	return nil
}

// contentRange reads "bytes 5-9/10"; total is -1 for "*".
func contentRange(s string) (from, total int64, ok bool) {
	rest, isBytes := strings.CutPrefix(s, "bytes ")
	part, whole, hasTotal := strings.Cut(rest, "/")
	first, last, isRange := strings.Cut(part, "-")
	if !isBytes || !hasTotal || !isRange {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	total = -1
	if whole != "*" {
		var err3 error
		if total, err3 = strconv.ParseInt(whole, 10, 64); err3 != nil || total <= to {
			return 0, 0, false
		}
		if to != total-1 {
			return 0, 0, false
		}
	}
	return from, total, err == nil && err2 == nil && from <= to
}

// Close ends the reading.
func (b *body) Close() error {
	if b.err == nil {
		b.err = fmt.Errorf("read %s: it is closed: %w", b.query.place.url.Redacted(), fault.Invalid)
	}
	return b.rc.Close()
}
