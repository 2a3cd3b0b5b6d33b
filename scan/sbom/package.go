package sbom

import "github.com/stella-ops/stella/scan/purl"

// State tells an installed package from one that a file only declares.
type State string

// The states of a package.
const (
	Installed State = ""         // its files are there
	Declared  State = "declared" // a lockfile or manifest names it
)

// Scope tells what a package is needed for, where the format says so.
type Scope string

// The scopes of a package.
const (
	ScopeRuntime  Scope = ""         // needed to run, or unknown
	ScopeDev      Scope = "dev"      // only for development, building or tests
	ScopeOptional Scope = "optional" // may be left out
)

// Package is one package of a subject.
type Package struct {
	// ID identifies the package in its document; derived from content by
	// Normalize when empty.
	ID string `json:"id,omitempty"`
	// Type is what the package is, in CycloneDX's words: "library" (also when
	// empty), "application", "framework", "operating-system", "container", …
	Type string `json:"type,omitempty"`
	// Name is the package's own name, with its namespace in the ecosystem's own
	// spelling: "libc6", "@babel/core", "org.slf4j:slf4j-api".
	Name string `json:"name"`
	// Version is as the package's own database writes it, with an epoch where
	// it has one ("1:2.3-4"). Empty means unknown, and nothing is matched by it.
	Version string `json:"version,omitempty"`
	// PURL is the package URL; zero where none can be made.
	PURL purl.PackageURL `json:"purl,omitzero"`
	// Arch is the machine architecture the package was built for, or empty.
	Arch string `json:"arch,omitempty"`
	// Upstream is the source package that the binary package was built from;
	// nil where it is the package itself or unknown. Distributions publish
	// their advisories by source package.
	Upstream *Upstream `json:"upstream,omitempty"`
	// State and Scope default to installed and runtime.
	State State `json:"state,omitempty"`
	Scope Scope `json:"scope,omitempty"`
	// FoundBy names the analyzer.
	FoundBy string `json:"found_by,omitempty"`
	// Locations are where the package was found, sorted by path.
	Locations []Location `json:"locations,omitempty"`
	// Licenses as the package declares them, someone concluded them, or texts among
	// its files state them.
	Licenses []License `json:"licenses,omitempty"`
	// Hashes are digests of the package file itself, sorted.
	Hashes []Hash `json:"hashes,omitempty"`
	// CPEs are CPE 2.3 names, sorted.
	CPEs []string `json:"cpes,omitempty"`
	// The rest is description; each may be empty.
	Description string `json:"description,omitempty"`
	Supplier    string `json:"supplier,omitempty"`   // who distributes it; "Name (mail)" at most
	Originator  string `json:"originator,omitempty"` // who wrote it
	Homepage    string `json:"homepage,omitempty"`
	Download    string `json:"download,omitempty"` // where the package itself can be had
	Copyright   string `json:"copyright,omitempty"`
	// Properties are facts of one ecosystem, sorted by name; names are
	// "<ecosystem>:<word>", such as "rpm:modularitylabel".
	Properties []Property `json:"properties,omitempty"`
	// Usage says whether what the image starts leads to the package; nil where
	// nobody looked, or could not tell.
	Usage *Usage `json:"usage,omitempty"`
	// Foreign holds what a decoded format said beyond all this.
	Foreign Foreign `json:"foreign,omitempty"`
}

// TypeFile is the Type of files that no package accounts for. They have a path
// for a name, a digest, and no version; nothing is matched by them.
const TypeFile = "file"

// UsageState says whether a package is used.
type UsageState string

// The states of usage.
const (
	// Reached means that following what the image starts leads to a file of the
	// package: interpreters, programs that scripts name, libraries they load.
	Reached UsageState = "reached"
	// Unreached means that everything that could be followed was, and none of it
	// leads to the package. Programs started, and libraries loaded, by names that
	// are made at run time are not seen.
	Unreached UsageState = "unreached"
)

// Usage is where a package stands in the usage view of its image.
type Usage struct {
	State UsageState `json:"state"`
	// Chain is one shortest way from what the image starts to the package: paths
	// of files, relative to the root. It is empty unless State is Reached.
	Chain []string `json:"chain,omitempty"`
}

// Upstream is the source package of a binary package.
type Upstream struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // empty means the binary package's version
}

// Location is one place where a package was found.
type Location struct {
	// Path is relative to the root of the subject, without a leading slash;
	// members of archives follow "!/", as in "app/a.war!/WEB-INF/lib/b.jar".
	Path string `json:"path"`
	// Layer is the diffID of the layer that brought the package at this path;
	// empty outside images.
	Layer string `json:"layer,omitempty"`
}

// LicenseKind says who says so.
type LicenseKind string

// The kinds of licence statement.
const (
	LicenseDeclared  LicenseKind = ""          // the package itself
	LicenseConcluded LicenseKind = "concluded" // somebody who looked
	LicenseDetected  LicenseKind = "detected"  // a text among the package's files
)

// License is one licence statement: either an SPDX expression or free text.
type License struct {
	Kind LicenseKind `json:"kind,omitempty"`
	// Expression is an SPDX licence expression; one id is one too.
	Expression string `json:"expression,omitempty"`
	// Name is the statement as found where it is not an SPDX expression.
	Name string `json:"name,omitempty"`
	URL  string `json:"url,omitempty"`
}

// Hash is a digest of a file.
type Hash struct {
	Algorithm string `json:"alg"`   // lower case without dash: "sha256", "sha1", "md5", "sha512", "blake2b256", "sha3256"
	Value     string `json:"value"` // lower-case hex
}

// Property is a named value.
type Property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// RelationshipKind says how two elements relate.
type RelationshipKind string

// The kinds of relationship. Read them as "From kind To".
const (
	Contains  RelationshipKind = "contains"   // the subject contains a package, an archive another one
	DependsOn RelationshipKind = "depends-on" // From needs To
	OwnedBy   RelationshipKind = "owned-by"   // From's files were installed by To, an operating system package
)

// Relationship is a directed edge between two packages, or between the subject
// and a package.
type Relationship struct {
	From string           `json:"from"`
	Kind RelationshipKind `json:"kind"`
	To   string           `json:"to"`
}

// GapCode says why something was not assessed.
type GapCode string

// The codes of gaps. Blocking ones make a result "not assessed".
const (
	GapUnreadable   GapCode = "unreadable"    // a package database or file could not be parsed
	GapLimit        GapCode = "limit"         // a limit was reached
	GapPanic        GapCode = "panic"         // an analyzer failed
	GapUncaptured   GapCode = "uncaptured"    // a well-known path leads to a file that was not read
	GapUnsupported  GapCode = "unsupported"   // a known thing this version has no analyzer for
	GapNoData       GapCode = "no-data"       // no advisory data for this ecosystem or distribution
	GapNoVersion    GapCode = "no-version"    // a package without a usable version
	GapUnresolved   GapCode = "unresolved"    // a file needs other files or a network to be understood
	GapUnidentified GapCode = "unidentified"  // an operating system package database without a known distribution
	GapOddity       GapCode = "oddity"        // a tolerated irregularity of the input
	GapEndOfLife    GapCode = "end-of-life"   // the distribution no longer gets advisories
	GapStale        GapCode = "stale"         // advisory data that nobody renewed in time
	GapForeignLayer GapCode = "foreign-layer" // a layer that the registry does not hold
)

// Gap is something seen but not assessed.
type Gap struct {
	Code     GapCode `json:"code"`
	Blocking bool    `json:"blocking,omitempty"` // true: absence of findings means nothing
	Where    string  `json:"where"`              // file, layer or ecosystem
	Layer    string  `json:"layer,omitempty"`    // diffID, where there is one
	What     string  `json:"what"`               // the reason, one line
}
