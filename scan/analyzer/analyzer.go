// Package analyzer is the contract of the plugins that read package databases,
// lockfiles, archives and binaries while a layer streams by. Each ecosystem is
// one sub-package; package all lists them.
//
// An analyzer sees one file at a time and says facts about it. What needs two
// files is joined later, when the facts of all layers have been squashed into
// one view: see [Joiner]. Facts are serialisable, so that a layer is read once
// and its facts are kept.
package analyzer

import (
	"context"
	"errors"

	"github.com/stella-ops/stella/scan/sbom"
)

// Analyzer reads the files of one ecosystem. Implementations are stateless and
// safe for concurrent use.
type Analyzer interface {
	// Info names the analyzer and the version of its facts. The version is
	// raised whenever the same file would give other facts.
	Info() Info

	// Paths says which files the analyzer wants. It is called once.
	Paths() Paths

	// Extract returns what f says, in an order that depends on f alone. It must
	// not keep f or its bytes after it returns, and must not open anything else.
	// An error means that f could not be read whole: it becomes a gap that names
	// f, and facts returned beside it are kept.
	Extract(ctx context.Context, f *File) ([]Fact, error)
}

// Info names an analyzer.
type Info struct {
	Name    string // ecosystem word, such as "dpkg"
	Version int    // of the facts; starts at 1
	// Authoritative analyzers read databases of installed packages: a file of
	// theirs that cannot be read is a blocking gap.
	Authoritative bool
	// Rules is the digest of what else its facts depend on, such as rules that a user
	// gave; empty for nothing.
	Rules string
}

// Paths says which files an analyzer wants. A file is wanted when any of the
// lists matches it, or All is set, and Accept, if set, agrees. Paths are relative to the root,
// slash-separated, without a leading slash.
type Paths struct {
	Exact    []string               // whole paths: "var/lib/dpkg/status"
	Dirs     []string               // files below a folder, at any depth: "var/lib/dpkg/status.d"
	Names    []string               // base names: "package.json"
	Suffixes []string               // ends of base names, lower case, compared without case: ".jar"
	Magic    []string               // leading bytes, at most 8: "\x7fELF"
	Accept   func(path string) bool // a further condition on the path; nil accepts all
	All      bool                   // every file that Accept agrees to
	// Forward says that the analyzer reads from the start and is content with
	// [ErrForward]. A large file that such analyzers alone want is shown to all of
	// them as it streams by, and is never kept.
	Forward bool
}

// Errors that content and analyzers tell each other. See [Paths.Forward].
var (
	// ErrForward is what ReaderAt returns for content that streams by.
	ErrForward = errors.New("content can be read forwards only")
	// ErrAgain is what Extract returns when it must see the file once more, with
	// random access. It has not said anything about it yet.
	ErrAgain = errors.New("content must be read again, with random access")
)

// Kind says what a fact is about.
type Kind string

// The kinds of facts.
const (
	KindPackage Kind = "package" // a package, complete or to be completed by Join
	KindPart    Kind = "part"    // part of what is known of a package, joined by Key; never reported alone
	KindOS      Kind = "os"      // the distribution
	KindProgram Kind = "program" // a file that can be run or loaded
	KindSecret  Kind = "secret"  // something that should not be in an image
	KindLicense Kind = "license" // the licences that a text states: Package has nothing else
)

// Fact is one thing that one file says. The zero value of each field means
// that the file does not say it.
type Fact struct {
	Kind Kind `json:"kind"`
	// Key is the name under which other facts refer to this one. For parts it is
	// the key of the package they belong to. Keys are the analyzer's own.
	Key string `json:"key,omitempty"`
	// Scope is the name space of Key, Parent and DependsOn. Empty means the file
	// itself; an analyzer whose database has many files sets one word for all.
	Scope string `json:"scope,omitempty"`
	// Package is what is known of the package. Locations, FoundBy and ID are
	// filled in later.
	Package *sbom.Package `json:"package,omitempty"`
	// OS is set for KindOS; Key then ranks alternatives, and the smallest counts.
	OS *sbom.OS `json:"os,omitempty"`
	// Program is set for KindProgram, Secret for KindSecret, whose Path and Layer
	// are filled in later.
	Program *Program     `json:"program,omitempty"`
	Secret  *sbom.Secret `json:"secret,omitempty"`
	// Inner is the place inside the file, for archives: "WEB-INF/lib/a.jar".
	Inner string `json:"inner,omitempty"`
	// Parent is the key of the package that contains this one.
	Parent string `json:"parent,omitempty"`
	// DependsOn are keys of packages that this one needs. What a Joiner does not
	// resolve, and what names nothing, is ignored.
	DependsOn []string `json:"depends_on,omitempty"`
	// Provides are further names under which DependsOn may refer to the package.
	Provides []string `json:"provides,omitempty"`
	// Owns are the paths of files that the package installed (operating system
	// packages only), without a leading slash, sorted.
	Owns []string `json:"owns,omitempty"`
	// Holds are files, and folders with all below them, that came with a package
	// of a language, without a leading slash, sorted; folders end in a slash. The
	// folder of the package's own file need not be named where it is one of its
	// own, as that of a package.json: the analyzer says so with "./".
	Holds []string `json:"holds,omitempty"`
	// Orphan says that the package counts only if no operating system package owns the
	// file, and none of the same name, or of a source of that name, is installed in the same
	// version.
	Orphan bool `json:"orphan,omitempty"`
}

// Located is a fact with its place in the image.
type Located struct {
	Fact
	Path  string // the file that says it
	Layer int    // index of the layer that the file is in, base first
}

// Joiner is implemented by analyzers whose packages need more than one file.
// It is found by type assertion.
type Joiner interface {
	// Join turns the analyzer's facts, as visible in the squashed image, into
	// complete package facts. It is pure: it depends on in alone. Facts of other
	// kinds in the result are dropped. It must not modify what in holds: facts
	// may be shared with a cache.
	Join(in *Squashed) ([]Located, []sbom.Gap)
}

// Squashed is what a Joiner sees.
type Squashed struct {
	// OS is the distribution, or nil.
	OS *sbom.OS
	// Facts are the analyzer's visible facts, sorted by path, in the order of
	// extraction within a file.
	Facts []Located
	// Resolve follows symbolic links of the squashed image in every part of
	// path. It returns path itself where there are none, and "" for a cycle.
	Resolve func(path string) string
}
