package advisory

import "context"

// View is advisory data as matching reads it: an immutable set of records,
// indexed by the packages that they affect. snapshot.Snapshot is one. Its
// methods are safe for concurrent use and keep to what they have verified: a
// view that finds its data damaged returns an error that wraps [ErrMismatch]
// or [ErrInvalid].
type View interface {
	// Digest identifies the data, "sha256:" and 64 hex digits. Views with equal
	// digests give equal answers.
	Digest() string
	// Ecosystems lists what the data is about, sorted by name. The caller must
	// not change the list.
	Ecosystems() []Ecosystem
	// Affected returns the entries about a package, in the order of their
	// records' databases and ids; none is no error. Both names are exact:
	// ecosystem as Ecosystems has it, name in the form of [CanonicalName].
	Affected(ctx context.Context, ecosystem, name string) ([]Entry, error)
	// Record returns the record of an entry of this view, without Affected and
	// its long texts.
	Record(ctx context.Context, ref Ref) (*Record, error)
	// Text returns what Record left out: details, references, weaknesses, and
	// the affected packages.
	Text(ctx context.Context, ref Ref) (*Text, error)
	// Named returns the records that have an id among their [Record.Names], in the
	// order of Affected; none is no error.
	Named(ctx context.Context, id string) ([]Ref, error)
	// Signals returns what is known of a vulnerability beside its packages, in
	// the order of the sources' names; none is no error.
	Signals(ctx context.Context, vulnerability string) ([]Signal, error)
}

// Lookup is one question to [View.Affected].
type Lookup struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
}

// Prefetcher is a view that answers faster when it is told beforehand what it
// will be asked. A view that is far away is one.
type Prefetcher interface {
	Prefetch(ctx context.Context, list []Lookup) error
}

// Text is the part of a record that matching does not need.
type Text struct {
	// Details is the description, at most MaxDetails bytes of it.
	Details    string      `json:"details,omitempty"`
	References []Reference `json:"references,omitempty"`
	CWEs       []string    `json:"cwes,omitempty"`
	// Affected are the packages and their versions as far as they are about the
	// entry's ecosystem, sorted by release and name.
	Affected []Affected `json:"affected,omitempty"`
}

// MaxDetails is how much of a description views keep, in bytes. The document
// that it is from has all of it.
const MaxDetails = 16 << 10

// Ecosystem is what a view has about one ecosystem.
type Ecosystem struct {
	Name     string `json:"name"`     // as records write it, "Debian:12"
	Records  int    `json:"records"`  // records that affect a package of it
	Packages int    `json:"packages"` // packages that they affect
	Modified string `json:"modified"` // newest time of modification of a record
	// Origins are the sources that it is from; none for what was imported by
	// hand.
	Origins []Origin `json:"origins,omitempty"`
}

// Origin is how fresh one source's data is.
type Origin struct {
	Source string `json:"source"`
	// Checked is when the source was last asked with success, RFC 3339 in UTC.
	Checked string `json:"checked,omitempty"`
	// StaleAfter is the age in hours from which on it counts as stale; 0 means
	// never.
	StaleAfter int `json:"stale_after,omitzero"`
}

// Ref names a record within one view.
type Ref uint64

// Entry is one affected package of a record.
type Entry struct {
	Affected
	Record    Ref
	Withdrawn bool // the record was taken back
}
