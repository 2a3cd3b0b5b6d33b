package finding

import "github.com/stella-ops/stella/scan/sbom"

// Conclusion is the answer to whether a vulnerability affects a package.
type Conclusion string

// The conclusions. Absence of data is never [NotAffected].
const (
	Affected    Conclusion = "affected"
	NotAffected Conclusion = "not_affected"
	NotAssessed Conclusion = "not_assessed" // nobody can say
	UnknownID   Conclusion = "unknown_id"   // no record of the data is about such an id
)

// Reason says why a record, an entry or an explanation ends as it does.
type Reason string

// The reasons.
const (
	ReasonInRange        Reason = "in_range"            // the versions contain it
	ReasonFixed          Reason = "fixed"               // it is at or after a fixed version
	ReasonOutside        Reason = "outside_range"       // the versions do not contain it
	ReasonStatus         Reason = "status"              // the database looked, and it is not affected
	ReasonWithdrawn      Reason = "withdrawn"           // the record was taken back
	ReasonOtherStream    Reason = "other_stream"        // for another stream of a module
	ReasonNoVulnerable   Reason = "no_vulnerability"    // an erratum that fixes no vulnerability
	ReasonOtherPackage   Reason = "other_package"       // about other packages of the ecosystem
	ReasonOtherRelease   Reason = "other_release"       // about other releases of the distribution
	ReasonOtherEcosystem Reason = "other_ecosystem"     // about other ecosystems
	ReasonNoPackages     Reason = "no_packages"         // names no package
	ReasonOwned          Reason = "owned"               // a distribution's package installed it, and answers for it
	ReasonNoVersion      Reason = "no_version"          // the package has no version
	ReasonBadVersion     Reason = "unreadable_version"  // the version cannot be compared
	ReasonBadRange       Reason = "unreadable_range"    // the record's versions cannot be compared
	ReasonNoData         Reason = "no_data"             // there is no data about the ecosystem
	ReasonUnsupported    Reason = "unsupported"         // no data can be about such a package
	ReasonUnidentified   Reason = "unidentified_system" // nothing says of which distribution it is
	ReasonStale          Reason = "stale_data"          // the data is too old
	ReasonEndOfLife      Reason = "end_of_life"         // the distribution gets no advisories any more
	ReasonLimit          Reason = "limit"               // there are too many records to look at
	ReasonUnknownID      Reason = "unknown_id"          // no record is about the id
)

// Explanation says for one package and one vulnerability how matching decides,
// and on what.
type Explanation struct {
	Package PackageFact `json:"package"`
	// Asked is the id as it was asked for; Vulnerabilities are what it stands
	// for, sorted: CVE ids, or the smallest id of records without one.
	Asked           string     `json:"asked"`
	Vulnerabilities []string   `json:"vulnerabilities,omitempty"`
	Conclusion      Conclusion `json:"conclusion"`
	Reason          Reason     `json:"reason"`
	Why             string     `json:"why"` // the same for people
	// Snapshot is the digest of the advisory data; empty means there was none.
	Snapshot string `json:"snapshot,omitempty"`
	Scope    Scope  `json:"scope"`
	// Records are those about the vulnerability, sorted by id and source.
	Records []ConsideredRecord `json:"records,omitempty"`
	// Backport compares what a distribution and others say about fixes.
	Backport *Backport `json:"backport,omitempty"`
	// Findings are what matching reports about the package and the
	// vulnerability, as it reports it.
	Findings []Finding `json:"findings,omitempty"`
	// Gaps are what matching reports about the package as not assessed, whatever
	// the vulnerability.
	Gaps []sbom.Gap `json:"gaps,omitempty"`
}

// PackageFact is the package as the document has it.
type PackageFact struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	PURL    string `json:"purl,omitempty"`
	// Owner is the distribution's package that installed it.
	Owner string `json:"owner,omitempty"`
}

// Scope is what is asked about a package.
type Scope struct {
	Name string `json:"name,omitempty"` // "Debian:12", for people
	// Ecosystems are those that the data has, with the newest modification of a
	// record; empty where there is no data.
	Ecosystems []EcosystemFact `json:"ecosystems,omitempty"`
	Scheme     string          `json:"scheme,omitempty"` // that orders versions
	Lookups    []Lookup        `json:"lookups,omitempty"`
}

// EcosystemFact is an ecosystem that the data has.
type EcosystemFact struct {
	Name     string `json:"name"`
	Modified string `json:"modified,omitempty"`
}

// Lookup is a name that is looked up, and the version that is compared.
type Lookup struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Why     string `json:"why"`
}

// ConsideredRecord is a record about the vulnerability.
type ConsideredRecord struct {
	ID        string `json:"id"`
	Source    string `json:"source,omitempty"`
	Digest    string `json:"digest,omitempty"`
	Withdrawn string `json:"withdrawn,omitempty"`
	// Path is the chain of ids that leads from the record to the vulnerability.
	Path []string `json:"path,omitempty"`
	// Applies says that a finding rests on it.
	Applies bool   `json:"applies"`
	Reason  Reason `json:"reason"`
	Why     string `json:"why"`
	// Entries are what it says about the package.
	Entries []ConsideredEntry `json:"entries,omitempty"`
	// Elsewhere are packages that it names otherwise, "npm/lodash", at most
	// MaxElsewhere of them; More counts the others.
	Elsewhere []string `json:"elsewhere,omitempty"`
	More      int      `json:"more,omitzero"`
}

// MaxElsewhere bounds the packages that an explanation lists of a record that
// is about others.
const MaxElsewhere = 8

// ConsideredEntry is one entry of a record about the package.
type ConsideredEntry struct {
	Ecosystem string       `json:"ecosystem"`
	Name      string       `json:"name"`
	Version   string       `json:"version"` // that was compared
	Stream    string       `json:"stream,omitempty"`
	Status    string       `json:"status,omitempty"`
	Applies   bool         `json:"applies"`
	Reason    Reason       `json:"reason"`
	Why       string       `json:"why"`
	Compared  []Comparison `json:"compared,omitempty"`
	Fixed     []string     `json:"fixed,omitempty"` // every fixed version that it names
}

// Comparison is a version compared with one range or list of versions.
type Comparison struct {
	Type   string `json:"type"`   // "ECOSYSTEM", "SEMVER", "GIT", or "versions"
	Range  string `json:"range"`  // as it is written
	Answer string `json:"answer"` // "yes", "no", "unknown" or "not compared"
	Why    string `json:"why,omitempty"`
}

// Backport says where a distribution fixed something, and where others did.
type Backport struct {
	Upstream     []FixedIn `json:"upstream"`
	Distribution []FixedIn `json:"distribution"`
	Why          string    `json:"why"`
}

// FixedIn is what one record says about fixed versions of a package.
type FixedIn struct {
	Record    string   `json:"record"`
	Ecosystem string   `json:"ecosystem"`
	Name      string   `json:"name"`
	Versions  []string `json:"versions"`
}
