package vex

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/stella-ops/stella/internal/door"
)

// Source is one publisher's feed of documents: how they are fetched, and how they
// are read. Fetching and reading are apart, so that a document that is kept can be
// read again. A Source is safe for concurrent use.
type Source interface {
	// Describe says what the source is. It does not change.
	Describe() Description
	// Fetch passes documents to emit: at least those that changed since state,
	// which is what an earlier Fetch returned, and nil at first. What emit returns
	// ends the fetching and is returned as it is. A Fetch that fails may have passed
	// documents on; the state is then the one from before.
	Fetch(ctx context.Context, door Door, state []byte, emit func(*Document) error) (*Fetched, error)
	// Parse yields what a document says, by its Name and Content alone, prepared,
	// with Origin as far as the document tells. A part that cannot be used is a
	// [*StatementError], after which it goes on; any other error is the last and
	// means that the document as a whole cannot be used.
	Parse(doc *Document) iter.Seq2[*Statement, error]
}

// How sources reach their publishers: over the network, from a mirror, or from a
// folder. Package advisory/feed has doors.
type (
	// Door opens addresses. It is safe for concurrent use.
	Door = door.Door
	// Request asks for one address.
	Request = door.Request
	// Response is an answer. Its body must be closed.
	Response = door.Response
)

// Description says what a source is and on what terms its data comes.
type Description struct {
	// Name is the source's key: lower case letters, digits and hyphens. Issuers of
	// a Trust name it.
	Name string
	// Title is its name for people, Home where to read about it.
	Title, Home string
	// License is an SPDX expression, or "LicenseRef-…" where there is none.
	License, Attribution string
	// Redistribute says that the licence lets changed data be passed on.
	Redistribute bool
	// Hosts are the hosts that Fetch asks, for allow-lists.
	Hosts []string
}

// Document is one raw document, byte for byte as its publisher wrote it.
type Document struct {
	Source string // Description.Name
	// Name is the document's name within its source; a newer document of that name
	// supersedes it. It is a slash-separated path without "..".
	Name string
	// URL is where it was read from.
	URL string
	// Content is the document, or a DSSE envelope around it. It must not be changed.
	Content []byte
	// Gone says that the publisher has it no longer; Content is then nil.
	Gone bool
	// Proof is a detached signature over Content, such as an OpenPGP one; nil where
	// there is none, or Content is an envelope.
	Proof []byte
}

// Fetched is the outcome of a Fetch.
type Fetched struct {
	// State is given to the next Fetch; at most 1 MiB.
	State []byte
	// Complete says that every document that exists was passed on: those that were
	// not are gone.
	Complete bool
	// Unchanged says that the publisher has nothing new; Complete is then false.
	Unchanged bool
}

// Verifier checks who signed a document. Package trust has one. It is safe for
// concurrent use.
type Verifier interface {
	// Verify returns the state of a document's signature. It looks at Content and
	// Proof alone. An error means that it could not be checked now, such as for
	// want of a transparency log; it says nothing about the document.
	Verify(ctx context.Context, doc *Document) (Verification, error)
}

// Verification is what came of checking a signature.
type Verification struct {
	Signature Signature
	// Signer is the identity of the key, where Signature is Verified.
	Signer string
	// Why says why the signature is Bad, or Unchecked.
	Why string
	// Payload is what an envelope holds; nil where Content is the document itself, or
	// the envelope cannot be read. It is the bytes that were verified, where Signature
	// is Verified, and an in-toto statement is whole: package format reads it.
	Payload []byte
}

// StatementError is a part of a document that cannot be used.
type StatementError struct {
	Document string // its name
	Pointer  string // JSON pointer to the part
	Err      error  // wraps a kind
}

// Error says where and why.
func (e *StatementError) Error() string {
	return fmt.Sprintf("%s: %s: %v", e.Document, e.Pointer, e.Err)
}

// Unwrap returns Err.
func (e *StatementError) Unwrap() error { return e.Err }

// Feeds keeps what sources publish, verbatim and as what it says. A store is one,
// for what is public or for one tenant. Raw documents and statements are never
// changed or deleted: a newer document ends what the older one said, and history can
// be asked as of any head. It is safe for concurrent use.
type Feeds interface {
	// Begin takes a source for a while. An error wraps ErrConflict while another
	// holder has it.
	Begin(ctx context.Context, source, holder string, length time.Duration) (*Run, error)
	// Extend makes a run last from now on for its length again. It and every other
	// call with a run is refused with ErrFenced when another holder has the source
	// by now.
	Extend(ctx context.Context, r *Run) error
	// Known yields the current documents of a source, sorted by name.
	Known(ctx context.Context, source string) iter.Seq2[Known, error]
	// Keep stores raw documents with their proofs, before anybody reads them, in one
	// transaction. One whose content and proof are current is left alone.
	Keep(ctx context.Context, r *Run, documents []*Document) error
	// Raw returns a document by the digest of its content, which is verified.
	Raw(ctx context.Context, digest string) (*Document, error)
	// Observe stores what documents say, in one transaction: it ends what an earlier
	// document of the name said.
	Observe(ctx context.Context, r *Run, list []Observed) error
	// Finish ends the run, in one transaction: documents that are gone end what they
	// said, the state is kept, and the run is released.
	Finish(ctx context.Context, r *Run, f Finish) error
}

// Run is one ingestion of one source, which somebody holds.
type Run struct {
	Source string
	// Number is larger than that of every earlier run of any source.
	Number int64
	Epoch  int64
	Holder string
	Length time.Duration
	// State is what the last finished run returned; nil at first.
	State []byte
}

// Known is a document that is kept.
type Known struct {
	Name   string
	Digest string // of its content
	Proof  string // digest of its detached signature; "" where it has none
	// Pending says that it is to be read: its reader died, or its signature could not
	// be checked.
	Pending bool
}

// Reading is what came of reading a document that is current.
type Reading struct {
	Source   string `json:"source"`
	Document string `json:"document"` // its name
	Digest   string `json:"digest"`   // of its content
	// Pending says that nobody has read it yet; the rest is then empty.
	Pending bool `json:"pending,omitzero"`
	// Signature is what came of checking it, with the signer or the reason.
	Signature Signature `json:"signature,omitempty"`
	Signer    string    `json:"signer,omitempty"`
	Why       string    `json:"why,omitempty"`
	// Quarantined says why nothing that the document says to lower risk is in force;
	// "" where it is.
	Quarantined string `json:"quarantined,omitempty"`
	// Count is how many parts could not be used, Problems the first of them.
	Count    int       `json:"count,omitzero"`
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is a part of a document that could not be used.
type Problem struct {
	Pointer string `json:"pointer"` // JSON pointer to it
	Error   string `json:"error"`
}

// Observed is what one document says.
type Observed struct {
	Document   string // its name
	Digest     string // of its content
	Statements []*Statement
	// Problems are parts that could not be used. The raw document is kept.
	Problems []*StatementError
	// Quarantined says why the whole document cannot be used; what the one before it
	// said to lower risk ends all the same, and what raised it stays.
	Quarantined string
	// Signature is what came of checking it, with the reason.
	Signature Signature
	Signer    string
	Why       string
}

// Finish is how a run ends.
type Finish struct {
	State []byte
	// Gone are the names of documents that the publisher has no longer.
	Gone []string
	// Cause says why the run failed; it then ends as it is, and its State is not
	// kept.
	Cause string
}

// SourceState is how a source stands.
type SourceState struct {
	Source string `json:"source"`
	// Released is the number of the run that heads are made of, 0 for none.
	Released    int64 `json:"released"`
	Documents   int   `json:"documents"`
	Statements  int   `json:"statements"`
	Quarantined int   `json:"quarantined"`
	Problems    int   `json:"problems"`
	// Succeeded is when the last run succeeded, Failed when the last one that failed
	// did, with its Cause.
	Succeeded time.Time `json:"succeeded,omitzero"`
	Failed    time.Time `json:"failed,omitzero"`
	Cause     string    `json:"cause,omitempty"`
}

// Heads is the succession of sets that are made of what Feeds keeps, with the
// consensus that follows. A store is one. It is safe for concurrent use.
type Heads interface {
	// Head returns a head by its number, and the newest for 0. An error wraps
	// ErrNotFound.
	Head(ctx context.Context, number int64) (*Head, error)
	// Sources returns how every source stands, sorted by name.
	Sources(ctx context.Context) ([]SourceState, error)
	// Changed returns the vulnerabilities, in upper case and sorted, that statements
	// name which differ between a head, nil for none, and what is released now; and
	// those whose consensus is due to change by a time.
	Changed(ctx context.Context, since *Head, at time.Time) ([]string, error)
	// Statements yields what is in force as of the runs of a head, nil for what is
	// released now, about any of the vulnerabilities, nil for all; sorted by ID and
	// each once.
	Statements(ctx context.Context, at *Head, vulnerabilities []string) iter.Seq2[*Statement, error]
	// Consensus returns what is decided about vulnerabilities as of the newest head,
	// nil for all, sorted by vulnerability and product.
	Consensus(ctx context.Context, vulnerabilities []string) ([]Decision, error)
	// Commit makes a head the newest, replaces the decisions about vulnerabilities,
	// and announces the net changes, in one transaction. An error wraps ErrConflict
	// when the newest is not the one before it.
	Commit(ctx context.Context, c *Commit) error
}

// Head is one set of statements in the succession.
type Head struct {
	Number int64  `json:"number"` // from 1 on, without holes
	Digest string `json:"digest"` // of the set
	Trust  string `json:"trust"`  // digest of the trust that its decisions follow from
	// Runs are the numbers of the runs that it is made of, by source.
	Runs map[string]int64 `json:"runs"`
	// At is when it was committed, by the store's clock: the time as of which it
	// decides.
	At time.Time `json:"at"`
}

// Decision is what is decided about one vulnerability of one product, as statements
// name it. Each of the names of a vulnerability is decided about by itself.
type Decision struct {
	Vulnerability string `json:"vulnerability"` // in upper case
	// Product is the product's first identifier, a package URL in canonical form, and
	// its range of versions after a space; followed by "#" and the same of the
	// subcomponent where there is one.
	Product  string   `json:"product"`
	Status   Status   `json:"status,omitempty"`
	Value    string   `json:"value"` // Value.String
	Tier     int      `json:"tier,omitzero"`
	Disputed bool     `json:"disputed,omitzero"`
	Signed   bool     `json:"signed,omitzero"`
	Deciding []string `json:"deciding,omitempty"` // IDs of statements
	Against  []string `json:"against,omitempty"`
	// NextChange is when it may be decided otherwise without a new statement.
	NextChange time.Time `json:"next_change_at,omitzero"`
}

// Commit is a head to be.
type Commit struct {
	Head Head // Number is that of the head before plus one; At is the time of evaluation
	// Vulnerabilities are those whose decisions are replaced by Decisions.
	Vulnerabilities []string
	Decisions       []Decision
	// Net are the vulnerabilities whose decisions differ from those before, sorted.
	Net []string
	// Said are other vulnerabilities about which something else is said, sorted: for
	// who decides by another trust, or beside other statements. Both are announced, and
	// another trust.
	Said []string
}
