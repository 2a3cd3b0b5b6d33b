package attesthttp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// export gives out what was made of a scan. It makes nothing and asks for nothing.
func (h *ExportHandler) export(c *call) error {
	e, err := h.find(c)
	if err != nil {
		return err
	}
	switch {
	case e.Made != nil:
		return h.serve(c, e)
	case e.State == export.Queued:
		c.w.Header().Set("Retry-After", strconv.Itoa(httpjson.RetryAfter))
		return c.answer(http.StatusAccepted, exportedOf(e))
	default:
		return &httpjson.Error{Extra: map[string]any{"state": e.State, "attempt": e.Attempt, "create": create(c)},
			Err: fmt.Errorf("the %s export of scan %s failed: %s: %w", e.Format, e.ScanID, clip(e.Reason), fault.Conflict)}
	}
}

// create is how an export is asked for.
func create(c *call) string {
	return "POST " + root + "/scans/" + c.r.PathValue("scan_id") + "/exports"
}

// find returns the export that a request names.
func (h *ExportHandler) find(c *call) (*export.Export, error) {
	f := export.Format(c.query.Get("format"))
	if !f.Known() {
		return nil, &httpjson.Error{Status: http.StatusBadRequest, Extra: formats(), Err: fmt.Errorf("query: format %.80q: want one of %v: %w", f, export.Formats(), fault.Invalid)}
	}
	store, err := h.store(c)
	if err != nil {
		return nil, err
	}
	list, err := store.Exports(c.r.Context(), c.r.PathValue("scan_id"))
	if err != nil {
		return nil, h.mux.Damaged(c.r, err)
	}
	i := slices.IndexFunc(list, func(e export.Export) bool { return e.Format == f })
	if i < 0 {
		return nil, &httpjson.Error{Extra: map[string]any{"create": create(c)},
			Err: fmt.Errorf("scan %s is not exported as %s; %s with {\"formats\":[%q]} has it made: %w", c.r.PathValue("scan_id"), f, create(c), f, fault.NotFound)}
	}
	return &list[i], nil
}

// forms are the objects of an export, the one first that it is without an Accept: the
// signed statements where they hold the document, else the document.
func forms(f export.Format, m *export.Made) []export.Object {
	var out []export.Object
	for _, o := range []export.Object{m.Document, m.Bundle} {
		if o.Ref.Digest != "" && (len(out) == 0 || o.Ref.Digest != out[0].Ref.Digest) {
			out = append(out, o)
		}
	}
	if f == export.SPDX || f == export.CycloneDX || f == export.OpenVEX {
		slices.Reverse(out)
	}
	return out
}

// serve gives out one of the objects of an export, or a part of it.
func (h *ExportHandler) serve(c *call, e *export.Export) error {
	all := forms(e.Format, e.Made)
	var types []string
	for _, o := range all {
		types = append(types, o.MediaType)
	}
	if len(all) == 0 {
		return fmt.Errorf("the %s export of scan %s has no object", e.Format, e.ScanID)
	}
	header := c.w.Header()
	header.Set("Vary", "Accept")
	chosen, err := choose(c.r.Header.Values("Accept"), types)
	if err != nil {
		return err
	}
	o := &all[slices.Index(types, chosen)]
	tag := httpjson.Tag(o.Ref.Digest)
	if match := c.r.Header.Values("If-Match"); len(match) > 0 && !has(match, tag) {
		return &httpjson.Error{Status: http.StatusPreconditionFailed, Err: fmt.Errorf("If-Match: it is %s now: %w", o.Ref.Digest, fault.Conflict)}
	}
	if header.Set("Cache-Control", "private, no-cache"); httpjson.Unchanged(c.w, c.r, o.Ref.Digest) {
		return nil
	}
	s, part := span{0, o.Ref.Size}, false
	if c.r.Method == http.MethodGet && (c.r.Header.Get("If-Range") == "" || c.r.Header.Get("If-Range") == tag) {
		if s, part, err = spanOf(c.r.Header.Values("Range"), o.Ref.Size); err != nil {
			header.Set("Content-Range", fmt.Sprintf("bytes */%d", o.Ref.Size))
			return err
		}
	}
	body, err := h.open(c, e, o, s, part)
	if err != nil {
		return err
	}
	defer body.Close()
	c.describe(e, o, s, part)
	if c.r.Method == http.MethodHead {
		return nil
	}
	return h.copy(c, e, o, body, s.length)
}

// has reports whether a list of entity tags has one, by strong comparison.
func has(lines []string, tag string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if t = strings.TrimSpace(t); t == tag || t == "*" {
				return true
			}
		}
	}
	return false
}

// describe writes the header of an answer with bytes.
func (c *call) describe(e *export.Export, o *export.Object, s span, part bool) {
	h := c.w.Header()
	c.announce(o.Ref.Digest, part)
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", safeType(o.MediaType))
	h.Set("Content-Length", strconv.FormatInt(s.length, 10))
	h.Set("Content-Disposition", `attachment; filename="`+fileName(e.ScanID, o.Name)+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set(VersionHeader, strconv.Itoa(e.Made.Version))
	if e.State != export.Completed {
		h.Set(StateHeader, string(e.State))
	}
	if len(e.Made.Missing) > 0 && o.Ref.Digest == e.Made.Bundle.Ref.Digest {
		h.Set(MissingHeader, joined(e.Made.Missing))
	}
	status := http.StatusOK
	if part {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", s.start, s.start+s.length-1, o.Ref.Size))
		status = http.StatusPartialContent
	}
	c.w.WriteHeader(status)
}

// open opens an object, or a part of it, and verifies its first chunk, before anything
// is answered.
func (h *ExportHandler) open(c *call, e *export.Export, o *export.Object, s span, part bool) (io.ReadCloser, error) {
	objects, err := h.Objects(c.who.Tenant)
	if err != nil {
		return nil, httpjson.Opened(c.who.Tenant, err)
	}
	var body io.ReadCloser
	if part {
		body, err = objects.ReadRange(c.r.Context(), o.Ref, s.start, s.length)
	} else {
		body, err = objects.Open(c.r.Context(), o.Ref)
	}
	if err == nil {
		first := bufio.NewReader(body)
		if _, err = first.Peek(1); err == nil || errors.Is(err, io.EOF) && s.length == 0 {
			return opened{first, body}, nil
		}
		body.Close()
		if errors.Is(err, io.EOF) {
			err = &fault.MismatchError{What: "size of object " + o.Ref.Digest, Want: strconv.FormatInt(s.length, 10), Got: "0"}
		}
	}
	return nil, h.broken(c, e, o, err)
}

// opened is a body of which the first bytes were read.
type opened struct {
	io.Reader
	io.Closer
}

// broken says what is wrong with an object, and has it made again where it is gone or
// damaged.
func (h *ExportHandler) broken(c *call, e *export.Export, o *export.Object, err error) error {
	code := CodeDamaged
	switch {
	case errors.Is(err, fault.NotFound):
		code = CodeMissing
	case !errors.Is(err, fault.Mismatch) && !errors.Is(err, fault.Invalid):
		return inside("open object "+o.Ref.Digest, err)
	}
	extra := map[string]any{"code": code, "digest": o.Ref.Digest}
	id := h.mux.Tell(c.r, fmt.Errorf("%s of scan %s: object %s: %w", o.Name, e.ScanID, o.Ref.Digest, err))
	what := fmt.Sprintf("%s of scan %s: %s: %s is not there as it was kept", o.Name, e.ScanID, code, o.Ref.Digest)
	if h.heal(c, e) {
		return &httpjson.Error{RequestID: id, Extra: extra, Err: fmt.Errorf("%s; it is being made again: %w", what, fault.Unavailable)}
	}
	return &httpjson.Error{Status: http.StatusInternalServerError, RequestID: id, Extra: extra, Err: fmt.Errorf("%s: %w", what, fault.Mismatch)}
}

// heal has an export made again, and reports whether it will be.
func (h *ExportHandler) heal(c *call, e *export.Export) bool {
	if h.Heal == nil {
		return false
	}
	// Whoever asked may be gone already; that it is broken is known all the same.
	if err := h.Heal(context.WithoutCancel(c.r.Context()), c.who.Tenant, e.ScanID, e.Format); err != nil {
		h.mux.Tell(c.r, fmt.Errorf("have the %s export of scan %s made again: %w", e.Format, e.ScanID, err))
		return false
	}
	return true
}

// copy sends a body. The header is gone: only a broken connection tells the client that
// it ends too early, and the digest which it was told first.
func (h *ExportHandler) copy(c *call, e *export.Export, o *export.Object, body io.Reader, length int64) error {
	from := &watched{Reader: body}
	n, err := io.Copy(c.w, io.LimitReader(from, length))
	if err == nil && n == length {
		return nil
	}
	if from.err != nil && from.err != io.EOF || err == nil {
		err = errors.Join(from.err, fmt.Errorf("%d of %d bytes", n, length))
		h.mux.Tell(c.r, fmt.Errorf("%s of scan %s: object %s: %w", o.Name, e.ScanID, o.Ref.Digest, err))
		if errors.Is(err, fault.Mismatch) || errors.Is(err, fault.NotFound) {
			h.heal(c, e)
		}
	}
	panic(http.ErrAbortHandler)
}

// watched remembers how reading ended.
type watched struct {
	io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// safeType gives no browser anything to run.
func safeType(t string) string {
	parsed, params, err := mime.ParseMediaType(t)
	if err != nil || !strings.HasPrefix(parsed, "application/") && parsed != "text/csv" {
		return "application/octet-stream"
	}
	return mime.FormatMediaType(parsed, params)
}

// fileName is what a browser should call a document.
func fileName(id, name string) string {
	if name == "" || len(name) > 100 || strings.HasPrefix(name, ".") ||
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		name = "document"
	}
	return id + "-" + name
}
