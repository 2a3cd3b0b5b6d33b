// Package drift finds whom a change of the advisories concerns, without opening an
// image or an SBOM.
//
// A new head says which packages in which records differ (facts). Stored packages
// are kept by what advisories are asked about them; those that a fact names are
// matched with the snapshot before and the one after, and where findings differ,
// the scans that have the package are told of it, once for each scan,
// vulnerability and head. So what is announced is what matching every stored SBOM
// with both snapshots would tell apart.
//
// A head concerns the scans whose results were stored before it became current.
// What a scan that was stored later, with older advisories, has missed is found
// when it is evaluated again (package scan/schedule): each head is announced for
// each scan by exactly one of the two. Every head is compared with the one before
// it, so heads may be worked on in any order, and what one head announced and the
// next takes back is announced as taken back.
package drift

import (
	"context"
	"iter"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that a Worker returns beside those of its parts.
var (
	ErrInvalid error = fault.Invalid
	ErrLimit   error = fault.Limit
)

// Store is what a Worker reads and writes. A store.Root gives one. It is safe for
// concurrent use.
type Store interface {
	// Facts yields what differs between a head and the one before.
	Facts(ctx context.Context, head int64) iter.Seq2[advisory.Fact, error]
	// Candidates yields the packages of all tenants that have one of the keys. A
	// package may come more than once.
	Candidates(ctx context.Context, keys []finding.Key) iter.Seq2[Candidate, error]
	// Postings yields which documents of a tenant have the packages.
	Postings(ctx context.Context, tenant string, packages []int64) iter.Seq2[Posting, error]
	// Progress says how far a tenant is with a head.
	Progress(ctx context.Context, tenant string, head int64) (Progress, error)
	// Announce tells, in one transaction, the next scans of an announcement after
	// where the tenant stands, and moves that on. It returns where the tenant
	// stands then.
	Announce(ctx context.Context, tenant string, a *Announcement) (Progress, error)
	// Finish notes that a tenant is through with a head.
	Finish(ctx context.Context, tenant string, head int64) error
	// Consume notes that the event of a head needs nobody any more.
	Consume(ctx context.Context, eventID string) error
}

// Candidate is a stored package that may be concerned.
type Candidate struct {
	Tenant  string
	Package int64  // number within the tenant
	Fact    string // what it is matched by; see [advisory.Keys]
}

// Posting says that a document has a package.
type Posting struct{ Package, Document int64 }

// Progress is how far a tenant is with a head. Vulnerabilities are announced in
// the order of their bytes, documents and their scans in the store's.
type Progress struct {
	Vulnerability string // "" before the first
	Document      int64
	Scan          string
	// Through says that the documents of the last announcement have no further
	// scans, Done that the head is announced to the tenant.
	Through, Done bool
}

// Announcement is one vulnerability that turned for documents of a tenant.
type Announcement struct {
	Head          int64
	Vulnerability string
	Severity      finding.Severity
	Summary       string // at most MaxSummary bytes
	// Exploited says that it is listed as exploited, Fixed that a package that turned has
	// a fixed version.
	Exploited, Fixed bool
	// Documents are sorted by their numbers, at most MaxDocuments.
	Documents []Document
}

// Document is one stored SBOM.
type Document struct {
	Number int64
	Turn   finding.Turn // of its packages together
}

// The bounds of an announcement, of one question to the index, and of how many
// packages one head may turn.
const (
	MaxSummary   = 512
	MaxDocuments = 500
	MaxKeys      = 500
	MaxTurned    = 2_000_000
)
