package advisory

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
)

// Record is one advisory, as one database states it. Nothing in it is derived:
// texts are the database's own, save that Summary is one line. Its fields are
// those of an OSV record, which any other format can be written as.
//
// Source: OSV schema 1.7.5.
type Record struct {
	ID string
	// Modified, Published and Withdrawn are RFC 3339 times. Published may be
	// empty; Withdrawn is empty unless the database took the record back.
	Modified  string
	Published string
	Withdrawn string
	// Aliases are ids of the same vulnerability, Upstream of vulnerabilities
	// that this record passes on, Related of others.
	Aliases  []string
	Upstream []string
	Related  []string
	// Summary is one line; where the record has none, the first of its details.
	Summary string
	// Scores are the severities that hold for every package.
	Scores []finding.Score
	// Rating is the database's word for the severity, such as "MODERATE".
	Rating string
	// URL is where to read more; empty where the record has no http reference.
	URL string
	// Affected is in the record's order. Views leave it out.
	Affected []Affected
	// Digest is the SHA-256 of the record's text, "sha256:" and 64 hex digits.
	Digest string
}

// Database returns the database that the record is from: what its id starts
// with, such as "GHSA", "GO" or "DEBIAN".
func (r *Record) Database() string {
	db, _, _ := strings.Cut(r.ID, "-")
	return db
}

// Affected is one package that a record affects.
type Affected struct {
	// Ecosystem and Name are as the record writes them; both are empty where
	// the record names no package but a repository.
	Ecosystem string
	Name      string
	Ranges    []Range
	Versions  VersionList // enumerated versions, beside the ranges
	// Scores are the severities that hold for this package.
	Scores []finding.Score
	// Rating is the word for this package's severity: what a distribution
	// calls urgency or priority.
	Rating string
}

// RangeType says how the versions of a range are ordered.
type RangeType string

// The types of range.
const (
	RangeEcosystem RangeType = "ECOSYSTEM" // as the ecosystem orders versions
	RangeSemver    RangeType = "SEMVER"    // by Semantic Versioning 2.0.0
	RangeGit       RangeType = "GIT"       // by the commits of Repo, which a version alone does not tell
)

// Range is a set of versions that events describe.
type Range struct {
	Type   RangeType
	Repo   string
	Events []version.Event
}

// VersionList is a list of version texts, packed into one string: each is its
// length as an unsigned varint and its bytes. The zero list is empty. A
// malformed list ends where it is malformed.
type VersionList string

// NewVersionList packs versions.
func NewVersionList(versions ...string) VersionList {
	var b []byte
	for _, v := range versions {
		b = AppendVersion(b, v)
	}
	return VersionList(b)
}

// AppendVersion appends one version to the bytes of a list.
func AppendVersion[T string | []byte](list []byte, v T) []byte {
	return append(binary.AppendUvarint(list, uint64(len(v))), v...)
}

// All yields the versions in order, without copying them.
func (l VersionList) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for v, rest, ok := l.cut(); ok; v, rest, ok = rest.cut() {
			if !yield(v) {
				return
			}
		}
	}
}

// Has reports whether v is one of the texts.
func (l VersionList) Has(v string) bool {
	for w, rest, ok := l.cut(); ok; w, rest, ok = rest.cut() {
		if v == w {
			return true
		}
	}
	return false
}

// cut cuts the first version off.
func (l VersionList) cut() (v string, rest VersionList, ok bool) {
	var n, shift uint64
	for i := 0; i < len(l) && shift < 63; i++ {
		n |= uint64(l[i]&0x7f) << shift
		if l[i] < 0x80 {
			if l = l[i+1:]; n > uint64(len(l)) {
				return "", "", false
			}
			return string(l[:n]), l[n:], true
		}
		shift += 7
	}
	return "", "", false
}

// RecordError says why one record cannot be used. Whoever reads many records
// sets such a one aside and goes on; any other error ends the reading.
type RecordError struct {
	File    string // where the record is; members of archives follow "!/"
	Line    int    // in a file of lines, the line; otherwise 0
	ID      string // the record's id, where that could be read
	Pointer string // JSON pointer (RFC 6901) to the place, where there is one
	Digest  string // SHA-256 of the record's text, where all of it was read
	Err     error
}

// Error names the place and the reason.
func (e *RecordError) Error() string {
	where := e.File
	if e.Line > 0 {
		where += fmt.Sprintf(":%d", e.Line)
	}
	if e.ID != "" {
		where = strings.TrimSpace(where + " (" + e.ID + ")")
	}
	if e.Pointer != "" {
		where += " at " + e.Pointer
	}
	return fmt.Sprintf("read advisory %s: %v", where, e.Err)
}

// Unwrap returns the reason.
func (e *RecordError) Unwrap() error { return e.Err }
