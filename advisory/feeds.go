package advisory

import (
	"context"
	"iter"
	"time"
)

// Feeds keeps what sources publish, verbatim and as what it says. A store is
// one. Raw documents and what they say are never changed or deleted: a newer
// document ends what the older one said, and history can be asked as of any
// head. It is safe for concurrent use.
type Feeds interface {
	// Begin takes a source for a while. An error wraps ErrConflict while another
	// holder has it.
	Begin(ctx context.Context, source, holder string, length time.Duration) (*Run, error)
	// Extend makes a run last from now on for its length again. It and every
	// other call with a run is refused with ErrFenced when another holder has
	// the source by now.
	Extend(ctx context.Context, r *Run) error
	// Known yields the current documents of a source, sorted by name.
	Known(ctx context.Context, source string) iter.Seq2[Known, error]
	// Keep stores raw documents, before anybody reads them, in one transaction.
	// One whose content is current is left alone.
	Keep(ctx context.Context, r *Run, documents []*Document) error
	// Raw returns the content that has a digest, which is verified.
	Raw(ctx context.Context, digest string) ([]byte, error)
	// Observe stores what documents say, in one transaction: it ends what an
	// earlier document of the name said.
	Observe(ctx context.Context, r *Run, list []Observed) error
	// Finish ends the run, in one transaction: documents that are gone end what
	// they said, the state is kept, and the run is released or held.
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
	// Records is how many the source has, as released.
	Records int
}

// Known is a document that is kept.
type Known struct {
	Name   string
	Digest string // of its content
	// Pending says that nobody has read it yet: its reader died.
	Pending bool
}

// Observed is what one document says.
type Observed struct {
	Document string // its name
	Digest   string // of its content
	Records  []*Record
	Signals  []*Signal
	// Problems are parts that could not be used. The raw document is kept, and
	// what it said before is still what it says, for those parts that name a
	// record.
	Problems []*RecordError
	// Quarantined says why the whole document cannot be used; what the one
	// before it said stays.
	Quarantined string
}

// Finish is how a run ends.
type Finish struct {
	State []byte
	// Gone are the names of documents that the publisher has no longer.
	Gone []string
	// Hold says why what the run brought must not become current before somebody
	// approves it; "" releases it, and all that was held before.
	Hold string
	// Cause says why the run failed; it then ends as it is, and its State is
	// not kept.
	Cause string
}

// SourceState is how a source stands.
type SourceState struct {
	Source string `json:"source"`
	// Released is the number of the run that heads are made of, 0 for none.
	Released int64 `json:"released"`
	// Records and Documents are as released; Quarantined counts documents that
	// cannot be used, Problems parts of documents.
	Records     int `json:"records"`
	Documents   int `json:"documents"`
	Quarantined int `json:"quarantined"`
	Problems    int `json:"problems"`
	// Succeeded is when the last run succeeded, Failed when the last one that
	// failed did, with its Cause.
	Succeeded time.Time `json:"succeeded,omitzero"`
	Failed    time.Time `json:"failed,omitzero"`
	Cause     string    `json:"cause,omitempty"`
	// Held is the number of a run that waits for approval, with the reason.
	Held int64  `json:"held,omitzero"`
	Why  string `json:"why,omitempty"`
}

// Heads is the succession of snapshots that are made of what Feeds keeps. A
// store is one. It is safe for concurrent use.
type Heads interface {
	// Head returns a head by its number, and the newest for 0. An error wraps
	// ErrNotFound.
	Head(ctx context.Context, number int64) (*Head, error)
	// Sources returns how every source stands, sorted by name.
	Sources(ctx context.Context) ([]SourceState, error)
	// Changed returns the parts that differ between a head, nil for none, and
	// what is released now, sorted.
	Changed(ctx context.Context, since *Head) ([]Part, error)
	// Records yields the records of a part as of the runs of a head, sorted by
	// source and id.
	Records(ctx context.Context, at *Head, p Part) iter.Seq2[*Record, error]
	// Signals yields the signals as of the runs of a head, sorted by
	// vulnerability and source.
	Signals(ctx context.Context, at *Head) iter.Seq2[*Signal, error]
	// Commit makes a head the newest and announces it, in one transaction. An
	// error wraps ErrConflict when the newest is not the one before it.
	Commit(ctx context.Context, c *Commit) error
	// Approve releases a run that is held.
	Approve(ctx context.Context, source string, run int64, by string) error
}

// Part is one database's records about one ecosystem: what a segment of a
// snapshot holds.
type Part struct {
	Source   string `json:"source,omitempty"`
	Database string `json:"database"` // what ids begin with, "GHSA"
	// Ecosystem is without its release, "Debian"; empty for records that name no
	// package.
	Ecosystem string `json:"ecosystem"`
}

// Head is one snapshot in the succession.
type Head struct {
	Number int64  `json:"number"` // from 1 on, without holes
	Digest string `json:"digest"` // of the snapshot
	// Manifest is the snapshot's manifest, whose digest Digest is.
	Manifest []byte `json:"-"`
	// Runs are the numbers of the runs that it is made of, by source.
	Runs map[string]int64 `json:"runs"`
	// At is when it was committed, by the store's clock.
	At time.Time `json:"at"`
}

// Commit is a head to be.
type Commit struct {
	Head Head // Number is that of the head before plus one; At is set by the store
	// Facts are what differs from the head before.
	Facts []Fact
	// Linksets are those that changed; one without members is deleted.
	Linksets []*Linkset
}

// Cause says why something changed.
type Cause string

// The causes of a change, as they are announced.
const (
	CauseNew          Cause = "new"           // affected, and was not before
	CauseChanged      Cause = "changed"       // other versions, severity or status
	CauseWithdrawn    Cause = "withdrawn"     // no longer affected
	CauseFixAvailable Cause = "fix_available" // there is a fixed version now
	CauseKEV          Cause = "kev"           // known to be exploited now
)

// Fact is one package in one record that differs between two heads.
type Fact struct {
	Ecosystem     string `json:"ecosystem"` // with its release, "Debian:12"
	Name          string `json:"name"`      // canonical
	Record        string `json:"record"`
	Vulnerability string `json:"vulnerability"` // CVE id, or the record's id
	Cause         Cause  `json:"cause"`
}
