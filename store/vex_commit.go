package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/vex"
)

// maxDeltaNames bounds the names in one event, in bytes, so that it fits.
const maxDeltaNames = 160 << 10

// Consensus returns what is decided about vulnerabilities as of the newest head, nil
// for all, sorted by vulnerability and product.
func (v *VEX) Consensus(ctx context.Context, vulnerabilities []string) ([]vex.Decision, error) {
	var out []vex.Decision
	err := v.read(ctx, "read the consensus", func(tx *tx) error {
		rows, err := tx.decided(vulnerabilities)
		if err != nil {
			return err
		}
		out = make([]vex.Decision, 0, len(rows))
		for key, body := range rows {
			var d vex.Decision
			if err := json.Unmarshal([]byte(body), &d); err != nil {
				return fmt.Errorf("decision about %s: %v: %w", key[0], err, fault.Mismatch)
			}
			out = append(out, d)
		}
		return nil
	})
	slices.SortFunc(out, compareDecisions)
	return out, err
}

func compareDecisions(a, b vex.Decision) int {
	if c := strings.Compare(a.Vulnerability, b.Vulnerability); c != 0 {
		return c
	}
	return strings.Compare(a.Product, b.Product)
}

// decided returns the texts of decisions by vulnerability and product.
func (t *tx) decided(vulnerabilities []string) (map[[2]string]string, error) {
	out := map[[2]string]string{}
	add := func(row func(...any) error) error {
		var key [2]string
		var body string
		err := row(&key[0], &key[1], &body)
		out[key] = body
		return err
	}
	const columns = `SELECT vulnerability, product, body FROM vex.consensus WHERE tenant_id = $1`
	if vulnerabilities == nil {
		return out, t.each(add, columns, t.tenant)
	}
	names := make([]string, len(vulnerabilities))
	for i, id := range vulnerabilities {
		names[i] = clean(strings.ToUpper(id))
	}
	return out, batches(names, []any{t.tenant}, func(in string, args []any) error {
		return t.each(add, columns+` AND vulnerability IN `+in, args...)
	})
}

// Commit makes a head the newest, replaces decisions, notes every change of them,
// and announces the net ones, in one transaction. It is refused with ErrConflict
// when the newest is not the one before it, or another trust is in force by now.
func (v *VEX) Commit(ctx context.Context, c *vex.Commit) error {
	n, err := newVEXHead(c)
	if err != nil {
		return err
	}
	err = v.write(ctx, fmt.Sprintf("commit VEX head %d", c.Head.Number), func(tx *tx) error { return tx.commitVEX(n) })
	if errors.Is(err, errUnknown) { // the head is there if and only if the commit happened
		h, readErr := v.Head(context.WithoutCancel(ctx), c.Head.Number)
		if readErr == nil && h.Digest == c.Head.Digest && h.Trust == c.Head.Trust && maps.Equal(h.Runs, c.Head.Runs) && h.At.UnixMicro() == c.Head.At.UnixMicro() {
			err = nil
		}
	}
	if err == nil {
		crashpoint.Hit(crashpoint.VEXCommitted)
	}
	return err
}

// vexCommit is a head with its decisions as they are stored.
type vexCommit struct {
	*vex.Commit
	runs string
	next map[[2]string]int64
	body map[[2]string]string // by vulnerability and product
}

func newVEXHead(c *vex.Commit) (*vexCommit, error) {
	h := &c.Head
	if h.Number < 1 || !isSum(h.Digest) || !isSum(h.Trust) || h.At.IsZero() {
		return nil, fmt.Errorf("commit VEX head %d with the digest %.80q and the trust %.80q as of %v: %w", h.Number, h.Digest, h.Trust, h.At, fault.Invalid)
	}
	if len(c.Decisions) > MaxDecisions {
		return nil, &fault.LimitError{What: "decisions", Where: fmt.Sprintf("VEX head %d", h.Number), Max: MaxDecisions, Seen: int64(len(c.Decisions))}
	}
	about := make(map[string]bool, len(c.Vulnerabilities))
	for _, id := range c.Vulnerabilities {
		if err := checkVulnerability(id); err != nil {
			return nil, err
		}
		about[clean(strings.ToUpper(id))] = true
	}
	for _, id := range c.Net {
		if !about[id] {
			return nil, fmt.Errorf("commit VEX head %d: it announces %.100q, which it does not decide: %w", h.Number, id, fault.Invalid)
		}
	}
	out := &vexCommit{Commit: c, next: map[[2]string]int64{}, body: make(map[[2]string]string, len(c.Decisions))}
	runs, err := json.Marshal(h.Runs, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	out.runs = string(runs)
	for i := range c.Decisions {
		d := &c.Decisions[i]
		key := [2]string{d.Vulnerability, d.Product}
		if _, again := out.body[key]; again || !about[d.Vulnerability] || d.Product == "" {
			return nil, fmt.Errorf("commit VEX head %d: the decision about %.100q of %.200q is there twice, or about something else: %w", h.Number, d.Vulnerability, d.Product, fault.Invalid)
		}
		text, err := json.Marshal(d, json.Deterministic(true))
		if err != nil {
			return nil, fmt.Errorf("write the decision about %s: %v: %w", d.Vulnerability, err, fault.Invalid)
		}
		out.body[key] = string(text)
		if !d.NextChange.IsZero() {
			out.next[key] = d.NextChange.UnixMicro()
		}
	}
	return out, nil
}

func isSum(s string) bool { return len(s) == len("sha256:")+64 && digestText.Get().MatchString(s) }

// lockVEX locks the row of the scope and returns the newest head and the tenant's
// own trust.
func (t *tx) lockVEX() (head int64, trust string, err error) {
	if _, err = t.exec(`INSERT INTO vex.scopes (tenant_id, head, trust) VALUES ($1, 0, '') ON CONFLICT (tenant_id) DO NOTHING`, t.tenant); err != nil {
		return 0, "", err
	}
	err = t.get(`SELECT head, trust FROM vex.scopes WHERE tenant_id = $1 FOR UPDATE`, []any{t.tenant}, &head, &trust)
	return head, trust, err
}

func (t *tx) commitVEX(n *vexCommit) error {
	h := &n.Head
	current, trust, err := t.lockVEX()
	if err != nil {
		return err
	}
	if current != h.Number-1 {
		return fmt.Errorf("head %d does not follow the newest, %d, which somebody else committed: %w", h.Number, current, fault.Conflict)
	}
	if trust, err = t.trustInForce(trust); err != nil {
		return err
	}
	if trust != h.Trust {
		return fmt.Errorf("head %d follows from trust %s, and %s is in force: %w", h.Number, h.Trust, trust, fault.Conflict)
	}
	_, err = t.exec(`INSERT INTO vex.heads (tenant_id, number, digest, trust, runs, at_us) VALUES ($1, $2, $3, $4, $5, $6)`,
		t.tenant, h.Number, h.Digest, h.Trust, n.runs, h.At.UnixMicro())
	if err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.VEXHead)
	if err := t.decide(n); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.VEXDecisions)
	if err := t.announceVEX(n); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.VEXEvent)
	_, err = t.exec(`UPDATE vex.scopes SET head = $2 WHERE tenant_id = $1`, t.tenant, h.Number)
	return err
}

// decide replaces decisions and notes what changed.
func (t *tx) decide(n *vexCommit) error {
	before, err := t.decided(named(n.Vulnerabilities))
	if err != nil {
		return err
	}
	keys := make([][2]string, 0, len(n.body))
	for key, body := range n.body {
		if before[key] != body {
			keys = append(keys, key)
		}
	}
	var gone [][]byte
	for key := range before {
		if _, stays := n.body[key]; !stays {
			keys = append(keys, key)
			gone = append(gone, decisionKey(key))
		}
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var rows, changes []any
	for i, key := range keys {
		body, stays := n.body[key]
		if stays {
			rows = append(rows, t.tenant, decisionKey(key), key[0], clean(key[1]), n.Head.Number, n.next[key], body)
		}
		changes = append(changes, t.tenant, n.Head.Number, i, key[0], clean(key[1]), body)
	}
	_, err = t.insert(`INSERT INTO vex.consensus (tenant_id, key, vulnerability, product, head, next_us, body)`, 7, rows,
		` ON CONFLICT (tenant_id, key) DO UPDATE SET head = excluded.head, next_us = excluded.next_us, body = excluded.body`)
	if err != nil {
		return err
	}
	err = batches(gone, []any{t.tenant}, func(in string, args []any) error {
		_, err := t.exec(`DELETE FROM vex.consensus WHERE tenant_id = $1 AND key IN `+in, args...)
		return err
	})
	if err != nil {
		return err
	}
	_, err = t.insert(`INSERT INTO vex.decisions (tenant_id, head, n, vulnerability, product, body)`, 6, changes, "")
	return err
}

// named turns nil into no names: nil would mean all.
func named(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

func decisionKey(key [2]string) []byte {
	sum := sha256.Sum256([]byte(key[0] + "\x00" + clean(key[1])))
	return sum[:]
}

// announceVEX writes the events of a head, if anything is decided or said otherwise, or
// by another trust.
func (t *tx) announceVEX(n *vexCommit) error {
	h := &n.Head
	d := event.ConsensusDelta{Head: h.Number, Digest: h.Digest, At: micros(h.At.UnixMicro()), Trust: h.Trust}
	if h.Number > 1 {
		base, err := t.vexHead(`number = $2`, h.Number-1)
		if err != nil {
			return err
		}
		d.Base, d.BaseDigest, d.BaseTrust = base.Number, base.Digest, base.Trust
	}
	parts := splitNames(slices.Concat(n.Net, n.Said))
	if len(parts) == 0 && d.BaseTrust != d.Trust {
		parts = [][]string{{}}
	}
	d.Parts = len(parts)
	decided := len(n.Net) // how many of those that are left
	for i, names := range parts {
		of := min(decided, len(names))
		d.Part, d.Vulnerabilities, d.Said = i+1, names[:of], names[of:]
		decided -= of
		data, err := d.Encode()
		if err != nil {
			return err
		}
		id := fmt.Sprintf("vex/%d", h.Number)
		if i > 0 {
			id = fmt.Sprintf("vex/%d/%d", h.Number, i+1)
		}
		if err := t.announce(announcement{topic: event.ExcititorDeltas, event: event.Event{ID: id, Type: event.VEXDelta, Source: "excititor", Data: data}}); err != nil {
			return err
		}
	}
	return nil
}

// splitNames cuts a list into what one event holds each.
func splitNames(list []string) (out [][]string) {
	for len(list) > 0 {
		n, size := 0, 0
		for n < len(list) && n < event.MaxVulnerabilities && size < maxDeltaNames {
			size += len(list[n]) + 3
			n++
		}
		out = append(out, list[:n])
		list = list[n:]
	}
	return out
}
