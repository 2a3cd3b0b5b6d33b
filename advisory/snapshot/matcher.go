package snapshot

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// Matcher matches documents with snapshots of a cache: workers with the newest
// head, evaluations with the one that they are of. Heads is required for Match,
// Cache for both. It is safe for concurrent use.
type Matcher struct {
	Heads interface {
		Head(ctx context.Context, number int64) (*advisory.Head, error)
	}
	Cache   *Cache
	Options advisory.Options
	// Now is the clock by which Match judges the age of data, where Options has no
	// time. Nil means time.Now.
	Now func() time.Time
}

// Match matches a document with the newest head. Where there is none, nothing is
// assessed, which the report says.
func (m *Matcher) Match(ctx context.Context, doc *sbom.Document) (*finding.Report, error) {
	opts := m.Options
	if opts.At.IsZero() {
		if opts.At = time.Now(); m.Now != nil {
			opts.At = m.Now()
		}
	}
	head, err := m.Heads.Head(ctx, 0)
	if fault.KindOf(err) == fault.NotFound {
		return advisory.Matcher{Options: opts}.Match(ctx, doc)
	}
	if err != nil {
		return nil, fmt.Errorf("match with the newest advisories: %w", err)
	}
	return m.match(ctx, head.Digest, doc, opts)
}

// MatchAt matches a document with the snapshot that has a digest, as of a time.
func (m *Matcher) MatchAt(ctx context.Context, digest string, at time.Time, doc *sbom.Document) (*finding.Report, error) {
	opts := m.Options
	opts.At = at
	return m.match(ctx, digest, doc, opts)
}

// ExplainAt says why a package of a document is or is not affected, by the
// snapshot that has a digest, as of a time; see [advisory.Matcher.Explain].
func (m *Matcher) ExplainAt(ctx context.Context, digest string, at time.Time, doc *sbom.Document, pkg, vulnerability string) (*finding.Explanation, error) {
	opts := m.Options
	opts.At = at
	snap, done, err := m.Cache.View(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer done()
	return advisory.Matcher{View: snap, Options: opts}.Explain(ctx, doc, pkg, vulnerability)
}

func (m *Matcher) match(ctx context.Context, digest string, doc *sbom.Document, opts advisory.Options) (*finding.Report, error) {
	snap, done, err := m.Cache.View(ctx, digest)
	if err != nil {
		return nil, err
	}
	defer done()
	return advisory.Matcher{View: snap, Options: opts}.Match(ctx, doc)
}
