package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

const rowColumns = `e.seq, e.topic, e.event_id, e.type, e.time_us, e.at_us, e.digest, e.hash`

// scanTimelineRow reads rowColumns, and what follows them into more.
func scanTimelineRow(scan func(...any) error, r *timeline.Row, more ...any) error {
	var kind string
	var at, indexed int64
	var digest, hash []byte
	err := scan(append([]any{&r.Seq, &r.Topic, &r.Event, &kind, &at, &indexed, &digest, &hash}, more...)...)
	if err == nil {
		err = toHash(digest, &r.Digest)
	}
	if err == nil {
		err = toHash(hash, &r.Hash)
	}
	r.Type, r.Time, r.Indexed = event.Type(kind), micros(at), micros(indexed)
	return err
}

// Rows returns rows without their bodies.
func (l *Timeline) Rows(ctx context.Context, after int64, limit int) (out []timeline.Row, err error) {
	limit = min(max(limit, 1), timeline.MaxRows)
	err = l.tenant.read(ctx, "read rows of the timeline", func(tx *tx) error {
		return tx.each(func(scan func(...any) error) error {
			out = append(out, timeline.Row{})
			return scanTimelineRow(scan, &out[len(out)-1])
		}, `SELECT `+rowColumns+` FROM timeline.rows e WHERE e.tenant_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3`, tx.tenant, after, limit)
	})
	return out, err
}

// Find returns a page of the entries that a query selects.
func (l *Timeline) Find(ctx context.Context, q timeline.Query) (*timeline.Page, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	page := new(timeline.Page)
	err := l.tenant.read(ctx, "query the timeline", func(tx *tx) error {
		statement, args := findEntries(tx.tenant, &q)
		size := 0
		err := tx.each(func(scan func(...any) error) error {
			var e timeline.Entry
			if err := scanTimelineRow(scan, &e.Row, &e.Body); err != nil {
				return err
			}
			if n := len(page.Entries); n == q.Limit || n > 0 && size+len(e.Body) > timeline.MaxPageBytes {
				page.Next = page.Entries[n-1].Seq
				return errPageFull
			}
			size += len(e.Body)
			page.Entries = append(page.Entries, e)
			return nil
		}, statement, args...)
		if errors.Is(err, errPageFull) {
			return nil
		}
		return err
	})
	return page, err
}

// errPageFull ends the reading of a page.
var errPageFull = errors.New("the page is full")

// commonness ranks kinds by how many rows are about one of them.
func commonness(k timeline.Kind) int {
	switch k {
	case timeline.RefScan, timeline.RefDelivery, timeline.RefIncident, timeline.RefException:
		return 0
	case timeline.RefDigest, timeline.RefImage, timeline.RefVulnerability:
		return 1
	}
	return 2
}

// findEntries is the statement for a query. Where it asks for references, entries are
// found by the rarest of them.
func findEntries(tenant string, q *timeline.Query) (string, []any) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	refs := slices.SortedStableFunc(slices.Values(q.Refs), func(a, b timeline.Ref) int { return cmp.Compare(commonness(a.Kind), commonness(b.Kind)) })
	var b strings.Builder
	b.WriteString(`SELECT ` + rowColumns + `, b.body FROM `)
	seq, where := "e.seq", ` WHERE e.tenant_id = `
	if len(refs) > 0 {
		seq = "r.seq"
		b.WriteString(`timeline.refs r JOIN timeline.rows e ON e.tenant_id = r.tenant_id AND e.seq = r.seq`)
		where = ` WHERE r.kind = ` + arg(string(refs[0].Kind)) + ` AND r.value = ` + arg(refs[0].Key()) + ` AND r.tenant_id = `
	} else {
		b.WriteString(`timeline.rows e`)
	}
	b.WriteString(` LEFT JOIN timeline.bodies b ON b.tenant_id = e.tenant_id AND b.seq = e.seq` + where + arg(tenant))
	for _, r := range refs[min(1, len(refs)):] {
		b.WriteString(` AND EXISTS (SELECT 1 FROM timeline.refs x WHERE x.tenant_id = e.tenant_id AND x.kind = ` + arg(string(r.Kind)) + ` AND x.value = ` + arg(r.Key()) + ` AND x.seq = e.seq)`)
	}
	if len(q.Types) > 0 {
		list := make([]string, len(q.Types))
		for i, t := range q.Types {
			list[i] = arg(string(t))
		}
		b.WriteString(` AND e.type IN (` + strings.Join(list, ", ") + `)`)
	}
	if q.Topic != "" {
		b.WriteString(` AND e.topic = ` + arg(q.Topic))
	}
	if q.Event != "" {
		b.WriteString(` AND e.seq IN (SELECT n.seq FROM timeline.rows n WHERE n.tenant_id = ` + arg(tenant) + ` AND n.event_id = ` + arg(q.Event) + `)`)
	}
	if !q.From.IsZero() || !q.Until.IsZero() {
		// By the index of times, and not row for row from the beginning.
		b.WriteString(` AND e.seq IN (SELECT w.seq FROM timeline.rows w WHERE w.tenant_id = ` + arg(tenant))
		if !q.From.IsZero() {
			b.WriteString(` AND w.time_us >= ` + arg(ceilMicros(q.From)))
		}
		if !q.Until.IsZero() {
			b.WriteString(` AND w.time_us < ` + arg(ceilMicros(q.Until)))
		}
		b.WriteString(`)`)
	}
	order, beyond := "", " > "
	if q.Backward {
		order, beyond = " DESC", " < "
	}
	if q.After > 0 {
		b.WriteString(` AND ` + seq + beyond + arg(q.After))
	}
	b.WriteString(` ORDER BY ` + seq + order + ` LIMIT ` + arg(q.Limit+1))
	return b.String(), args
}

// ceilMicros is the first microsecond that is not before a time.
func ceilMicros(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }
