package advisory

// Linkset is everything that is said about one vulnerability, side by side. Its
// key is a CVE id, or, for records that hang together without one, the smallest
// of their ids. It names records and copies nothing of them. Two CVE ids are
// never one linkset: a record that names several is a member of each, and
// aliases lead through records without a CVE id only.
type Linkset struct {
	Key string `json:"key"`
	// Members are sorted by source and id.
	Members []Member `json:"members"`
	// Aliases are the other ids of the vulnerability, sorted. CVE ids are never
	// among them.
	Aliases []string `json:"aliases,omitempty"`
	// Upstream and Related are edges to other linksets, as members state them,
	// sorted.
	Upstream []string `json:"upstream,omitempty"`
	Related  []string `json:"related,omitempty"`
	// Conflicts are where members contradict each other, sorted.
	Conflicts []Conflict `json:"conflicts,omitempty"`
	// Confidence says in percent how well the members hang together; see
	// [Link].
	Confidence int `json:"confidence"`
}

// Member is a record in a linkset.
type Member struct {
	Source string `json:"source,omitempty"`
	ID     string `json:"id"`
	Digest string `json:"digest"`
	// Withdrawn says that the database took it back.
	Withdrawn bool `json:"withdrawn,omitzero"`
	// Path is the chain of ids that leads from the record to the key, both
	// included.
	Path []string `json:"path"`
}

// ConflictKind says about what members contradict each other.
type ConflictKind string

// The kinds of conflict.
const (
	ConflictSeverity  ConflictKind = "severity-mismatch"         // base scores more than 1.0 apart
	ConflictRange     ConflictKind = "affected-range-divergence" // one package, other versions
	ConflictAlias     ConflictKind = "alias-inconsistency"       // an alias leads to several CVE ids
	ConflictWithdrawn ConflictKind = "withdrawn-mismatch"        // some took it back, others did not
	ConflictDuplicate ConflictKind = "duplicate-id"              // sources have other texts under one id
	ConflictSize      ConflictKind = "too-many-members"          // more than MaxMembers: look at it
)

// MaxMembers is the number of members from which on a linkset is marked with
// ConflictSize.
const MaxMembers = 32

// Conflict is one contradiction.
type Conflict struct {
	Kind ConflictKind `json:"kind"`
	// Field is what it is about, such as "Debian:12/openssl" or "CVSS_V3".
	Field string `json:"field"`
	// Values are what is said, each with the record that says it, sorted.
	Values []Stated `json:"values"`
}

// Stated is a value and who states it.
type Stated struct {
	Record string `json:"record"`
	Value  string `json:"value"`
}
