package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// Observe stores what documents say. A document that is no longer current, or whose
// content is another one by now, is passed over.
//
// A document is also quarantined when it contradicts another one of its source that
// has the same id and version, as of the same time, in which case the other one is as
// well; when its version is lower than that of an earlier one of its name; and when
// that one was signed and this one is not. What a quarantined document says to lower
// risk is not in force; what it or the one before it said to raise it is, until a
// good document of the name comes.
//
// The same id and version are no reason by themselves: publishers use them for all of
// their products. What such documents say about different things, or as of different
// times, is no contradiction.
func (v *VEX) Observe(ctx context.Context, r *vex.Run, list []vex.Observed) error {
	readings := make([]*reading, len(list))
	for i := range list {
		var err error
		if readings[i], err = newReading(r, &list[i]); err != nil {
			return fmt.Errorf("observe %s of %s: %w", list[i].Document, r.Source, err)
		}
	}
	err := v.write(ctx, fmt.Sprintf("observe %d documents of %s", len(list), r.Source), func(tx *tx) error {
		if err := tx.guardVEX(r); err != nil {
			return err
		}
		for _, d := range readings {
			if err := tx.observeVEX(*d); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		crashpoint.Hit(crashpoint.VEXObserved)
	}
	return err
}

// reading is what came of reading a document, on its way to its rows.
type reading struct {
	*vex.Observed
	run      *vex.Run
	name     string
	digest   []byte // of the content
	payload  []byte // of what was read; it differs where the content is an envelope
	id       string // the document's own
	version  string
	document int64 // its row
	said     []statementRow
	problems string
}

// statementRow is a statement on its way.
type statementRow struct {
	*vex.Statement
	sum, claim, body []byte
}

// newReading checks what was read and makes it ready to be stored.
func newReading(r *vex.Run, o *vex.Observed) (*reading, error) {
	out := &reading{Observed: o, run: r, name: clean(o.Document), payload: []byte{}}
	var err error
	if out.digest, err = rawDigest(o.Digest); err != nil {
		return nil, err
	}
	for _, s := range o.Statements {
		row := statementRow{Statement: s}
		if row.sum, err = rawDigest(s.ID); err != nil {
			return nil, fmt.Errorf("a statement that is not prepared: %w", err)
		}
		if s.Origin.Source != r.Source {
			return nil, fmt.Errorf("statement %s is of source %q: %w", s.ID, s.Origin.Source, fault.Invalid)
		}
		for _, name := range append([]string{s.Vulnerability}, s.Aliases...) {
			if err := checkVulnerability(name); err != nil {
				return nil, fmt.Errorf("statement %s: %w", s.ID, err)
			}
		}
		text, err := json.Marshal(s, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return nil, fmt.Errorf("write statement %s: %v: %w", s.ID, err, fault.Invalid)
		}
		row.body = packWriter().EncodeAll(text, nil)
		if row.claim, err = claimOf(s); err != nil {
			return nil, err
		}
		out.said = append(out.said, row)
		out.identify(&s.Origin)
	}
	out.problems, err = problemsOfVEX(o.Problems)
	return out, err
}

func problemsOfVEX(list []*vex.StatementError) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	out := make([]vex.Problem, 0, min(len(list), maxProblems))
	for _, p := range list[:min(len(list), maxProblems)] {
		out = append(out, vex.Problem{Pointer: clean(p.Pointer), Error: cut(p.Err.Error())})
	}
	text, err := json.Marshal(out, json.Deterministic(true))
	return string(text), err
}

// observeVEX stores one reading. It works on a copy: a transaction may be repeated.
func (t *tx) observeVEX(d reading) error {
	var digest []byte
	err := t.get(`SELECT seq, digest FROM vex.documents WHERE tenant_id = $1 AND source = $2 AND name = $3 AND to_run = 0`, []any{t.tenant, d.run.Source, d.name}, &d.document, &digest)
	if isNoRows(err) || err == nil && !bytes.Equal(digest, d.digest) {
		return nil
	}
	if err != nil {
		return err
	}
	quarantined := cutTo(d.Quarantined, maxQuarantineText)
	others, why, err := t.suspect(&d)
	if err != nil {
		return err
	}
	if quarantined == "" {
		quarantined = why
	}
	if err := t.replaceSaid(&d, quarantined != ""); err != nil {
		return err
	}
	if err := t.keepReading(&d, quarantined); err != nil {
		return err
	}
	for _, o := range others {
		if err := t.distrust(&d, o); err != nil {
			return err
		}
	}
	return nil
}

// inForce is a statement of a document that is in force.
type inForce struct {
	seq  int64
	safe bool
}

// replaceSaid ends what the document, and those before it, said and it does not say
// now, and stores what is new.
func (t *tx) replaceSaid(d *reading, quarantined bool) error {
	before := map[string]inForce{}
	err := t.each(func(row func(...any) error) error {
		var sum []byte
		var s inForce
		var safe int
		err := row(&s.seq, &sum, &safe)
		s.safe = safe != 0
		before[string(sum)] = s
		return err
	}, `SELECT seq, statement, safe FROM vex.observations WHERE tenant_id = $1 AND source = $2 AND document = $3 AND to_run = 0`, t.tenant, d.run.Source, d.name)
	if err != nil {
		return err
	}
	known, err := t.setAside(d, quarantined)
	if err != nil {
		return err
	}
	var rows, names []any
	added := map[string]bool{}
	for _, s := range d.said {
		key, aside := string(s.sum), quarantined && s.Safe()
		if added[key] || aside && known[key] {
			continue
		}
		added[key] = true
		if _, stays := before[key]; stays && !aside {
			delete(before, key)
			continue
		}
		to := int64(0)
		if aside {
			to = d.run.Number
		}
		rows = append(rows, t.tenant, d.run.Source, d.name, s.sum, d.run.Number, to, bit(s.Safe()), d.payload, s.claim, s.body)
		for _, n := range namesOf(s.Statement) {
			names = append(names, t.tenant, n, s.sum)
		}
	}
	var ended []int64
	for _, key := range slices.Sorted(maps.Keys(before)) {
		// A part that cannot be read may be what says it now.
		if s := before[key]; s.safe || !quarantined && len(d.Problems) == 0 {
			ended = append(ended, s.seq)
		}
	}
	if err := t.endSaid(d.run.Number, ended); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.VEXEnded)
	if _, err := t.insert(`INSERT INTO vex.observations (tenant_id, source, document, statement, from_run, to_run, safe, payload, claim, body)`, 10, rows, ""); err != nil {
		return err
	}
	_, err = t.insert(`INSERT INTO vex.names (tenant_id, name, statement)`, 3, names, ` ON CONFLICT (tenant_id, name, statement) DO NOTHING`)
	crashpoint.Hit(crashpoint.VEXInserted)
	return err
}

// setAside returns what a quarantined document says that is known already, of what
// does not come into force.
func (t *tx) setAside(d *reading, quarantined bool) (map[string]bool, error) {
	known := map[string]bool{}
	if !quarantined {
		return known, nil
	}
	sums := make([][]byte, 0, len(d.said))
	for _, s := range d.said {
		if s.Safe() {
			sums = append(sums, s.sum)
		}
	}
	return known, batches(sums, []any{t.tenant, d.run.Source, d.name}, func(in string, args []any) error {
		return t.each(func(row func(...any) error) error {
			var sum []byte
			err := row(&sum)
			known[string(sum)] = true
			return err
		}, `SELECT statement FROM vex.observations WHERE tenant_id = $1 AND source = $2 AND document = $3 AND statement IN `+in, args...)
	})
}

func (t *tx) endSaid(run int64, seqs []int64) error {
	return batches(seqs, []any{run, t.tenant}, func(in string, args []any) error {
		_, err := t.exec(`UPDATE vex.observations SET to_run = $1 WHERE tenant_id = $2 AND to_run = 0 AND seq IN `+in, args...)
		return err
	})
}

// namesOf returns the ids that a statement names, in upper case, each once.
func namesOf(s *vex.Statement) []string {
	out := []string{clean(strings.ToUpper(s.Vulnerability))}
	for _, a := range s.Aliases {
		if a = clean(strings.ToUpper(a)); !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// keepReading notes what came of reading a document, unless it is what came of it
// the last time.
func (t *tx) keepReading(d *reading, quarantined string) error {
	now := readingRow{string(d.payload), d.id, d.version, string(d.Signature), clean(d.Signer), cut(d.Why), quarantined, len(d.Problems), d.problems}
	var last readingRow
	var payload []byte
	err := t.get(`SELECT payload, id, version, signature, signer, why, quarantined, problem_count, problems FROM vex.readings WHERE tenant_id = $1 AND document = $2 ORDER BY seq DESC LIMIT 1`,
		[]any{t.tenant, d.document}, &payload, &last.id, &last.version, &last.signature, &last.signer, &last.why, &last.quarantined, &last.count, &last.problems)
	if last.payload = string(payload); err == nil && last == now {
		return nil
	}
	if err != nil && !isNoRows(err) {
		return err
	}
	_, err = t.exec(`INSERT INTO vex.readings (tenant_id, document, source, name, run, at_us, payload, id, version, signature, signer, why, quarantined, problem_count, problems)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		t.tenant, d.document, d.run.Source, d.name, d.run.Number, t.now, d.payload, now.id, now.version, now.signature, now.signer, now.why, now.quarantined, now.count, now.problems)
	if err != nil {
		return err
	}
	state := docParsed
	if quarantined != "" {
		state = docQuarantined
	}
	_, err = t.exec(`UPDATE vex.documents SET state = $3, problem_count = $4 WHERE tenant_id = $1 AND seq = $2`, t.tenant, d.document, state, len(d.Problems))
	return err
}

// readingRow is a row of readings without where and when it was made.
type readingRow struct {
	payload, id, version, signature, signer, why, quarantined string
	count                                                     int
	problems                                                  string
}
