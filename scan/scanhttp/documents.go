package scanhttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
)

func (h *Handler) documents(c *call) error {
	whole := c.query.Get("content") == "inline"
	if c.query.Has("content") && !whole {
		return httpjson.BadRequest("query: content %.20q: want inline", c.query.Get("content"))
	}
	store, err := h.store(c)
	if err != nil {
		return err
	}
	kept, err := store.Documents(c.r.Context(), c.id)
	if err != nil {
		return err
	}
	out := documentList{Documents: []document{}}
	for _, s := range kept {
		d := documentOf(s)
		if !whole {
			d.Chunks, d.Content = nil, nil
		}
		out.Documents = append(out.Documents, d)
	}
	return c.tagged(out)
}

func (h *Handler) document(c *call) error {
	store, err := h.store(c)
	if err != nil {
		return err
	}
	kept, err := store.Documents(c.r.Context(), c.id)
	if err != nil {
		return err
	}
	format := c.r.PathValue("format")
	i := slices.IndexFunc(kept, func(s scan.Stored) bool { return s.Format == format })
	if i < 0 {
		names := []string{}
		for _, s := range kept {
			names = append(names, s.Format)
		}
		return &httpjson.Error{Extra: map[string]any{"formats": names}, Err: fmt.Errorf("scan job %s: no document as %.80q is kept: %w", c.id, format, fault.NotFound)}
	}
	s := &kept[i]
	if c.known(s.Ref.Digest) {
		return nil
	}
	body, err := h.open(c, s)
	if err != nil {
		return err
	}
	defer body.Close()
	header := c.w.Header()
	header.Set("Content-Type", safeType(s.MediaType))
	header.Set("Content-Length", fmt.Sprint(s.Ref.Size))
	header.Set("Content-Disposition", `attachment; filename="`+fileName(c.id, s.Name)+`"`)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(c.w, body); err != nil {
		// The header is gone. Only a broken connection tells the client that the
		// document ends too early.
		h.mux.Tell(c.r, fmt.Errorf("document %s of %s: %w", format, c.id, err))
		panic(http.ErrAbortHandler)
	}
	return nil
}

// open gives the verified bytes of a document: those of its row, else those of
// its object.
func (h *Handler) open(c *call, s *scan.Stored) (io.ReadCloser, error) {
	if s.Content != nil && int64(len(s.Content)) == s.Ref.Size && sum.Of(s.Content) == s.Ref.Digest {
		return io.NopCloser(bytes.NewReader(s.Content)), nil
	}
	documents, err := h.Documents(c.who.Tenant)
	if err != nil {
		return nil, httpjson.Opened(c.who.Tenant, err)
	}
	body, err := documents.Open(c.r.Context(), s.Ref)
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Mismatch) || errors.Is(err, fault.Invalid) {
		// What a scan refers to is always kept: this is damage.
		id := h.mux.Tell(c.r, fmt.Errorf("document %s of %s: %w", s.Format, c.id, err))
		return nil, &httpjson.Error{Status: http.StatusInternalServerError, RequestID: id,
			Err: fmt.Errorf("document %s of %s: its bytes are damaged or lost where they are kept; scan the image again: %w", s.Format, c.id, fault.Mismatch)}
	}
	return body, err
}

// safeType gives no browser anything to run.
func safeType(t string) string {
	parsed, params, err := mime.ParseMediaType(t)
	if err != nil || !strings.HasPrefix(parsed, "application/") && parsed != "text/spdx" && parsed != "text/plain" && parsed != "text/csv" {
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
