package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// MaxFacts bounds what may differ between two heads.
const MaxFacts = 5_000_000

// Commit makes a head the newest and announces it. What the manifest names by
// digest is referred to from then on.
func (a *Advisories) Commit(ctx context.Context, c *advisory.Commit) error {
	n := &newHead{Commit: c}
	if err := n.check(); err != nil {
		return err
	}
	if err := a.derive(ctx, n); err != nil {
		return err
	}
	err := a.write(ctx, fmt.Sprintf("commit head %d", c.Head.Number), func(tx *tx) error { return tx.commitHead(n) })
	if errors.Is(err, errUnknown) { // the head is there if and only if the commit happened
		h, readErr := a.Head(context.WithoutCancel(ctx), c.Head.Number)
		if readErr == nil && h.Digest == c.Head.Digest && maps.Equal(h.Runs, c.Head.Runs) {
			c.Head.At, err = h.At, nil
		}
	}
	if err == nil {
		crashpoint.Hit(crashpoint.PublishCommitted)
	}
	return err
}

// newHead is a head with what is derived for it.
type newHead struct {
	*advisory.Commit
	linksets []any // rows
	derived  []any // rows of advisories
	gone     []string
	runs     []byte
	digests  []string // of objects
}

var digestText = lazyre.New(`sha256:[0-9a-f]{64}`)

func (n *newHead) check() error {
	h := &n.Head
	if h.Number < 1 || !digestText.Get().MatchString(h.Digest) || len(h.Manifest) == 0 {
		return fmt.Errorf("commit head %d with the digest %.80q and a manifest of %d bytes: %w", h.Number, h.Digest, len(h.Manifest), fault.Invalid)
	}
	if len(n.Facts) > MaxFacts {
		return &fault.LimitError{What: "facts", Where: fmt.Sprintf("head %d", h.Number), Max: MaxFacts, Seen: int64(len(n.Facts))}
	}
	var err error
	if n.runs, err = json.Marshal(h.Runs, json.Deterministic(true)); err != nil {
		return err
	}
	n.digests = append(digestText.Get().FindAllString(string(h.Manifest), -1), h.Digest)
	slices.Sort(n.digests)
	n.digests = slices.Compact(n.digests)
	seen := make(map[string]bool, len(n.Linksets))
	for _, l := range n.Linksets {
		key := clean(l.Key)
		if key == "" || seen[key] {
			return fmt.Errorf("commit head %d: linkset %q is there twice, or has no key: %w", h.Number, l.Key, fault.Invalid)
		}
		seen[key] = true
		if len(l.Members) == 0 {
			n.gone = append(n.gone, key)
			continue
		}
		body, err := json.Marshal(l, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return fmt.Errorf("write linkset %s: %v: %w", l.Key, err, fault.Invalid)
		}
		n.linksets = append(n.linksets, key, h.Number, string(body))
	}
	return nil
}

// stated is what one record says of its severity.
type stated struct {
	severity, from string
}

// derive works out the rows of advisories: for a CVE id the severity that the
// first of its members states, its own records before GitHub's before others.
func (a *Advisories) derive(ctx context.Context, n *newHead) error {
	var ids []string
	for _, l := range n.Linksets {
		if isCVE(l.Key) {
			for _, m := range l.Members {
				ids = append(ids, clean(m.ID))
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	by := make(map[[2]string]stated, len(ids))
	err := a.read(ctx, "read severities", func(tx *tx) error {
		return batches(ids, nil, func(in string, args []any) error {
			return tx.each(func(row func(...any) error) error {
				var key [2]string
				var s stated
				var from, to int64
				err := row(&key[0], &key[1], &s.severity, &s.from, &from, &to)
				if run := n.Head.Runs[key[0]]; s.severity != "" && from <= run && (to == 0 || to > run) {
					by[key] = s
				}
				return err
			}, `SELECT source, record, severity, severity_from, from_run, to_run FROM vuln.observations WHERE record IN `+in+` ORDER BY modified_us, digest`, args...)
		})
	})
	if err != nil {
		return err
	}
	for _, l := range n.Linksets {
		if !isCVE(l.Key) || len(l.Members) == 0 {
			continue
		}
		members := slices.Clone(l.Members)
		slices.SortStableFunc(members, func(x, y advisory.Member) int {
			return cmp.Or(cmp.Compare(precedence(l.Key, &x), precedence(l.Key, &y)), strings.Compare(x.Source, y.Source), strings.Compare(x.ID, y.ID))
		})
		var s stated
		source, withdrawn := "", 1
		for i := range members {
			m := &members[i]
			if found := by[[2]string{m.Source, clean(m.ID)}]; s.severity == "" && !m.Withdrawn && found.severity != "" {
				s, source = found, m.Source
			}
			if !m.Withdrawn {
				withdrawn = 0
			}
		}
		n.derived = append(n.derived, clean(l.Key), s.severity, source, s.from, len(members), withdrawn, n.Head.Number)
	}
	return nil
}

func isCVE(id string) bool { return strings.HasPrefix(id, "CVE-") }

// precedence orders members by whose word counts for a CVE id.
func precedence(cve string, m *advisory.Member) int {
	switch {
	case m.ID == cve:
		return 0
	case strings.HasPrefix(m.ID, "GHSA-"):
		return 1
	}
	return 2
}

func (t *tx) commitHead(n *newHead) error {
	h := &n.Head
	var current int64
	if err := t.get(`SELECT number FROM vuln.current_head WHERE id = 1`, nil, &current); err != nil {
		return err
	}
	conflict := func() error {
		return fmt.Errorf("head %d does not follow the newest, which somebody else committed: %w", h.Number, fault.Conflict)
	}
	if current != h.Number-1 {
		return conflict()
	}
	rows, err := t.exec(`INSERT INTO vuln.heads (number, digest, manifest, runs, facts, at_us) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (number) DO NOTHING`,
		h.Number, h.Digest, packWriter().EncodeAll(h.Manifest, nil), string(n.runs), len(n.Facts), t.now)
	if err != nil {
		return err
	}
	if rows == 0 {
		return conflict()
	}
	for _, name := range n.digests {
		if err := t.useObject(name); err != nil {
			return err
		}
	}
	crashpoint.Hit(crashpoint.PublishHead)
	if err := t.keepFacts(h.Number, n.Facts); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.PublishFacts)
	if err := t.keepLinksets(n); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.PublishLinksets)
	if err := t.announceHead(n); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.PublishEvent)
	// Last, since from here on scans that complete wait: who completes one shares
	// the lock of this row.
	rows, err = t.exec(`UPDATE vuln.current_head SET number = $1 WHERE id = 1 AND number = CAST($1 AS BIGINT) - 1`, h.Number)
	if err == nil && rows == 0 {
		err = conflict()
	}
	h.At = micros(t.now)
	return err
}

// useObject keeps an object from being collected. What is not known by a name is
// named by the digest of its bytes.
func (t *tx) useObject(name string) error {
	digest := name
	err := t.get(`SELECT digest FROM vuln.objects WHERE name = $1`, []any{name}, &digest)
	if err != nil && !isNoRows(err) {
		return err
	}
	return t.use(blob.Ref{Digest: digest})
}

func (t *tx) keepFacts(head int64, facts []advisory.Fact) error {
	args := make([]any, 0, 7*len(facts))
	for i, f := range facts {
		args = append(args, head, i, clean(f.Ecosystem), clean(f.Name), clean(f.Record), clean(f.Vulnerability), string(f.Cause))
	}
	_, err := t.insert(`INSERT INTO vuln.facts (head, n, ecosystem, name, record, vulnerability, cause)`, 7, args, "")
	return err
}

func (t *tx) keepLinksets(n *newHead) error {
	_, err := t.insert(`INSERT INTO vuln.linksets (key, head, body)`, 3, n.linksets, ` ON CONFLICT (key) DO UPDATE SET head = excluded.head, body = excluded.body`)
	if err != nil {
		return err
	}
	_, err = t.insert(`INSERT INTO vuln.advisories (cve_id, severity, severity_source, severity_from, records, withdrawn, head)`, 7, n.derived,
		` ON CONFLICT (cve_id) DO UPDATE SET severity = excluded.severity, severity_source = excluded.severity_source, severity_from = excluded.severity_from,
			records = excluded.records, withdrawn = excluded.withdrawn, head = excluded.head`)
	if err != nil {
		return err
	}
	return batches(n.gone, nil, func(in string, args []any) error {
		if _, err := t.exec(`DELETE FROM vuln.linksets WHERE key IN `+in, args...); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM vuln.advisories WHERE cve_id IN `+in, args...)
		return err
	})
}

// announceHead writes the event of a head, for everybody and nobody.
func (t *tx) announceHead(n *newHead) error {
	h := &n.Head
	d := event.Delta{Head: h.Number, Digest: h.Digest, Facts: len(n.Facts)}
	before := map[string]int64{}
	if h.Number > 1 {
		base, err := t.head(h.Number - 1)
		if err != nil {
			return err
		}
		d.Base, d.BaseDigest, before = base.Number, base.Digest, base.Runs
	}
	for source := range h.Runs {
		if h.Runs[source] != before[source] {
			d.Sources = append(d.Sources, source)
		}
	}
	for source := range before {
		if _, ok := h.Runs[source]; !ok {
			d.Sources = append(d.Sources, source)
		}
	}
	slices.Sort(d.Sources)
	d.Sources = d.Sources[:min(len(d.Sources), event.MaxSources)]
	data, err := d.Encode()
	if err != nil {
		return err
	}
	return t.announce(announcement{topic: event.ConcelierDeltas, event: event.Event{ID: fmt.Sprintf("head/%d", h.Number), Type: event.AdvisoryDelta, Source: "concelier", Data: data}})
}

// Facts yields what differs between a head and the one before, in their order.
func (a *Advisories) Facts(ctx context.Context, head int64) iter.Seq2[advisory.Fact, error] {
	const page = 5000
	return func(yield func(advisory.Fact, error) bool) {
		for from := 0; ; from += page {
			var facts []advisory.Fact
			err := a.read(ctx, fmt.Sprintf("read facts of head %d", head), func(tx *tx) error {
				facts = facts[:0]
				return tx.each(func(row func(...any) error) error {
					var f advisory.Fact
					err := row(&f.Ecosystem, &f.Name, &f.Record, &f.Vulnerability, &f.Cause)
					facts = append(facts, f)
					return err
				}, `SELECT ecosystem, name, record, vulnerability, cause FROM vuln.facts WHERE head = $1 AND n >= $2 AND n < $3 ORDER BY n`, head, from, from+page)
			})
			if err != nil {
				yield(advisory.Fact{}, err)
				return
			}
			for _, f := range facts {
				if !yield(f, nil) {
					return
				}
			}
			if len(facts) < page {
				return
			}
		}
	}
}

// Linkset returns the linkset of a key as of the newest head, or an error that
// wraps ErrNotFound.
func (a *Advisories) Linkset(ctx context.Context, key string) (*advisory.Linkset, error) {
	l := new(advisory.Linkset)
	err := a.read(ctx, "read linkset "+key, func(tx *tx) error {
		var body string
		err := tx.get(`SELECT body FROM vuln.linksets WHERE key = $1`, []any{clean(key)}, &body)
		if isNoRows(err) {
			return fmt.Errorf("linkset %.80q: %w", key, fault.NotFound)
		}
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(body), l)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Linksets yields the linksets as of the newest head, sorted by key.
func (a *Advisories) Linksets(ctx context.Context) iter.Seq2[*advisory.Linkset, error] {
	const page = 2000
	return func(yield func(*advisory.Linkset, error) bool) {
		for last := ""; ; {
			var bodies []string
			err := a.read(ctx, "list linksets", func(tx *tx) error {
				bodies = bodies[:0]
				return tx.each(func(row func(...any) error) error {
					var body string
					err := row(&last, &body)
					bodies = append(bodies, body)
					return err
				}, `SELECT key, body FROM vuln.linksets WHERE key > $1 ORDER BY key LIMIT $2`, last, page)
			})
			for _, body := range bodies {
				l := new(advisory.Linkset)
				if err == nil {
					err = json.Unmarshal([]byte(body), l)
				}
				if err != nil {
					break
				}
				if !yield(l, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if len(bodies) < page {
				return
			}
		}
	}
}
