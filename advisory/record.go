package advisory

import (
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
)

// Record is one advisory, as one database states it. Nothing in it is derived:
// texts are the database's own, save that Summary is one line. Its fields are
// those of an OSV record, which any other format can be written as.
//
// Source: OSV schema 1.7.5.
type Record struct {
	ID string `json:"id"`
	// Source is the name of the source that it was read from; empty for records
	// that were imported by hand.
	Source string `json:"source,omitempty"`
	// Modified, Published and Withdrawn are RFC 3339 times. Published may be
	// empty; Withdrawn is empty unless the database took the record back.
	Modified  string `json:"modified"`
	Published string `json:"published,omitempty"`
	Withdrawn string `json:"withdrawn,omitempty"`
	// Aliases are ids of the same vulnerability, Upstream of vulnerabilities
	// that this record passes on, Related of others.
	Aliases  []string `json:"aliases,omitempty"`
	Upstream []string `json:"upstream,omitempty"`
	Related  []string `json:"related,omitempty"`
	// Summary is one line; where the record has none, the first of its details.
	Summary string `json:"summary,omitempty"`
	// Details is the long description as it was written.
	Details string `json:"details,omitempty"`
	// Scores are the severities that hold for every package.
	Scores []finding.Score `json:"severity,omitempty"`
	// Rating is the database's word for the severity, such as "MODERATE".
	Rating string `json:"rating,omitempty"`
	// CWEs are ids of weaknesses, "CWE-79".
	CWEs []string `json:"cwes,omitempty"`
	// URL is where to read more; empty where the record has no http reference.
	URL string `json:"url,omitempty"`
	// References are all of them, in the record's order.
	References []Reference `json:"references,omitempty"`
	// Affected is in the record's order. Views leave it out.
	Affected []Affected `json:"affected,omitempty"`
	// Digest is the SHA-256 of the record's text, "sha256:" and 64 hex digits:
	// of its document, or of its part of a document with many.
	Digest string `json:"digest,omitempty"`
}

// Reference is where a record says to read more.
type Reference struct {
	Type string `json:"type,omitempty"` // "ADVISORY", "FIX", "WEB", … (OSV schema, references[].type)
	URL  string `json:"url"`
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
	// the record names no package but a repository. For the ecosystem "CPE" the
	// name is part, vendor and product of a CPE 2.3 name, "a:openssl:openssl".
	Ecosystem string      `json:"ecosystem,omitempty"`
	Name      string      `json:"name,omitempty"`
	Ranges    []Range     `json:"ranges,omitempty"`
	Versions  VersionList `json:"versions,omitempty"` // enumerated versions, beside the ranges
	// Status is what the database decided about the package; empty where it says
	// no more than versions.
	Status Status `json:"status,omitempty"`
	// Stream is the module and stream that the package is built for, such as
	// "nodejs:18" (dnf's modularity); empty for none.
	Stream string `json:"stream,omitempty"`
	// Scores are the severities that hold for this package.
	Scores []finding.Score `json:"severity,omitempty"`
	// Rating is the word for this package's severity: what a distribution
	// calls urgency or priority.
	Rating string `json:"rating,omitempty"`
}

// Status is what a database decided about an affected package, beside which
// versions are affected. All but NotAffected leave it affected.
type Status string

// The statuses. The names are those of Red Hat's, Debian's and Ubuntu's
// trackers, in the words that scanners share.
const (
	NotAffected        Status = "not_affected"        // looked at, and not affected in any version
	UnderInvestigation Status = "under_investigation" // nobody knows yet
	WillNotFix         Status = "will_not_fix"        // affected, and it stays so
	FixDeferred        Status = "fix_deferred"        // affected; a fix comes with a later update
	EndOfLife          Status = "end_of_life"         // affected; the release gets no fixes any more
	Unimportant        Status = "unimportant"         // the code is there, and it does not matter
)

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
	Type   RangeType       `json:"type"`
	Repo   string          `json:"repo,omitempty"`
	Events []version.Event `json:"events"`
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

// MarshalJSON writes the versions as an array.
func (l VersionList) MarshalJSON() ([]byte, error) {
	return json.Marshal(slices.Collect(l.All()), jsontext.AllowInvalidUTF8(true))
}

// UnmarshalJSON reads an array of versions.
func (l *VersionList) UnmarshalJSON(text []byte) error {
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*l = NewVersionList(list...)
	return nil
}
