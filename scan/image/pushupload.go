package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// uploadChunk is how much goes into one request where a registry does not take a
// blob at once. It is below what proxies usually let pass, and above the least
// that registries ask for.
const uploadChunk = 16 << 20

// upload is a blob on its way to a registry (OCI distribution-spec, "Pushing
// blobs"). It is sent in one request, which every registry takes. When that breaks,
// or is too large for somebody on the way, it goes on in chunks from where it was,
// if the registry remembers; otherwise from the start.
type upload struct {
	session *session
	blob    *content
	begun   bool
	chunks  bool
	at      url.URL // where the next request goes
	off     int64   // bytes that the registry has
}

// putBlob makes sure that the registry has a blob. What was tried too often without
// getting further fails.
func (s *session) putBlob(ctx context.Context, blob *content) error {
	u := &upload{session: s, blob: blob}
	for attempt, reached := 1, int64(0); ; {
		done, err := u.step(ctx)
		if done {
			return nil
		}
		if err != nil {
			if err := u.recover(ctx, err, attempt); err != nil {
				return fmt.Errorf("blob %s: %w", blob.Digest, err)
			}
			attempt++
		}
		if u.off > reached {
			attempt, reached = 1, u.off
		}
	}
}

// recover decides how to go on after an error, and returns it if there is no way.
func (u *upload) recover(ctx context.Context, err error, attempt int) error {
	s := u.session
	switch {
	case isStatus(err, http.StatusRequestEntityTooLarge) && !u.chunks && u.blob.Size > uploadChunk:
		u.chunks, u.begun = true, false
		return nil
	case attempt < s.set.limits.Attempts && u.begun && isStatus(err, http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable):
		u.begun = false // the upload was forgotten
		return nil
	}
	if again, err := s.again(ctx, err, attempt); !again {
		return err
	}
	if u.begun {
		u.resume(ctx)
	}
	return nil
}

// step makes the next request of an upload, and reports whether the blob is there.
func (u *upload) step(ctx context.Context) (bool, error) {
	switch {
	case !u.begun:
		// An answer can be lost after the blob was taken, so this is asked each time.
		held, err := u.session.holds(ctx, u.blob.descriptor)
		if held || err != nil {
			return held, err
		}
		return false, u.begin(ctx)
	case u.chunks && u.off < u.blob.Size:
		return false, u.patch(ctx)
	}
	return u.commit(ctx)
}

// begin asks for an upload.
func (u *upload) begin(ctx context.Context) error {
	out := outgoing{method: http.MethodPost, url: u.session.url("blobs/uploads/"), want: []int{http.StatusAccepted}}
	resp, err := u.session.send(ctx, &out)
	if err != nil {
		return err
	}
	u.off, u.begun = 0, true
	u.at, err = u.session.location(resp)
	return err
}

// resume asks how much the registry has of the upload.
func (u *upload) resume(ctx context.Context) {
	out := outgoing{method: http.MethodGet, url: u.at, want: []int{http.StatusNoContent, http.StatusAccepted, http.StatusOK}}
	resp, err := u.session.send(ctx, &out)
	if err == nil {
		err = u.moved(resp, -1)
	}
	if err != nil {
		u.begun = false
		return
	}
	u.chunks = u.chunks || u.off > 0
}

// moved takes over what an answer says about the upload: where it goes on, and how
// much of it there is. Where it does not say that, sent is what was sent; -1 is
// unknown.
func (u *upload) moved(resp *http.Response, sent int64) error {
	at, err := u.session.location(resp)
	if err != nil {
		return err
	}
	have, ok := uploadRange(resp.Header.Get("Range"))
	if resp.Header.Get("Range") == "" {
		have, ok = sent, sent >= 0
	}
	if !ok || have > u.blob.Size {
		return fmt.Errorf("upload to %s: the answer does not say how much there is: %w", u.session.ref.Registry, fault.Invalid)
	}
	u.at, u.off = at, have
	return nil
}

// uploadRange reads "0-end", which is also said of nothing at all ("0-0").
func uploadRange(s string) (int64, bool) {
	from, to, ok := strings.Cut(strings.TrimPrefix(s, "bytes="), "-")
	end, err := strconv.ParseInt(to, 10, 64)
	if !ok || from != "0" || err != nil || end < 0 {
		return 0, false
	}
	if end == 0 {
		return 0, true
	}
	return end + 1, true
}

// patch sends a chunk.
func (u *upload) patch(ctx context.Context) error {
	size := min(u.blob.Size-u.off, uploadChunk)
	out := u.part(ctx, http.MethodPatch, size)
	out.want = []int{http.StatusAccepted, http.StatusNoContent, http.StatusCreated}
	resp, err := u.session.send(ctx, out)
	if err != nil {
		return err
	}
	before := u.off
	if err = u.moved(resp, before+size); err == nil && u.off <= before {
		err = fmt.Errorf("upload to %s: it keeps no more than %d of %d bytes: %w", u.session.ref.Registry, u.off, u.blob.Size, fault.Unavailable)
	}
	return err
}

// commit sends the rest, which may be all or nothing, and names the digest.
func (u *upload) commit(ctx context.Context) (bool, error) {
	out := u.part(ctx, http.MethodPut, u.blob.Size-u.off)
	q := out.url.Query()
	q.Set("digest", u.blob.Digest)
	out.url.RawQuery = q.Encode()
	out.want = []int{http.StatusCreated, http.StatusOK, http.StatusNoContent}
	_, err := u.session.send(ctx, out)
	return err == nil, err
}

// part is a request with size bytes from where the upload is.
func (u *upload) part(ctx context.Context, method string, size int64) *outgoing {
	out := &outgoing{method: method, url: u.at, size: size, header: http.Header{"Content-Type": {"application/octet-stream"}}}
	if u.chunks && size > 0 {
		out.header.Set("Content-Range", fmt.Sprintf("%d-%d", u.off, u.off+size-1))
	}
	from := u.off
	out.body = func() (io.ReadCloser, error) { return u.blob.from(ctx, from) }
	return out
}

// from opens the content at a place.
func (c *content) from(ctx context.Context, off int64) (io.ReadCloser, error) {
	rc, err := c.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open what is pushed: %w", err)
	}
	if off == 0 {
		return rc, nil
	}
	if at, ok := rc.(io.Seeker); ok {
		_, err = at.Seek(off, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, rc, off)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read what is pushed: %w", err), rc.Close())
	}
	return rc, nil
}
