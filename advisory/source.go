package advisory

import (
	"context"
	"iter"
	"time"

	"github.com/stella-ops/stella/internal/door"
)

// Source is one publisher's feed: how its documents are fetched, and how they
// are read. Fetching and reading are apart, so that a document that is kept can
// be read again, and one that came on a disk is read like one from the network.
// A Source is safe for concurrent use. Package advisorytest proves one.
type Source interface {
	// Describe says what the source is. It does not change.
	Describe() Description
	// Fetch passes documents to emit: at least those that changed since state,
	// which is what an earlier Fetch returned, and nil at first. What emit
	// returns ends the fetching and is returned as it is. A Fetch that fails may
	// have passed documents on; the state is then the one from before.
	Fetch(ctx context.Context, door Door, state []byte, emit func(*Document) error) (*Fetched, error)
	// Parse yields what a document says, by its Name and Content alone. A part
	// that cannot be used is a [*RecordError], after which it goes on; any other
	// error is the last and means that the document as a whole cannot be used.
	Parse(doc *Document) iter.Seq2[Statement, error]
}

// Description says what a source is and on what terms its data comes.
type Description struct {
	// Name is the source's key: lower case letters, digits and hyphens.
	Name string
	// Title is its name for people, Home where to read about it.
	Title, Home string
	// License is an SPDX expression, or "LicenseRef-…" where there is none;
	// Attribution is the line that the licence asks for.
	License, Attribution string
	// Redistribute says that the licence lets changed data be passed on. Exports
	// leave out what it does not, unless they are told otherwise.
	Redistribute bool
	// Hosts are the hosts that Fetch asks, for allow-lists.
	Hosts []string
	// Stale is the age from which on data counts as stale. Zero means 72 hours.
	Stale time.Duration
}

// Document is one raw document, byte for byte as its publisher wrote it.
type Document struct {
	Source string // Description.Name
	// Name is the document's name within its source; a newer document of that
	// name supersedes it. It is a slash-separated path without "..".
	Name string
	// URL is where it was read from.
	URL string
	// Content is the document. It must not be changed.
	Content []byte
	// Gone says that the publisher has it no longer; Content is then nil.
	Gone bool
	// Signature is what is known of a publisher's signature.
	Signature Signature
	// Signer names the key of a verified signature.
	Signer string
}

// Signature is the state of a document's signature.
type Signature string

// The states of a signature.
const (
	Unsigned  Signature = "unsigned"  // the publisher signs nothing
	Unchecked Signature = "unchecked" // there is one, and nobody checked it
	Verified  Signature = "verified"  // checked against a key of the publisher
)

// Fetched is the outcome of a Fetch.
type Fetched struct {
	// State is given to the next Fetch; at most 1 MiB.
	State []byte
	// Complete says that every document that exists was passed on: those that
	// were not are gone.
	Complete bool
	// Unchanged says that the publisher has nothing new; Complete is then false.
	Unchanged bool
}

// How sources reach their publishers. Package feed has doors.
type (
	// Door opens addresses: over the network, from a mirror, or from a folder. It
	// is safe for concurrent use.
	Door = door.Door
	// Request asks for one address.
	Request = door.Request
	// Response is an answer. Its body must be closed.
	Response = door.Response
)

// Statement is what a document says: a [*Record] or a [*Signal].
type Statement interface{ statement() }

func (*Record) statement() {}
func (*Signal) statement() {}

// Signal is what is known about a vulnerability apart from which packages have
// it: whether it is exploited, and how likely that is. Numbers are the
// publisher's own decimal text.
type Signal struct {
	// Vulnerability is a CVE id.
	Vulnerability string `json:"vulnerability"`
	// Exploited is the day from which on the publisher lists it as exploited,
	// "2021-12-10"; empty where it does not. Due is by when it asks agencies to
	// act, Ransomware whether it is used so ("Known", "Unknown").
	Exploited  string `json:"exploited,omitempty"`
	Due        string `json:"due,omitempty"`
	Ransomware string `json:"ransomware,omitempty"`
	// EPSS is the probability of exploitation within 30 days, "0.97565", and
	// Percentile its rank; Day is the day of the score.
	EPSS       string `json:"epss,omitempty"`
	Percentile string `json:"percentile,omitempty"`
	Day        string `json:"day,omitempty"`
	// Source is the name of the source.
	Source string `json:"source,omitempty"`
}
