package image

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// stream is a layer on its way from a registry. When the connection breaks it
// goes on from where it was, as often as a request may be tried.
type stream struct {
	ctx     context.Context
	session *session
	desc    descriptor
	body    io.ReadCloser
	off     int64 // bytes handed out
	broken  int   // connections that broke
}

func (st *stream) what() string { return "layer " + st.desc.Digest }

// connect asks for the bytes from st.off on.
func (st *stream) connect() error {
	var h http.Header
	if st.off > 0 {
		h = http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", st.off, st.desc.Size-1)}}
	}
	resp, err := st.session.get(st.ctx, http.MethodGet, "blobs/"+st.desc.Digest, h)
	if err != nil {
		return fmt.Errorf("%s: %w", st.what(), err)
	}
	if err := st.accept(resp); err != nil {
		resp.Body.Close()
		return err
	}
	st.body = resp.Body
	return nil
}

// accept checks that an answer is the part that was asked for.
func (st *stream) accept(resp *http.Response) error {
	if resp.StatusCode == http.StatusPartialContent {
		from, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if st.off == 0 || !ok || from != st.off || total >= 0 && total != st.desc.Size {
			return fmt.Errorf("%s: the registry answered a request from byte %d with another part: %w", st.what(), st.off, fault.Invalid)
		}
		return st.length(resp.ContentLength, st.desc.Size-st.off)
	}
	if err := st.length(resp.ContentLength, st.desc.Size); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, resp.Body, st.off); err != nil {
		return fmt.Errorf("%s: %w", st.what(), wireError(err))
	}
	return nil
}

func (st *stream) length(got, want int64) error {
	if got >= 0 && got != want {
		return &fault.MismatchError{What: "size of " + st.what(), Want: fmt.Sprint(want, " bytes"), Got: fmt.Sprint(got, " bytes")}
	}
	return nil
}

// contentRange reads "bytes from-to/total"; a total of -1 is not said.
func contentRange(s string) (from, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, all, ok2 := strings.Cut(s, "/")
	first, _, ok3 := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	total = -1
	if all != "*" && err == nil {
		total, err = strconv.ParseInt(all, 10, 64)
	}
	return from, total, ok && ok2 && ok3 && err == nil
}

// Read hands out at most as many bytes as the descriptor says. An end that comes
// early or late is an error.
func (st *stream) Read(p []byte) (int, error) {
	for {
		left := st.desc.Size - st.off
		if int64(len(p)) > left+1 {
			p = p[:left+1]
		}
		n, err := st.body.Read(p)
		if int64(n) > left {
			return 0, &fault.MismatchError{What: "size of " + st.what(), Want: fmt.Sprint(st.desc.Size, " bytes"), Got: "more"}
		}
		st.off += int64(n)
		switch {
		case err == nil, err == io.EOF && st.off == st.desc.Size:
			return n, err
		case n > 0:
			return n, nil // the error comes again, or the stream goes on
		}
		if err := st.resume(err); err != nil {
			return 0, err
		}
	}
}

// resume goes on after a broken connection.
func (st *stream) resume(cause error) error {
	if cause == io.EOF { // a proper end, too early
		return &fault.MismatchError{What: "size of " + st.what(), Want: fmt.Sprint(st.desc.Size, " bytes"), Got: fmt.Sprint(st.off, " bytes")}
	}
	at := fmt.Sprintf("%s: after %d of %d bytes", st.what(), st.off, st.desc.Size)
	if err := st.ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if st.broken++; st.broken >= st.session.set.limits.Attempts {
		return fmt.Errorf("%s: %w", at, wireError(cause))
	}
	st.body.Close()
	if err := st.session.pause(st.ctx, st.broken, 0); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return st.connect()
}

// Close closes the connection.
func (st *stream) Close() error { return st.body.Close() }
