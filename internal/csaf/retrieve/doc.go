// Package retrieve asks providers of CSAF documents for what is new: by their metadata,
// ROLIE feeds, folders with a changes.csv, archives of all documents and lists of what
// was deleted. It has what sources of advisories and of VEX have in common, and knows
// nothing of either: a document is a name and bytes.
//
// A list is read by its times. What is newer than what was fetched before is asked
// for, and so is a document with an old time that was not there. What a list no longer
// has is told by its name where the names are few enough to be kept, and otherwise all
// documents are fetched anew, from an archive where there is one.
//
// A document is held against its digest, against the label of its feed and, if the
// source wants so, against its publisher before it is passed on. One that has another
// digest is asked for once more. Those that are refused are told at the end, after all
// others were passed on.
//
// Source: CSAF 2.0, section 7, and 7.3 about retrieving.
package retrieve

import (
	"context"
	"errors"

	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
)

// The limits, far above what any publisher has.
const (
	MaxDocument  = 128 << 20 // bytes of a document
	MaxList      = 256 << 20 // bytes of a list
	MaxBeside    = 64 << 10  // bytes of a digest or signature
	MaxArchive   = 4 << 30   // bytes of an archive, packed
	MaxUnpacked  = 64 << 30  // bytes of an archive's members
	MaxMembers   = 2_000_000 // members of an archive
	MaxRatio     = 1000      // unpacked bytes for each packed one, over 1 MiB
	MaxLists     = 100       // feeds or folders of a provider
	MaxNameBytes = 128 << 10 // bytes of names that the state has of one list
	MaxState     = 1 << 20   // bytes of a state
)

// Source is what is fetched, and on what terms. It is not changed by a Fetch.
type Source struct {
	Name string
	// Hosts are those that are asked. No other is, whatever lists say.
	Hosts []string
	// Metadata is the address of a provider-metadata.json that names the lists, or
	// empty where Lists has them.
	Metadata string
	Lists    []List
	// Namespace is the publisher's, without a slash at the end. The metadata must have
	// it, and where Publisher is set each document too.
	Namespace string
	Publisher bool
	// Proofs says that signatures are asked for.
	Proofs bool
	// MaxRefused is how many documents are refused before a Fetch gives up.
	MaxRefused int
	// MaxNames is how many documents a list may have that is known by its names; zero
	// leaves it to MaxNameBytes.
	MaxNames int
}

// Document is one that is new, or gone.
type Document struct {
	Name, URL string
	Content   []byte
	// Signed says that there is a signature; Proof is it, if it was asked for or comes
	// in the same archive.
	Signed bool
	Proof  []byte
	Gone   bool // Content is then nil
}

// Fetched is how a Fetch went.
type Fetched struct {
	State []byte // for the next Fetch
	// Complete says that all documents there are were passed on: what was not is gone.
	Complete bool
	// Unchanged says that there was nothing new.
	Unchanged bool
}

// Fetch passes on what is new since a state; everything where that is none. Each
// document is passed on at most once. An error wraps a kind of package fault, that of
// each document that was refused among them, or is emit's.
func (s *Source) Fetch(ctx context.Context, d door.Door, old []byte, emit func(*Document) error) (*Fetched, error) {
	r := &run{
		ctx: ctx, source: s, reader: door.Reader{Door: d, Hosts: s.Hosts}, emit: emit,
		old: readState(old), next: state{}, passed: map[string]bool{}, refused: Refused{Where: s.Name, Max: s.MaxRefused},
	}
	lists, err := r.lists()
	if err != nil {
		return nil, err
	}
	complete, err := r.loadAll(lists)
	if err != nil {
		return nil, err
	}
	for _, l := range lists {
		if err := r.list(l); err != nil {
			return nil, err
		}
		r.next[l.URL] = l.now
	}
	if err := r.refused.Err(); err != nil {
		return nil, err
	}
	if !complete {
		if err := r.gone(lists); err != nil {
			return nil, err
		}
	}
	text, err := r.next.text()
	if err != nil {
		return nil, err
	}
	return &Fetched{State: text, Complete: complete, Unchanged: len(r.passed) == 0 && !complete}, nil
}

// Refused collects why documents are not passed on.
type Refused struct {
	Where string // the source's name
	Max   int    // how many there may be
	errs  []error
}

// Add notes one. It returns an error once there are too many: all of them, with one
// that wraps the kind limit.
func (r *Refused) Add(err error) error {
	r.errs = append(r.errs, err)
	if len(r.errs) > r.Max {
		return errors.Join(append(r.errs, &fault.LimitError{What: "refused documents", Where: r.Where, Max: int64(r.Max)})...)
	}
	return nil
}

// Err returns all of them, nil where there is none.
func (r *Refused) Err() error { return errors.Join(r.errs...) }
