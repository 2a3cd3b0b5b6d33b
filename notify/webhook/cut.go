package webhook

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/bound"
	"github.com/stella-ops/stella/store/event"
)

// The bounds of texts in a body, in bytes, and of lists. Texts are maxText where there is
// room, and never shorter than minText.
const (
	maxText  = 4 << 10
	minText  = 16
	maxLink  = 2 << 10
	maxWhy   = 20
	maxItems = 100 // of labels, and of blocking findings
)

// cutter makes copies of what a message holds, of valid UTF-8 and bounded length, and
// remembers whether anything was cut.
type cutter struct {
	max        int
	cut        bool
	links, why int // what was left out
}

func (c *cutter) text(s string) string {
	s, cut := bound.Bytes(s, c.max)
	c.cut = c.cut || cut
	return s
}

// link keeps a link whole or not at all: half of one leads astray.
func (c *cutter) link(s string) string {
	if limit := min(maxLink, 2*c.max); len(s) > limit {
		c.links++
		return ""
	}
	return c.text(s)
}

// message copies everything but the notices.
func (c *cutter) message(m *notify.Message) *notify.Message {
	out := &notify.Message{
		ID: m.ID, Tenant: c.text(m.Tenant), Kind: notify.Kind(kindOf(m.Kind)), At: moment(m.At), Since: moment(m.Since),
		Title: c.text(m.Title), Severity: finding.Severity(c.text(string(m.Severity))), Notices: []notify.Notice{}, Total: max(m.Total, len(m.Notices)),
		Why: []string{}, Rule: c.text(m.Rule), RuleName: c.text(m.RuleName), GroupKey: c.text(m.GroupKey),
		Recipient: c.text(m.Recipient), To: c.text(m.To), Link: c.link(m.Link), AckLink: c.link(m.AckLink),
		Locale: c.text(m.Locale), Template: c.text(m.Template),
	}
	for _, why := range m.Why[:min(len(m.Why), maxWhy)] {
		out.Why = append(out.Why, c.text(why))
	}
	c.why = len(m.Why) - len(out.Why)
	return out
}

func (c *cutter) notice(n *notify.Notice) *notify.Notice {
	out := &notify.Notice{
		Event: c.text(n.Event), Type: event.Type(c.text(string(n.Type))), At: moment(n.At),
		ScanID: c.text(n.ScanID), Image: c.text(n.Image), Digest: c.text(n.Digest), Owner: c.text(n.Owner), Labels: c.labels(n.Labels),
		Vulnerability: c.text(n.Vulnerability), Severity: finding.Severity(c.text(string(n.Severity))), Summary: c.text(n.Summary),
		Exploited: notify.Answer(c.text(string(n.Exploited))), Fixed: notify.Answer(c.text(string(n.Fixed))),
		Cause: c.text(n.Cause), Environment: c.text(n.Environment), Outcome: c.text(n.Outcome), Before: c.text(n.Before), Policy: c.text(n.Policy),
		Blocked: n.Blocked, Findings: c.findings(n.Findings), Assessed: notify.Answer(c.text(string(n.Assessed))),
		Subject: c.text(n.Subject), By: c.text(n.By), Reason: c.text(n.Reason),
	}
	for _, id := range n.Blocking[:min(len(n.Blocking), maxItems)] {
		out.Blocking = append(out.Blocking, c.text(id))
	}
	c.cut = c.cut || len(n.Blocking) > maxItems
	return out
}

// labels copies the first labels by name. Of names that are the same once they are cut the
// first stays: JSON has each once.
func (c *cutter) labels(labels map[string]string) map[string]string {
	if labels == nil {
		return nil
	}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		short := c.text(name)
		if _, taken := out[short]; taken || len(out) == maxItems {
			c.cut = true
			continue
		}
		out[short] = c.text(labels[name])
	}
	return out
}

// findings copies the counts of the severities that there are.
func (c *cutter) findings(counts map[finding.Severity]int) map[finding.Severity]int {
	if counts == nil {
		return nil
	}
	out := map[finding.Severity]int{}
	for severity, n := range counts {
		switch severity {
		case finding.Unknown, finding.None, finding.Low, finding.Medium, finding.High, finding.Critical:
			out[severity] = n
		default:
			c.cut = true
		}
	}
	return out
}

// moment is a time as JSON has it: UTC, and the zero time for what has no date there.
func moment(t time.Time) time.Time {
	t = t.UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// notes say what was cut.
func (c *cutter) notes(m *notify.Message, listed int) (out []string) {
	if total := max(m.Total, len(m.Notices)); listed < total {
		out = append(out, strconv.Itoa(listed)+" of "+strconv.Itoa(total)+" notices are listed")
	}
	if c.cut {
		out = append(out, "texts were cut")
	}
	if c.links > 0 {
		out = append(out, "links were left out: they are too long")
	}
	if c.why > 0 {
		out = append(out, strconv.Itoa(c.why)+" reasons were left out")
	}
	return out
}
