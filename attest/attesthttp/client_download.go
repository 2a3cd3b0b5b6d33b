package attesthttp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// Download says what is wanted of an export. Nil wants what the service gives first: the
// signed statements where they hold the document, else the document.
type Download struct {
	// Accept is a media type: TypeLines for the signed statements, else that of the
	// document. "" for the first.
	Accept string
	// Have are the bytes that an earlier download has got, of the object that Digest
	// names: only what follows is sent and written. Where another object is to be given
	// out meanwhile, the error wraps ErrConflict: begin again without them.
	Have   io.Reader
	Digest string
}

// Downloaded is an export that is there whole. Where all of it was there before, nothing
// but Digest and Size is known of it.
type Downloaded struct {
	MediaType string
	Digest    string
	Size      int64 // with what was there before
	Name      string
	Version   int
	// Missing are proofs that the bundle is to have and does not have yet.
	Missing []string
	// State is "" where this is what is wanted, else that of what is: the export is
	// queued, or failed, to be made of something newer.
	State export.State
}

// Export downloads an export of a scan to w. Where the connection breaks it goes on at
// that byte. What comes is compared with the digest that was announced before it: bytes
// are in w before that is done, and count only where there is no error. An error wraps
// ErrUnavailable while the export is being made, ErrNotFound where nobody has asked for
// it, and ErrMismatch where other bytes came than were announced.
func (c *Client) Export(ctx context.Context, scanID string, f export.Format, w io.Writer, o *Download) (*Downloaded, error) {
	if err := noScan(scanID); err != nil {
		return nil, err
	}
	if o == nil {
		o = new(Download)
	}
	d := &download{w: w, sum: sha256.New(), digest: o.Digest, call: httpjson.Call{
		What: fmt.Sprintf("export scan %s as %s", scanID, f), Method: http.MethodGet, Path: "/scans/" + scanID + "/export", Query: url.Values{"format": {string(f)}},
		Want: http.StatusOK, Also: []int{http.StatusPartialContent, http.StatusAccepted}, Header: map[string]string{"Accept": cmp.Or(o.Accept, "*/*")},
	}}
	if o.Have != nil {
		if !sum.Is(o.Digest) {
			return nil, fmt.Errorf("%s: of what there is bytes of must be said, by its digest: %w", d.call.What, fault.Invalid)
		}
		var err error
		if d.got, err = io.Copy(d.sum, o.Have); err != nil {
			return nil, fmt.Errorf("%s: read what is there: %w", d.call.What, err)
		}
		if d.hashed() == o.Digest { // nothing follows
			return &Downloaded{Digest: o.Digest, Size: d.got}, nil
		}
	}
	for {
		before := d.got
		d.goOn()
		err := c.do(ctx, d.call, d.read)
		if err == nil {
			return &d.out, nil
		}
		if d.got == before || d.failed != nil || ctx.Err() != nil || !errors.Is(err, fault.Unavailable) {
			return nil, err
		}
	}
}

// download is a download on its way.
type download struct {
	call   httpjson.Call
	w      io.Writer
	sum    hash.Hash // of the first got bytes
	got    int64
	digest string // what is being downloaded; "" before the first answer
	failed error  // of w
	out    Downloaded
}

// goOn asks for what follows, if it is of what there is already.
func (d *download) goOn() {
	if d.got > 0 {
		d.call.Header["Range"] = "bytes=" + strconv.FormatInt(d.got, 10) + "-"
		d.call.Header["If-Range"] = httpjson.Tag(d.digest)
	}
}

// read reads an answer, as far as it comes.
func (d *download) read(resp *http.Response) error {
	if resp.StatusCode == http.StatusAccepted {
		return fmt.Errorf("it is being made: %w", fault.Unavailable)
	}
	digest := strings.Trim(resp.Header.Get("ETag"), `"`)
	size, err := d.size(resp)
	if err != nil {
		return err
	}
	switch {
	case !sum.Is(digest):
		return fmt.Errorf("the server does not say of what digest it is: %w", fault.Unavailable)
	case d.got > 0 && digest != d.digest:
		return fmt.Errorf("it is %s now, and %d bytes of %s are there: %w", digest, d.got, d.digest, fault.Conflict)
	}
	d.digest = digest
	version, _ := strconv.Atoi(resp.Header.Get(VersionHeader))
	d.out = Downloaded{
		MediaType: resp.Header.Get("Content-Type"), Digest: digest, Size: size, Version: version,
		Missing: fields(resp.Header.Get(MissingHeader)), State: export.State(resp.Header.Get(StateHeader)),
	}
	if _, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition")); err == nil {
		d.out.Name = params["filename"]
	}
	n, err := io.Copy(d, io.LimitReader(resp.Body, size-d.got+1))
	d.goOn() // for the attempt that may follow
	switch {
	case d.failed != nil:
		return fmt.Errorf("write it: %v", d.failed)
	case d.got < size:
		return errors.Join(fmt.Errorf("it broke off after %d bytes, at %d of %d", n, d.got, size), err, fault.Unavailable)
	case d.got > size:
		return &fault.MismatchError{What: "size", Want: strconv.FormatInt(size, 10), Got: "more"}
	}
	if got := d.hashed(); got != digest {
		return &fault.MismatchError{What: "digest", Want: digest, Got: got}
	}
	return nil
}

// hashed is the digest of what is there.
func (d *download) hashed() string { return "sha256:" + hex.EncodeToString(d.sum.Sum(nil)) }

// size is that of the whole, of which an answer gives what follows the bytes that are
// there.
func (d *download) size(resp *http.Response) (int64, error) {
	if resp.StatusCode == http.StatusOK {
		if d.got > 0 { // the server does not go on: it gives another object, or knows no ranges
			digest := strings.Trim(resp.Header.Get("ETag"), `"`)
			return 0, fmt.Errorf("%d bytes of %s are there, and the server begins %s anew: %w", d.got, d.digest, digest, fault.Conflict)
		}
		if resp.ContentLength < 0 {
			return 0, fmt.Errorf("the server does not say how long it is: %w", fault.Unavailable)
		}
		return resp.ContentLength, nil
	}
	var first, last, size int64
	text := resp.Header.Get("Content-Range")
	if n, err := fmt.Sscanf(text, "bytes %d-%d/%d", &first, &last, &size); n != 3 || err != nil || first != d.got || last != size-1 || resp.ContentLength != size-first {
		return 0, fmt.Errorf("the server answers with Content-Range %.80q to a request for what follows %d bytes: %w", text, d.got, fault.Unavailable)
	}
	return size, nil
}

// Write passes bytes on.
func (d *download) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.sum.Write(p[:n])
	d.got += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	d.failed = err
	return n, err
}
