package snapshot

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Result says what became of the records that [Build] was given.
type Result struct {
	Digest string `json:"digest"` // of the snapshot
	Size   int64  `json:"size"`   // bytes of the file
	// Records are in the snapshot; Withdrawn of them were taken back by their
	// databases and match nothing.
	Records   int `json:"records"`
	Withdrawn int `json:"withdrawn"`
	// Repeated records were given more than once with the same text,
	// Superseded ones were left out for a newer text under their id.
	Repeated   int `json:"repeated"`
	Superseded int `json:"superseded"`
	// Unnamed counts entries that name no package but a repository, and are
	// therefore not found by packages.
	Unnamed int `json:"unnamed"`
	// Broken are the records that could not be used.
	Broken     []Broken             `json:"broken,omitempty"`
	Ecosystems []advisory.Ecosystem `json:"ecosystems"`
}

// Broken is a record that was set aside.
type Broken struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitzero"`
	ID      string `json:"id,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Reason  string `json:"reason"`
}

// Build writes a snapshot of records to w. The order of records does not
// matter: of several with one id the one modified last counts, and of those
// modified at the same time the one with the greatest digest. An
// [*advisory.RecordError] among them is set aside in the result; any other error
// ends the building and is returned as it is.
func Build(w io.Writer, records iter.Seq2[*advisory.Record, error]) (*Result, error) {
	b := newBuilder()
	if err := b.addAll(records); err != nil {
		return nil, err
	}
	if err := b.write(w); err != nil {
		return nil, fmt.Errorf("build a snapshot: %w", err)
	}
	return b.result, nil
}

// EncodeSegment writes the records of one part as a segment: an object that
// snapshots share. Records that are not of the part are left out. Broken records
// end it with their error: a store has none.
func EncodeSegment(part advisory.Part, records iter.Seq2[*advisory.Record, error]) (*Segment, []byte, error) {
	b := newBuilder()
	if err := b.addAll(records); err != nil {
		return nil, nil, err
	}
	if len(b.result.Broken) > 0 {
		r := b.result.Broken[0]
		return nil, nil, fmt.Errorf("segment of %v: record %s: %s: %w", part, r.ID, r.Reason, fault.Invalid)
	}
	for _, g := range b.groups() {
		if g.Segment.Part() == part {
			text, err := g.encode(newEncoder())
			return &g.Segment, text, err
		}
	}
	return nil, nil, fmt.Errorf("segment of %v: it has no records: %w", part, fault.NotFound)
}

func newBuilder() *builder {
	return &builder{byID: map[[2]string]int{}, texts: map[string]string{}, result: &Result{}}
}

// addAll adds records and sets broken ones aside.
func (b *builder) addAll(records iter.Seq2[*advisory.Record, error]) error {
	for r, err := range records {
		if err == nil {
			err = b.add(r)
		}
		var broken *advisory.RecordError
		switch {
		case errors.As(err, &broken):
			b.result.Broken = append(b.result.Broken, Broken{broken.File, broken.Line, broken.ID, broken.Pointer, broken.Digest, broken.Err.Error()})
		case err != nil:
			return err
		}
	}
	return nil
}

type builder struct {
	records []stored
	byID    map[[2]string]int // source and id
	texts   map[string]string // ecosystems and names, each stored once
	arena   arena
	scratch []byte
	result  *Result
}

// stored is a record in its written form.
type stored struct {
	source    string
	id        string
	digest    string
	modified  time.Time
	written   string // modified, as in the record
	withdrawn bool
	unnamed   int // entries without a package
	record    []byte
	long      []byte // texts that matching does not need
	entries   []entry
}

// entry is an affected package in its written form.
type entry struct {
	ecosystem, name string // name is canonical
	text            []byte
}

func (b *builder) add(r *advisory.Record) error {
	fail := func(err error) error { return &advisory.RecordError{ID: r.ID, Digest: r.Digest, Err: err} }
	if r.ID == "" {
		return fail(fmt.Errorf("it has no id: %w", fault.Invalid))
	}
	modified, err := time.Parse(time.RFC3339, r.Modified)
	if err != nil {
		return fail(fmt.Errorf("the time of modification %q is not of RFC 3339: %w", r.Modified, fault.Invalid))
	}
	id := [2]string{r.Source, r.ID}
	i, known := b.byID[id]
	if known {
		old := &b.records[i]
		if old.digest == r.Digest {
			b.result.Repeated++
			return nil
		}
		b.result.Superseded++
		if c := modified.Compare(old.modified); c < 0 || c == 0 && r.Digest < old.digest {
			return nil
		}
	}
	if b.scratch, err = appendRecord(b.scratch[:0], r); err != nil {
		return fail(err)
	}
	s := stored{source: b.intern(r.Source), id: r.ID, digest: r.Digest, modified: modified, written: r.Modified, withdrawn: r.Withdrawn != "", record: b.arena.keep(b.scratch)}
	b.scratch = appendLong(b.scratch[:0], r)
	s.long = b.arena.keep(b.scratch)
	s.entries = make([]entry, 0, len(r.Affected))
	for j := range r.Affected {
		a := &r.Affected[j]
		if a.Name == "" {
			s.unnamed++
			continue
		}
		name := advisory.CanonicalName(a.Ecosystem, a.Name)
		b.scratch = appendEntry(b.scratch[:0], a, name, s.withdrawn)
		s.entries = append(s.entries, entry{b.intern(a.Ecosystem), b.intern(name), b.arena.keep(b.scratch)})
	}
	if known {
		b.records[i] = s
		return nil
	}
	b.byID[id] = len(b.records)
	b.records = append(b.records, s)
	return nil
}

func (b *builder) intern(s string) string {
	if known, ok := b.texts[s]; ok {
		return known
	}
	s = strings.Clone(s)
	b.texts[s] = s
	return s
}

// arena keeps many short texts in few pieces of memory.
type arena struct{ free []byte }

func (a *arena) keep(b []byte) []byte {
	if len(b) > len(a.free) {
		a.free = make([]byte, max(1<<20, len(b)))
	}
	n := copy(a.free, b)
	kept := a.free[:n:n]
	a.free = a.free[n:]
	return kept
}

// group is the content of a segment to be.
type group struct {
	Segment
	records []*stored // sorted by id
}

// groups assigns records to segments, in order.
func (b *builder) groups() []group {
	slices.SortFunc(b.records, func(x, y stored) int {
		return cmp.Or(strings.Compare(x.id, y.id), strings.Compare(x.source, y.source))
	})
	at := map[advisory.Part]int{}
	var out []group
	for i := range b.records {
		s := &b.records[i]
		database := (&advisory.Record{ID: s.id}).Database()
		bases := make([]string, 0, 4)
		for _, e := range s.entries {
			if base := baseName(e.ecosystem); !slices.Contains(bases, base) {
				bases = append(bases, base)
			}
		}
		if len(bases) == 0 {
			bases = append(bases, "")
		}
		for _, base := range bases {
			key := advisory.Part{Source: s.source, Database: database, Ecosystem: base}
			j, ok := at[key]
			if !ok {
				j = len(out)
				at[key] = j
				out = append(out, group{Segment: Segment{Source: s.source, Database: database, Ecosystem: base}})
			}
			out[j].records = append(out[j].records, s)
		}
	}
	slices.SortFunc(out, func(x, y group) int { return compareSegments(x.Segment, y.Segment) })
	return out
}

// write writes the file.
func (b *builder) write(w io.Writer) error {
	groups := b.groups()
	if len(groups) > maxSegments {
		return &fault.LimitError{What: "pairs of database and ecosystem", Where: "the records", Max: maxSegments, Seen: int64(len(groups))}
	}
	out := &counter{w: w}
	out.Write([]byte(magic))
	m := &Manifest{Segments: make([]Segment, 0, len(groups))}
	enc := newEncoder()
	for i := range groups {
		text, err := groups[i].encode(enc)
		if err != nil {
			return err
		}
		out.Write(text)
		m.Segments = append(m.Segments, groups[i].Segment)
		groups[i].records = nil
	}
	text, digest, err := m.Encode()
	if err != nil {
		return err
	}
	out.finish(text)
	if out.err != nil {
		return out.err
	}
	b.summarize(m, digest, out.n)
	return nil
}

func (b *builder) summarize(m *Manifest, digest string, size int64) {
	r := b.result
	r.Digest, r.Size, r.Records, r.Ecosystems = digest, size, len(b.records), m.Ecosystems()
	for i := range b.records {
		r.Unnamed += b.records[i].unnamed
		if b.records[i].withdrawn {
			r.Withdrawn++
		}
	}
	slices.SortStableFunc(r.Broken, func(x, y Broken) int {
		return cmp.Or(strings.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), strings.Compare(x.ID, y.ID))
	})
}
