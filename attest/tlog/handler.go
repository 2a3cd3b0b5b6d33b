package tlog

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// NewHandler serves what a source shows by the API of tlog-tiles: "/checkpoint" and
// the files below "/tile/". Files may be cached for ever, the checkpoint not at all.
// Files are served whether or not the checkpoint already has them. report is told of
// errors that are not the client's; nil means nobody. It may be called from several
// goroutines.
func NewHandler(s Source, report func(error)) http.Handler {
	if report == nil {
		report = func(error) {}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		body, err := serve(w, r, s)
		switch {
		case err == nil:
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			if r.Method == http.MethodGet {
				_, _ = w.Write(body) // the client is gone where this fails
			}
		case errors.Is(err, fault.NotFound), errors.Is(err, fault.Invalid):
			w.Header().Set("Cache-Control", "no-cache")
			http.Error(w, "not found", http.StatusNotFound)
		default:
			report(fmt.Errorf("serve %.80q: %w", r.URL.Path, err))
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "the log is not available", http.StatusServiceUnavailable)
		}
	})
}

// serve reads what a path names, and sets the header that it has.
func serve(w http.ResponseWriter, r *http.Request, s Source) ([]byte, error) {
	path, ok := strings.CutPrefix(r.URL.Path, "/")
	if !ok {
		return nil, fmt.Errorf("path %.80q: %w", r.URL.Path, fault.Invalid)
	}
	if path == checkpointPath {
		body, err := s.Checkpoint(r.Context())
		if err != nil && fault.KindOf(err) == fault.Invalid {
			return nil, fmt.Errorf("the head is damaged: %v: %w", err, fault.Mismatch)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		return body, err
	}
	tile, err := parseTilePath(path)
	if err != nil {
		return nil, err
	}
	max := Width * len(Hash{})
	if tile.L == entryLevel {
		max = maxBundle
	}
	body, err := s.Get(r.Context(), path, max)
	if err != nil {
		return nil, err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return body, nil
}
