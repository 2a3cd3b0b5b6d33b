package snapshot

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Manifest names everything that a snapshot is made of. The snapshot's digest
// is the manifest's: the SHA-256 of what Encode returns.
type Manifest struct {
	Format int `json:"format"`
	// Segments are sorted by ecosystem, database and source.
	Segments []Segment `json:"segments"`
	// Overlays are sorted by source.
	Overlays []Overlay `json:"overlays,omitempty"`
	// Sources are those that the segments and overlays are from, sorted by name.
	// What was imported by hand has none.
	Sources []Origin `json:"sources,omitempty"`
}

// Segment says what one segment holds.
type Segment struct {
	Source    string `json:"source,omitempty"` // empty for what was imported by hand
	Database  string `json:"database"`         // what the records' ids begin with, "GHSA"
	Ecosystem string `json:"ecosystem"`        // without a release, "Debian"; empty for records that name no package
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`      // bytes, without the long texts
	Records   int    `json:"records"`   // withdrawn ones included
	Withdrawn int    `json:"withdrawn"` // records that were taken back
	Modified  string `json:"modified"`  // newest time of modification
	// Ecosystems are the ecosystem's releases that the segment is about, sorted.
	Ecosystems []advisory.Ecosystem `json:"ecosystems,omitempty"`
}

// Part returns which part of all records the segment is.
func (s *Segment) Part() advisory.Part {
	return advisory.Part{Source: s.Source, Database: s.Database, Ecosystem: s.Ecosystem}
}

func (s *Segment) name() string {
	return strings.TrimSpace(strings.TrimSpace(s.Source+" "+s.Database) + " about " + s.Ecosystem)
}

// Overlay says what one overlay holds: signals of one source.
type Overlay struct {
	Source  string `json:"source"`
	Digest  string `json:"digest"`
	Size    int64  `json:"size"` // bytes
	Signals int    `json:"signals"`
}

// Origin says on what terms and how fresh the data of a source is.
type Origin struct {
	Name string `json:"name"`
	// Checked is when the source was last asked with success, RFC 3339 in UTC.
	Checked string `json:"checked,omitempty"`
	// StaleAfter is the age in hours from which on its data counts as stale; 0
	// means never.
	StaleAfter   int    `json:"stale_after,omitzero"`
	License      string `json:"license,omitempty"`
	Attribution  string `json:"attribution,omitempty"`
	Redistribute bool   `json:"redistribute,omitzero"`
}

// Encode sorts the manifest and returns its text and digest.
func (m *Manifest) Encode() (text []byte, digest string, err error) {
	m.Format = formatNow
	slices.SortFunc(m.Segments, compareSegments)
	slices.SortFunc(m.Overlays, func(a, b Overlay) int { return strings.Compare(a.Source, b.Source) })
	slices.SortFunc(m.Sources, func(a, b Origin) int { return strings.Compare(a.Name, b.Name) })
	if m.Segments == nil {
		m.Segments = []Segment{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, "", fmt.Errorf("write the manifest of a snapshot: %w", err)
	}
	if b.Len() > maxManifest {
		return nil, "", &fault.LimitError{What: "bytes", Where: "manifest", Max: maxManifest, Seen: int64(b.Len())}
	}
	return b.Bytes(), digestName(sha256.Sum256(b.Bytes())), nil
}

// DecodeManifest reads what Encode wrote. An error wraps [ErrInvalid],
// [ErrUnsupported] or [ErrLimit].
func DecodeManifest(text []byte) (*Manifest, error) {
	if len(text) > maxManifest {
		return nil, &fault.LimitError{What: "bytes", Where: "manifest", Max: maxManifest, Seen: int64(len(text))}
	}
	m := &Manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("manifest: %v: %w", err, fault.Invalid)
	}
	if m.Format != formatNow {
		return nil, fmt.Errorf("manifest: format %d, this program knows %d: %w", m.Format, formatNow, fault.Unsupported)
	}
	if n := len(m.Segments) + len(m.Overlays) + len(m.Sources); n > maxSegments {
		return nil, &fault.LimitError{What: "segments, overlays and sources", Where: "manifest", Max: maxSegments, Seen: int64(n)}
	}
	if !slices.IsSortedFunc(m.Segments, compareSegments) {
		return nil, fmt.Errorf("manifest: the segments are not in order: %w", fault.Invalid)
	}
	for _, s := range m.Segments {
		if s.Size < headSize {
			return nil, fmt.Errorf("manifest: segment %s of %d bytes: %w", s.name(), s.Size, fault.Invalid)
		}
	}
	return m, nil
}

func compareSegments(a, b Segment) int {
	return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Database, b.Database), strings.Compare(a.Source, b.Source))
}

// Ecosystems adds up what the segments are about, sorted by name.
func (m *Manifest) Ecosystems() []advisory.Ecosystem {
	var out []advisory.Ecosystem
	at := map[string]int{}
	for _, s := range m.Segments {
		origin := m.origin(s.Source)
		for _, e := range s.Ecosystems {
			i, ok := at[e.Name]
			if !ok {
				i = len(out)
				at[e.Name] = i
				out = append(out, advisory.Ecosystem{Name: e.Name})
			}
			out[i].Records += e.Records
			out[i].Packages += e.Packages
			out[i].Modified = newest(out[i].Modified, e.Modified)
			if o := (advisory.Origin{Source: origin.Name, Checked: origin.Checked, StaleAfter: origin.StaleAfter}); o.Source != "" && !slices.Contains(out[i].Origins, o) {
				out[i].Origins = append(out[i].Origins, o)
			}
		}
	}
	slices.SortFunc(out, func(a, b advisory.Ecosystem) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// origin returns the source of a name; zero where there is none.
func (m *Manifest) origin(name string) Origin {
	for _, o := range m.Sources {
		if o.Name == name {
			return o
		}
	}
	return Origin{}
}

// newest returns the later of two RFC 3339 times.
func newest(a, b string) string {
	x, _ := time.Parse(time.RFC3339, a)
	y, _ := time.Parse(time.RFC3339, b)
	if c := x.Compare(y); c > 0 || c == 0 && a >= b {
		return a
	}
	return b
}

// digestName writes a SHA-256 as digests are named.
func digestName(sum [sha256.Size]byte) string { return "sha256:" + hex.EncodeToString(sum[:]) }

// baseName is the ecosystem's name without a release.
func baseName(ecosystem string) string {
	base, _, _ := strings.Cut(ecosystem, ":")
	return base
}
