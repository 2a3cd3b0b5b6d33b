package httpjson

import (
	"net/http"
	"strings"
)

// Tag is the entity tag of what has a digest, or another name that changes with it.
func Tag(digest string) string { return `"` + digest + `"` }

// Unchanged sets the entity tag of an answer that exists, and reports whether the
// client has it; it is then answered.
func Unchanged(w http.ResponseWriter, r *http.Request, digest string) bool {
	tag := Tag(digest)
	w.Header().Set("ETag", tag)
	for _, line := range r.Header.Values("If-None-Match") {
		for known := range strings.SplitSeq(line, ",") {
			if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == tag || known == "*" {
				w.WriteHeader(http.StatusNotModified)
				return true
			}
		}
	}
	return false
}
