package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

// Gaps says where the chain and what was announced differ.
func (l *Timeline) Gaps(ctx context.Context, grace time.Duration) (out []timeline.Gap, err error) {
	err = l.tenant.root.readOnce(ctx, Scope{RoleTenant, l.tenant.name}, "look for gaps of the timeline", func(tx *tx) error {
		out = nil
		for _, look := range []func(*[]timeline.Gap, int64) error{tx.headGaps, tx.outboxGaps, tx.inboxGaps} {
			if err := look(&out, tx.now-grace.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func addGap(out *[]timeline.Gap, g timeline.Gap) {
	if len(*out) < timeline.MaxGaps {
		*out = append(*out, g)
	}
}

// headGaps compares the head with the last row, and looks for the first hole.
func (t *tx) headGaps(out *[]timeline.Gap, _ int64) error {
	head, err := t.timelineHead("")
	if err != nil {
		return err
	}
	var first, last, count int64
	if err := t.get(`SELECT coalesce(min(seq), 0), coalesce(max(seq), 0), count(*) FROM timeline.rows WHERE tenant_id = $1`, []any{t.tenant}, &first, &last, &count); err != nil {
		return err
	}
	if count != last || first > 1 {
		var hole int64 = 1
		if first == 1 {
			err := t.get(`SELECT min(e.seq) + 1 FROM timeline.rows e WHERE e.tenant_id = $1
				AND NOT EXISTS (SELECT 1 FROM timeline.rows n WHERE n.tenant_id = e.tenant_id AND n.seq = e.seq + 1)`, []any{t.tenant}, &hole)
			if err != nil {
				return err
			}
		}
		addGap(out, timeline.Gap{Kind: timeline.GapHole, Seq: hole})
	}
	same := last == head.Seq
	if same && last > 0 {
		var hash []byte
		if err := t.get(`SELECT hash FROM timeline.rows WHERE tenant_id = $1 AND seq = $2`, []any{t.tenant, last}, &hash); err != nil {
			return err
		}
		same = bytes.Equal(hash, head.Hash[:])
	}
	if !same {
		addGap(out, timeline.Gap{Kind: timeline.GapHead, Seq: last})
	}
	return nil
}

// outboxGaps compares what was announced and is still in the outbox.
func (t *tx) outboxGaps(out *[]timeline.Gap, before int64) error {
	return t.each(func(scan func(...any) error) error {
		var g timeline.Gap
		var at int64
		var announced string
		var seq *int64
		var digest []byte
		if err := scan(&g.Topic, &g.Event, &at, &announced, &seq, &digest); err != nil {
			return err
		}
		g.At = micros(at)
		switch {
		case seq == nil && at < before:
			g.Kind = timeline.GapMissing
		case seq != nil && hex.EncodeToString(digest) != announced:
			g.Kind, g.Seq = timeline.GapDigest, *seq
		default:
			return nil
		}
		addGap(out, g)
		return nil
	}, `SELECT o.topic, o.event_id, o.created_us, o.digest, e.seq, e.digest FROM transport.outbox o
		LEFT JOIN timeline.rows e ON e.tenant_id = o.tenant_id AND e.event_id = o.event_id AND e.topic = o.topic
		WHERE o.tenant_id = $1 AND o.topic IN ('`+strings.Join(timeline.Topics(), "', '")+`') ORDER BY o.seq`, t.tenant)
}

// inboxGaps lists what is noted as indexed and is not.
func (t *tx) inboxGaps(out *[]timeline.Gap, _ int64) error {
	return t.each(func(scan func(...any) error) error {
		g := timeline.Gap{Kind: timeline.GapInbox}
		var at int64
		err := scan(&g.Event, &at)
		g.At = micros(at)
		addGap(out, g)
		return err
	}, `SELECT i.event_id, i.at_us FROM transport.inbox i WHERE i.tenant_id = $1 AND i.group_name = $2
		AND NOT EXISTS (SELECT 1 FROM timeline.rows e WHERE e.tenant_id = $3 AND e.event_id = i.event_id) ORDER BY i.at_us, i.event_id LIMIT $4`,
		t.tenant, event.GroupTimeline, t.tenant, timeline.MaxGaps)
}
