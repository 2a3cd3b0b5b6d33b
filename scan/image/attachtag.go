package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// maxRounds bounds how often a manifest that others change too is read and written
// again, maxTook what is taken for the time that this takes them.
const (
	maxRounds = 16
	maxTook   = 2 * time.Second
)

// emptyIndex is what a tag without referrers stands for.
var emptyIndex = []byte(`{"schemaVersion":2,"mediaType":"` + typeOCIIndex + `","manifests":[]}`)

// listUnderTag adds referrers to the index that clients keep under a tag where the
// registry keeps none. Entries of others stay as they are.
//
// Two clients that write at once can undo each other, and hardly any registry knows
// conditional requests. They are made all the same, the index is read again after it
// was written, and once more a while later. Somebody who had read the index before
// and writes it after that still drops the entries; attaching again puts them back.
func (s *session) listUnderTag(ctx context.Context, subject string, ms []*written) (string, error) {
	tag := referrersTag(subject)
	what := "referrers " + tag
	return tag, s.change(ctx, tag, typeOCIIndex, func(b []byte) ([]byte, error) {
		if b == nil {
			b = emptyIndex
		}
		for _, m := range ms {
			entry := m.entry()
			entry.ArtifactType, entry.Annotations = m.ArtifactType, m.annotations
			var err error
			if b, err = withEntry(b, what, entry, MaxReferrers); err != nil {
				return nil, err
			}
		}
		return b, nil
	})
}

// change rewrites a manifest under a tag until it stays as edit wants it. The edit is
// given what is there, nil for nothing, and returns the same bytes when it is content.
func (s *session) change(ctx context.Context, tag, mediaType string, edit func([]byte) ([]byte, error)) error {
	wrote, calm := false, 0
	var took time.Duration // for reading and writing
	for range maxRounds {
		start := time.Now()
		old, condition, err := s.tagged(ctx, tag, mediaType)
		if err != nil {
			return err
		}
		edited, err := edit(old)
		if err != nil {
			return err
		}
		if old != nil && bytes.Equal(old, edited) {
			if calm++; !wrote || calm > 1 {
				return nil
			}
		} else {
			calm = 0
			_, err := s.putDocument(ctx, tag, mediaType, edited, condition)
			if err != nil && !isStatus(err, http.StatusPreconditionFailed) {
				return err
			}
			took = max(took, time.Since(start))
			if wrote = true; err == nil {
				continue // to read it at once
			}
		}
		if err := s.rest(ctx, took); err != nil {
			return fmt.Errorf("tag %s: %w", tag, err)
		}
	}
	return fmt.Errorf("tag %s: others change it all the time: %w", tag, fault.Unavailable)
}

// rest waits for others to finish what they have begun, which takes them about as long
// as it took here, and not as long as all who wait.
func (s *session) rest(ctx context.Context, took time.Duration) error {
	t := time.NewTimer(firstPause/2 + rand.N(firstPause) + 2*min(took, maxTook))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tagged returns what is under a tag, nil for nothing, and the header of a request
// that changes it only if it still is the same.
func (s *session) tagged(ctx context.Context, tag, mediaType string) ([]byte, http.Header, error) {
	what := "manifest " + tag
	b, h, err := s.read(ctx, "manifests/"+tag, http.Header{"Accept": {mediaType}}, s.set.limits.Manifest)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil, http.Header{"If-None-Match": {"*"}}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", what, err)
	}
	doc, err := parseDocument(b, what, servedType(h), &s.set.limits)
	if err != nil {
		return nil, nil, err
	}
	if doc.MediaType != mediaType {
		return nil, nil, fmt.Errorf("%s: it is %q, not %s, and is left as it is: %w", what, clip(doc.MediaType), mediaType, fault.Invalid)
	}
	if etag := h.Get("ETag"); strings.HasPrefix(etag, `"`) {
		return b, http.Header{"If-Match": {etag}}, nil
	}
	return b, nil, nil
}

// withEntry adds an entry to an index that does not have it. All the rest keeps its
// bytes.
func withEntry(index []byte, what string, entry jsonEntry, limit int) ([]byte, error) {
	have, err := parseReferrers(index, what, limit)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(have, func(r referrer) bool { return r.Digest == entry.Digest }) {
		return index, nil
	}
	if len(have) == limit {
		return nil, &fault.LimitError{What: "entries", Where: what, Max: int64(limit), Seen: int64(limit) + 1}
	}
	b, err := json.Marshal(entry, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", what, jsonReason(err), fault.Invalid)
	}
	return replaceEntries(index, func(old []jsontext.Value) []jsontext.Value { return append(old, b) })
}

// replaceEntries rewrites the manifests of an index that was parsed, and keeps every
// other member as it is.
func replaceEntries(index []byte, edit func([]jsontext.Value) []jsontext.Value) ([]byte, error) {
	var members map[string]jsontext.Value
	var entries []jsontext.Value
	err := json.Unmarshal(index, &members)
	if err == nil && present(members["manifests"]) {
		err = json.Unmarshal(members["manifests"], &entries)
	}
	if err == nil {
		members["manifests"], err = json.Marshal(edit(entries))
	}
	var b []byte
	if err == nil {
		b, err = json.Marshal(members, json.Deterministic(true))
	}
	if err != nil {
		return nil, fmt.Errorf("index: %w: %w", jsonReason(err), fault.Invalid)
	}
	return b, nil
}
