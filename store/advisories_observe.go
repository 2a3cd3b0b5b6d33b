package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Observe stores what documents say. A document that is no longer current, or
// whose content is another one by now, is passed over.
func (a *Advisories) Observe(ctx context.Context, r *advisory.Run, list []advisory.Observed) error {
	o := &observing{advisories: a, run: r, documents: map[string]current{}, records: map[[2]string]said{}, chunks: map[string][]saidChunk{}}
	if err := o.read(ctx, list); err != nil {
		return err
	}
	for i := range list {
		if err := o.prepare(ctx, &list[i]); err != nil {
			return fmt.Errorf("observe %s of %s: %w", list[i].Document, r.Source, err)
		}
	}
	o.packs.shut()
	if err := a.ensure(ctx, r.Source, o.rows); err != nil {
		return err
	}
	err := a.write(ctx, fmt.Sprintf("observe %d documents of %s", len(list), r.Source), func(tx *tx) error {
		if _, err := tx.guardRun(r); err != nil {
			return err
		}
		return o.store(tx)
	})
	if err == nil {
		crashpoint.Hit(crashpoint.IngestObserved)
	}
	return err
}

// current is a document as it stands, said what it says by now.
type (
	current struct {
		seq    int64
		digest []byte
		state  int
	}
	said struct {
		seq    int64
		digest []byte
	}
)

// observation is a row to be.
type observation struct {
	group
	document, record string
	place            place
	digest           []byte
	withdrawn        bool
	affected         int
	modified         int64
	severity, from   string
}

// verdict is what becomes of a document.
type verdict struct {
	seq      int64
	state    int
	problems int
	words    string
}

// observing is one call of Observe. What it reads first still holds in its
// transaction, since only the holder of the run changes it.
type observing struct {
	advisories *Advisories
	run        *advisory.Run
	documents  map[string]current
	records    map[[2]string]said // by document and id; those that stay are taken out
	byDocument map[string][]string
	chunks     map[string][]saidChunk
	packs      packer
	rows       []observation
	signals    []signalRow
	ended      []int64 // observations
	endedChunk []int64 // rows of signals
	verdicts   []verdict
}

func (o *observing) read(ctx context.Context, list []advisory.Observed) error {
	names := make([]string, len(list))
	for i := range list {
		names[i] = clean(list[i].Document)
	}
	o.byDocument = map[string][]string{}
	return o.advisories.read(ctx, "look what documents of "+o.run.Source+" say", func(tx *tx) error {
		var spoke []string // what replaced none, and was not read, has said nothing
		err := batches(names, []any{o.run.Source}, func(in string, args []any) error {
			return tx.each(func(row func(...any) error) error {
				var name string
				var c current
				var revision int64
				err := row(&name, &c.seq, &c.digest, &c.state, &revision)
				if _, again := o.documents[name]; !again && (revision > 1 || c.state != docPending) {
					spoke = append(spoke, name)
				}
				o.documents[name] = c
				return err
			}, `SELECT name, seq, digest, state, revision FROM vuln.documents WHERE source = $1 AND to_run = 0 AND name IN `+in, args...)
		})
		if err != nil {
			return err
		}
		return batches(spoke, []any{o.run.Source}, func(in string, args []any) error {
			err := tx.each(func(row func(...any) error) error {
				var key [2]string
				var s said
				err := row(&key[0], &key[1], &s.seq, &s.digest)
				if _, again := o.records[key]; !again {
					o.byDocument[key[0]] = append(o.byDocument[key[0]], key[1])
				}
				o.records[key] = s
				return err
			}, `SELECT document, record, seq, digest FROM vuln.observations WHERE source = $1 AND to_run = 0 AND document IN `+in, args...)
			if err != nil {
				return err
			}
			return o.readChunks(tx, in, args)
		})
	})
}

// prepare works out what a document changes.
func (o *observing) prepare(ctx context.Context, d *advisory.Observed) error {
	name := clean(d.Document)
	doc, ok := o.documents[name]
	digest, err := rawDigest(d.Digest)
	if err != nil {
		return err
	}
	if !ok || !bytes.Equal(doc.digest, digest) {
		return nil
	}
	delete(o.documents, name) // once
	v := verdict{seq: doc.seq, state: docParsed, problems: len(d.Problems)}
	if d.Quarantined != "" {
		v.state, v.words = docQuarantined, cut(d.Quarantined)
		o.verdicts = append(o.verdicts, v)
		return nil
	}
	records, err := oneEach(d)
	if err != nil {
		return err
	}
	if v.words, err = problemWords(d.Problems); err != nil {
		return err
	}
	o.verdicts = append(o.verdicts, v)
	for _, r := range records {
		if err := o.record(name, r); err != nil {
			return err
		}
	}
	// What a broken part said before is still what it says.
	for _, p := range d.Problems {
		if p.ID != "" {
			delete(o.records, [2]string{name, clean(p.ID)})
		}
	}
	for _, id := range o.byDocument[name] {
		if s, ok := o.records[[2]string{name, id}]; ok {
			o.ended = append(o.ended, s.seq)
		}
	}
	o.byDocument[name] = nil
	return o.prepareSignals(ctx, name, d)
}

// oneEach returns one record for each id, in order: of several the one that was
// modified last, and of those the greatest by its digest.
func oneEach(d *advisory.Observed) ([]*advisory.Record, error) {
	at := make(map[string]int, len(d.Records))
	out := make([]*advisory.Record, 0, len(d.Records))
	for _, r := range d.Records {
		if r.ID == "" {
			return nil, fmt.Errorf("a record has no id: %w", fault.Invalid)
		}
		i, again := at[clean(r.ID)]
		if !again {
			at[clean(r.ID)] = len(out)
			out = append(out, r)
		} else if a, b := modified(r), modified(out[i]); a > b || a == b && r.Digest > out[i].Digest {
			out[i] = r
		}
	}
	return out, nil
}

// modified is when a record was modified, in microseconds; 0 where nobody can
// tell.
func modified(r *advisory.Record) int64 {
	t, err := time.Parse(time.RFC3339, r.Modified)
	if err != nil {
		return 0
	}
	return t.UnixMicro()
}

// record adds a row for a record, unless it is there with the same text.
func (o *observing) record(document string, r *advisory.Record) error {
	if r.Source != o.run.Source {
		return fmt.Errorf("record %s is of source %q: %w", r.ID, r.Source, fault.Invalid)
	}
	text, err := json.Marshal(r, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return fmt.Errorf("write record %s: %v: %w", r.ID, err, fault.Invalid)
	}
	sum := sha256.Sum256(text)
	key := [2]string{document, clean(r.ID)}
	if s, ok := o.records[key]; ok && bytes.Equal(s.digest, sum[:]) {
		delete(o.records, key)
		return nil
	}
	row := observation{group: groupOf(r), document: document, record: key[1], place: o.packs.add(text), digest: sum[:],
		withdrawn: r.Withdrawn != "", affected: len(r.Affected), modified: modified(r)}
	severity, from := r.Severity()
	row.severity, row.from = string(severity), clean(from)
	o.rows = append(o.rows, row)
	return nil
}

// problem is a part that could not be used, as it is kept.
type problem struct {
	ID      string `json:"id,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	Line    int    `json:"line,omitzero"`
	Error   string `json:"error"`
}

func problemWords(list []*advisory.RecordError) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	out := make([]problem, 0, min(len(list), maxProblems))
	for _, p := range list[:min(len(list), maxProblems)] {
		out = append(out, problem{clean(p.ID), clean(p.Pointer), p.Line, cut(p.Err.Error())})
	}
	text, err := json.Marshal(out, json.Deterministic(true))
	return string(text), err
}

// group is which parts of a snapshot a record belongs to: its database's part of
// each of its ecosystems, which are without releases, sorted, one a line.
type group struct{ database, ecosystems string }

func groupOf(r *advisory.Record) group {
	var bases []string
	for i := range r.Affected {
		base, _, _ := strings.Cut(r.Affected[i].Ecosystem, ":")
		if r.Affected[i].Name == "" {
			continue
		}
		if base = clean(base); !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return group{clean(r.Database()), strings.Join(bases, "\n")}
}

// ensure makes the groups of rows known. They are made beforehand: an id that a
// transaction took back must not be remembered.
func (a *Advisories) ensure(ctx context.Context, source string, rows []observation) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	missing := map[group]bool{}
	for i := range rows {
		if g := rows[i].group; a.groups[group{source + "\n" + g.database, g.ecosystems}] == 0 {
			missing[g] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found := map[group]int64{}
	err := a.write(ctx, "note groups of "+source, func(tx *tx) error {
		for g := range missing {
			if _, err := tx.exec(`INSERT INTO vuln.groups (source, database, ecosystems) VALUES ($1, $2, $3) ON CONFLICT (source, database, ecosystems) DO NOTHING`, source, g.database, g.ecosystems); err != nil {
				return err
			}
			var id int64
			if err := tx.get(`SELECT id FROM vuln.groups WHERE source = $1 AND database = $2 AND ecosystems = $3`, []any{source, g.database, g.ecosystems}, &id); err != nil {
				return err
			}
			found[group{source + "\n" + g.database, g.ecosystems}] = id
		}
		return nil
	})
	if err != nil {
		return err
	}
	for g, id := range found {
		a.groups[g] = id
	}
	return nil
}

func (a *Advisories) groupID(source string, g group) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.groups[group{source + "\n" + g.database, g.ecosystems}]
}

// store writes what was worked out.
func (o *observing) store(t *tx) error {
	seqs, err := t.keepPacks(&o.packs)
	if err != nil {
		return err
	}
	if err := o.end(t); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.IngestEnded)
	args := make([]any, 0, 14*len(o.rows))
	for i := range o.rows {
		r := &o.rows[i]
		args = append(args, o.run.Source, r.document, r.record, o.advisories.groupID(o.run.Source, r.group), o.run.Number, r.digest,
			seqs[r.place.pack], r.place.at, r.place.size, bit(r.withdrawn), r.affected, r.modified, r.severity, r.from)
	}
	_, err = t.insert(`INSERT INTO vuln.observations (source, document, record, group_id, from_run, digest, pack, at, size, withdrawn, affected, modified_us, severity, severity_from)`, 14, args, "")
	if err != nil {
		return err
	}
	if err := o.storeSignals(t, seqs); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.IngestInserted)
	var plain []int64
	for _, v := range o.verdicts {
		if v.state == docParsed && v.problems == 0 {
			plain = append(plain, v.seq)
			continue
		}
		if _, err := t.exec(`UPDATE vuln.documents SET state = $2, problem_count = $3, problems = $4 WHERE seq = $1 AND state = 0`, v.seq, v.state, v.problems, v.words); err != nil {
			return err
		}
	}
	return batches(plain, nil, func(in string, args []any) error {
		_, err := t.exec(`UPDATE vuln.documents SET state = 1 WHERE state = 0 AND seq IN `+in, args...)
		return err
	})
}

// end ends what earlier documents said and these do not.
func (o *observing) end(t *tx) error {
	for table, seqs := range map[string][]int64{"observations": o.ended, "signals": o.endedChunk} {
		err := batches(seqs, []any{o.run.Number}, func(in string, args []any) error {
			_, err := t.exec(`UPDATE vuln.`+table+` SET to_run = $1 WHERE to_run = 0 AND seq IN `+in, args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
