package snapshot

import (
	"bytes"
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

// Segment says what one segment holds.
type Segment struct {
	Database  string `json:"database"`  // what the records' ids begin with, "GHSA"
	Ecosystem string `json:"ecosystem"` // without a release, "Debian"; empty for records that name no package
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`      // bytes
	Records   int    `json:"records"`   // withdrawn ones included
	Withdrawn int    `json:"withdrawn"` // records that were taken back
	Modified  string `json:"modified"`  // newest time of modification
	// Ecosystems are the ecosystem's releases that the segment is about, sorted.
	Ecosystems []advisory.Ecosystem `json:"ecosystems,omitempty"`
}

// manifest is what a snapshot's digest is of.
type manifest struct {
	Format   int       `json:"format"`
	Segments []Segment `json:"segments"`
}

func (m *manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("write the manifest of a snapshot: %w", err)
	}
	return b.Bytes(), nil
}

func decodeManifest(text []byte) (*manifest, error) {
	m := &manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("manifest: %v: %w", err, fault.Invalid)
	}
	if m.Format != formatNow {
		return nil, fmt.Errorf("manifest: format %d, this program knows %d: %w", m.Format, formatNow, fault.Unsupported)
	}
	if len(m.Segments) > maxSegments {
		return nil, &fault.LimitError{What: "segments", Where: "manifest", Max: maxSegments, Seen: int64(len(m.Segments))}
	}
	if !slices.IsSortedFunc(m.Segments, compareSegments) {
		return nil, fmt.Errorf("manifest: the segments are not in order: %w", fault.Invalid)
	}
	return m, nil
}

func compareSegments(a, b Segment) int {
	if c := strings.Compare(a.Ecosystem, b.Ecosystem); c != 0 {
		return c
	}
	return strings.Compare(a.Database, b.Database)
}

// ecosystems adds up what the segments are about.
func (m *manifest) ecosystems() []advisory.Ecosystem {
	var out []advisory.Ecosystem
	at := map[string]int{}
	for _, s := range m.Segments {
		for _, e := range s.Ecosystems {
			i, ok := at[e.Name]
			if !ok {
				at[e.Name] = len(out)
				out = append(out, e)
				continue
			}
			out[i].Records += e.Records
			out[i].Packages += e.Packages
			out[i].Modified = newest(out[i].Modified, e.Modified)
		}
	}
	slices.SortFunc(out, func(a, b advisory.Ecosystem) int { return strings.Compare(a.Name, b.Name) })
	return out
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
