package store

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// Head returns a head by its number, and the newest for 0.
func (v *VEX) Head(ctx context.Context, number int64) (*vex.Head, error) {
	var h *vex.Head
	err := v.read(ctx, "read a head of VEX", func(tx *tx) error {
		var err error
		h, err = tx.vexHead(`number = CASE WHEN CAST($2 AS BIGINT) = 0 THEN (SELECT head FROM vex.scopes WHERE tenant_id = $1) ELSE $2 END`, number)
		if isNoRows(err) {
			err = fmt.Errorf("head %d of VEX: %w", number, fault.NotFound)
		}
		return err
	})
	return h, err
}

// HeadOf returns the newest head of a set, by the digest of that. An error wraps
// ErrNotFound.
func (v *VEX) HeadOf(ctx context.Context, digest string) (*vex.Head, error) {
	var h *vex.Head
	err := v.read(ctx, "look for a set of statements", func(tx *tx) error {
		var err error
		h, err = tx.vexHead(`digest = $2 ORDER BY number DESC LIMIT 1`, digest)
		if isNoRows(err) {
			err = fmt.Errorf("set of statements %.80q: %w", digest, fault.NotFound)
		}
		return err
	})
	return h, err
}

// vexHead reads the head of the tenant that a condition on $2 names.
func (t *tx) vexHead(where string, arg any) (*vex.Head, error) {
	h := new(vex.Head)
	var runs string
	var at int64
	err := t.get(`SELECT number, digest, trust, runs, at_us FROM vex.heads WHERE tenant_id = $1 AND `+where, []any{t.tenant, arg}, &h.Number, &h.Digest, &h.Trust, &runs, &at)
	if err != nil {
		return nil, err
	}
	h.At = micros(at)
	if err := json.Unmarshal([]byte(runs), &h.Runs); err != nil {
		return nil, fmt.Errorf("runs of head %d: %v: %w", h.Number, err, fault.Mismatch)
	}
	return h, nil
}

// Sources returns how every source stands, sorted by name.
func (v *VEX) Sources(ctx context.Context) ([]vex.SourceState, error) {
	var out []vex.SourceState
	err := v.read(ctx, "list sources of VEX", func(tx *tx) error {
		var err error
		out, err = tx.vexSources()
		return err
	})
	return out, err
}

func (t *tx) vexSources() (out []vex.SourceState, err error) {
	err = t.each(func(row func(...any) error) error {
		var s vex.SourceState
		var succeeded, failed int64
		err := row(&s.Source, &s.Released, &s.Documents, &s.Statements, &s.Quarantined, &s.Problems, &succeeded, &failed, &s.Cause)
		if succeeded > 0 {
			s.Succeeded = micros(succeeded)
		}
		if failed > 0 {
			s.Failed = micros(failed)
		}
		out = append(out, s)
		return err
	}, `SELECT name, released, documents, statements, quarantined, problems, succeeded_us, failed_us, cause FROM vex.sources WHERE tenant_id = $1 ORDER BY name`, t.tenant)
	return out, err
}

// releasedRuns are the runs that heads are made of now.
func (t *tx) releasedRuns() (map[string]int64, error) {
	sources, err := t.vexSources()
	out := map[string]int64{}
	for _, s := range sources {
		if s.Released > 0 {
			out[s.Source] = s.Released
		}
	}
	return out, err
}

// Changed returns the vulnerabilities, in upper case, that statements name which
// differ between a head, nil for none, and what is released now; and those whose
// consensus is due to change by a time.
func (v *VEX) Changed(ctx context.Context, since *vex.Head, at time.Time) ([]string, error) {
	before := map[string]int64{}
	if since != nil {
		before = since.Runs
	}
	found := map[string]bool{}
	err := v.read(ctx, "look for changed statements", func(tx *tx) error {
		clear(found)
		runs, err := tx.releasedRuns()
		if err != nil {
			return err
		}
		sums, err := tx.changedVEX(before, runs)
		if err != nil {
			return err
		}
		add := func(row func(...any) error) error {
			var name string
			err := row(&name)
			found[name] = true
			return err
		}
		err = batches(sums, []any{tx.tenant}, func(in string, args []any) error {
			return tx.each(add, `SELECT DISTINCT name FROM vex.names WHERE tenant_id = $1 AND statement IN `+in, args...)
		})
		if err != nil {
			return err
		}
		return tx.each(add, `SELECT DISTINCT vulnerability FROM vex.consensus WHERE tenant_id = $1 AND next_us > 0 AND next_us <= $2`, tx.tenant, at.UnixMicro())
	})
	return slices.Sorted(maps.Keys(found)), err
}

// changedVEX returns the statements that began or ended between runs.
func (t *tx) changedVEX(before, now map[string]int64) ([][]byte, error) {
	found := map[string]bool{}
	for _, source := range slices.Sorted(maps.Keys(now)) {
		for _, between := range []string{"from_run > $3 AND from_run <= $4", "to_run > 0 AND to_run > $3 AND to_run <= $4"} {
			err := t.each(func(row func(...any) error) error {
				var sum []byte
				err := row(&sum)
				found[string(sum)] = true
				return err
			}, `SELECT statement FROM vex.observations WHERE tenant_id = $1 AND source = $2 AND `+between, t.tenant, source, before[source], now[source])
			if err != nil {
				return nil, err
			}
		}
	}
	return sumsOf(found), nil
}

// sumsOf returns what is in a set, sorted.
func sumsOf(set map[string]bool) [][]byte {
	out := make([][]byte, 0, len(set))
	for _, sum := range slices.Sorted(maps.Keys(set)) {
		out = append(out, []byte(sum))
	}
	return out
}

// NextChange returns the earliest time at which something may be decided otherwise
// without a new statement; the zero time means never.
func (v *VEX) NextChange(ctx context.Context) (time.Time, error) {
	var next int64
	err := v.read(ctx, "look for what changes next", func(tx *tx) error {
		return tx.get(`SELECT coalesce(min(next_us), 0) FROM vex.consensus WHERE tenant_id = $1 AND next_us > 0`, []any{tx.tenant}, &next)
	})
	if err != nil || next == 0 {
		return time.Time{}, err
	}
	return micros(next), nil
}

// seen is a row of a statement as it is looked for.
type seen struct {
	seq, from, to int64
	source        string
	sum, body     []byte
}

// visible reports whether the row holds as of runs.
func (s *seen) visible(runs map[string]int64) bool {
	run := runs[s.source]
	return s.from <= run && (s.to == 0 || s.to > run)
}

// Statements yields what is in force as of the runs of a head, nil for what is
// released now, about any of the vulnerabilities, nil for all; sorted by ID and each
// once. What is read is prepared, and its ID verified.
func (v *VEX) Statements(ctx context.Context, at *vex.Head, vulnerabilities []string) iter.Seq2[*vex.Statement, error] {
	return func(yield func(*vex.Statement, error) bool) {
		runs, err := v.runsOf(ctx, at)
		if err != nil {
			yield(nil, err)
			return
		}
		pages := v.all(ctx, runs, "o.body")
		if vulnerabilities != nil {
			pages = v.about(ctx, runs, vulnerabilities)
		}
		var last []byte
		for s, err := range pages {
			if err == nil && bytes.Equal(s.sum, last) {
				continue
			}
			var st *vex.Statement
			if err == nil {
				last = s.sum
				st, err = s.statement()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(st, nil) {
				return
			}
		}
	}
}

// IDs yields the IDs of what is in force as of the runs of a head, nil for what is
// released now, sorted and each once.
func (v *VEX) IDs(ctx context.Context, at *vex.Head) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		runs, err := v.runsOf(ctx, at)
		if err != nil {
			yield("", err)
			return
		}
		var last []byte
		for s, err := range v.all(ctx, runs, "'' AS body") {
			if err != nil {
				yield("", err)
				return
			}
			if bytes.Equal(s.sum, last) {
				continue
			}
			if last = s.sum; !yield(hexDigest(s.sum), nil) {
				return
			}
		}
	}
}

func (v *VEX) runsOf(ctx context.Context, at *vex.Head) (map[string]int64, error) {
	if at != nil {
		return at.Runs, nil
	}
	var runs map[string]int64
	err := v.read(ctx, "look for released runs", func(tx *tx) error {
		var err error
		runs, err = tx.releasedRuns()
		return err
	})
	return runs, err
}

const seenColumns = `o.seq, o.source, o.from_run, o.to_run, o.statement, `

func (s *seen) scan(row func(...any) error) error {
	return row(&s.seq, &s.source, &s.from, &s.to, &s.sum, &s.body)
}

// all yields every visible row, sorted by statement, a page at a time: what runs
// have stored stays. body is the column, or what is read in its place.
func (v *VEX) all(ctx context.Context, runs map[string]int64, body string) iter.Seq2[*seen, error] {
	return func(yield func(*seen, error) bool) {
		for last := (&seen{sum: []byte{}}); ; {
			var page []*seen
			err := v.read(ctx, "list statements", func(tx *tx) error {
				page = page[:0]
				return tx.each(func(row func(...any) error) error {
					s := new(seen)
					page = append(page, s)
					return s.scan(row)
				}, `SELECT `+seenColumns+body+` FROM vex.observations o WHERE o.tenant_id = $1 AND (o.statement, o.seq) > ($2, CAST($3 AS bigint)) ORDER BY o.statement, o.seq LIMIT $4`,
					tx.tenant, last.sum, last.seq, statementsPage)
			})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, s := range page {
				if s.visible(runs) && !yield(s, nil) {
					return
				}
			}
			if len(page) < statementsPage {
				return
			}
			last = page[len(page)-1]
		}
	}
}

// about yields the visible rows of statements that name one of the ids.
func (v *VEX) about(ctx context.Context, runs map[string]int64, ids []string) iter.Seq2[*seen, error] {
	return func(yield func(*seen, error) bool) {
		names := make([]string, len(ids))
		for i, id := range ids {
			names[i] = clean(strings.ToUpper(id))
		}
		slices.Sort(names)
		names = slices.Compact(names)
		var found []*seen
		err := v.read(ctx, "look for statements", func(tx *tx) error {
			found = found[:0]
			named := map[string]bool{}
			err := batches(names, []any{tx.tenant}, func(in string, args []any) error {
				return tx.each(func(row func(...any) error) error {
					var sum []byte
					err := row(&sum)
					named[string(sum)] = true
					return err
				}, `SELECT statement FROM vex.names WHERE tenant_id = $1 AND name IN `+in, args...)
			})
			if err != nil {
				return err
			}
			return batches(sumsOf(named), []any{tx.tenant}, func(in string, args []any) error {
				return tx.each(func(row func(...any) error) error {
					s := new(seen)
					err := s.scan(row)
					if s.visible(runs) {
						found = append(found, s)
					}
					return err
				}, `SELECT `+seenColumns+`o.body FROM vex.observations o WHERE o.tenant_id = $1 AND o.statement IN `+in, args...)
			})
		})
		if err != nil {
			yield(nil, err)
			return
		}
		slices.SortFunc(found, func(a, b *seen) int { return bytes.Compare(a.sum, b.sum) })
		for _, s := range found {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// statement reads a row and verifies that it is what it was.
func (s *seen) statement() (*vex.Statement, error) {
	text, err := packReader().DecodeAll(s.body, nil)
	st := new(vex.Statement)
	if err == nil {
		err = json.Unmarshal(text, st)
	}
	if err == nil {
		err = st.Prepare()
	}
	if err != nil {
		return nil, fmt.Errorf("statement %s: %v: %w", hexDigest(s.sum), err, fault.Mismatch)
	}
	if st.ID != hexDigest(s.sum) {
		return nil, &fault.MismatchError{What: "id of a statement", Want: hexDigest(s.sum), Got: st.ID}
	}
	return st, nil
}
