package chat

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// The longest name, note and summary, in characters.
const (
	MaxName    = 160
	MaxNote    = 240
	MaxSummary = 400
)

// Item is one image, or what else a notice is about, and what is to be said of it alone.
type Item struct {
	Name string
	Note string // "" for nothing
}

// Group is notices that say the same of several images.
type Group struct {
	Name     string   // of the vulnerability, or what happened
	Marks    []string // what is to be known about it, a word or two each
	Severity finding.Severity
	Summary  string // of the vulnerability
	Items    []Item
}

// Groups returns what a message lists: the worst first, else in the order in which it
// came. Items that say the same are one. cut is how many texts were cut.
func Groups(m *notify.Message) (out []Group, cut int) {
	var c cutter
	at := map[string]int{}
	for i := range m.Notices {
		n := &m.Notices[i]
		key := groupKey(n)
		j, ok := at[key]
		if !ok {
			j = len(out)
			at[key] = j
			out = append(out, Group{Name: c.groupName(n)})
		}
		g := &out[j]
		g.Marks = merge(g.Marks, c.marks(n))
		if g.Summary == "" {
			g.Summary = c.line(n.Summary, MaxSummary)
		}
		if n.Severity.Rank() > g.Severity.Rank() {
			g.Severity = n.Severity
		}
		if it := c.item(n); !slices.Contains(g.Items, it) {
			g.Items = append(g.Items, it)
		}
	}
	slices.SortStableFunc(out, func(a, b Group) int { return b.Severity.Rank() - a.Severity.Rank() })
	return out, c.cut
}

// Spread lists many images of one group by where they are: each namespace with its
// images, the one with most of them first. It is nil where that is no shorter, or items
// have notes of their own.
func Spread(items []Item) []Group {
	var out []Group
	at := map[string]int{}
	for _, it := range items {
		if it.Note != "" {
			return nil
		}
		where, name := "", it.Name
		if i := strings.LastIndexByte(it.Name, '/'); i >= 0 && i+1 < len(it.Name) {
			where, name = it.Name[:i], it.Name[i+1:]
		}
		i, ok := at[where]
		if !ok {
			i = len(out)
			at[where] = i
			out = append(out, Group{Name: where})
		}
		out[i].Items = append(out[i].Items, Item{Name: name})
	}
	if 2*len(out) > len(items) {
		return nil
	}
	slices.SortStableFunc(out, func(a, b Group) int { return len(b.Items) - len(a.Items) })
	return out
}

// Images says how many there are.
func Images(n int) string {
	if n == 1 {
		return "1 image"
	}
	return strconv.Itoa(n) + " images"
}

func groupKey(n *notify.Notice) string {
	switch {
	case n.Vulnerability != "":
		return string(n.Type) + "\x00" + n.Vulnerability
	case n.Type == event.VerdictChanged:
		return string(n.Type) + "\x00" + n.Environment + "\x00" + n.Outcome
	}
	return string(n.Type)
}

func (c *cutter) groupName(n *notify.Notice) string {
	switch n.Type {
	case event.ScanCompleted:
		return "Scanned"
	case event.ScanFailed:
		return "Scan failed"
	case event.VerdictChanged:
		return c.line(orElse(n.Environment, "Policy")+": "+orElse(n.Outcome, "changed"), MaxName)
	case event.PolicyActivated:
		return "Policy activated"
	case event.ExceptionCreated:
		return "Exception created"
	case event.ExceptionRevoked:
		return "Exception revoked"
	case event.ExceptionExpired:
		return "Exception expired"
	}
	if n.Vulnerability != "" {
		return c.line(n.Vulnerability, MaxName)
	}
	return c.line(string(n.Type), MaxName)
}

// marks are what is the same for all images of a group.
func (c *cutter) marks(n *notify.Notice) []string {
	if n.Vulnerability == "" {
		return nil
	}
	var out []string
	if n.Severity != finding.Unknown {
		out = append(out, c.line(string(n.Severity), MaxName))
	}
	if s := c.cause(n.Cause); s != "" {
		out = append(out, s)
	}
	if n.Exploited == notify.Yes {
		out = append(out, "exploited")
	}
	if n.Fixed == notify.Yes {
		out = append(out, "fix available")
	}
	return out
}

func merge(have, more []string) []string {
	for _, s := range more {
		if !slices.Contains(have, s) {
			have = append(have, s)
		}
	}
	return have
}

// cause says in words why there is drift.
func (c *cutter) cause(cause string) string {
	switch cause {
	case "new", "changed", "withdrawn":
		return cause
	case "fix_available":
		return "fix available"
	case "kev":
		return "exploited"
	}
	return c.line(cause, MaxName)
}

func (c *cutter) item(n *notify.Notice) Item {
	name := n.Image
	for _, s := range []string{n.Subject, n.Digest, n.ScanID, n.Policy, n.Vulnerability} {
		name = orElse(name, s)
	}
	it := Item{Name: c.line(orElse(name, string(n.Type)), MaxName)}
	switch n.Type {
	case event.ScanCompleted:
		it.Note = Findings(n)
	case event.VerdictChanged:
		it.Note = verdict(n)
	default:
		if n.Vulnerability == "" {
			it.Note = reason(n)
		}
	}
	it.Note = c.line(it.Note, MaxNote)
	return it
}

func verdict(n *notify.Notice) string {
	var out []string
	if n.Before != "" && n.Before != n.Outcome {
		out = append(out, "was "+n.Before)
	}
	if b := Blocking(n); b != "" {
		out = append(out, "blocked by "+b)
	}
	return strings.Join(out, ", ")
}

func reason(n *notify.Notice) string {
	if n.By != "" && n.Reason != "" {
		return "by " + n.By + ": " + n.Reason
	}
	if n.By != "" {
		return "by " + n.By
	}
	return n.Reason
}

// shownBlocking is how many blocking findings are named.
const shownBlocking = 5

// Blocking lists the findings that block, and how many more there are.
func Blocking(n *notify.Notice) string {
	shown := n.Blocking[:min(len(n.Blocking), shownBlocking)]
	return Join(shown, max(n.Blocked, len(n.Blocking))-len(shown))
}

// Join lists names, and how many more there are.
func Join(names []string, more int) string {
	s := strings.Join(names, ", ")
	switch {
	case more <= 0:
		return s
	case s == "":
		return strconv.Itoa(more)
	}
	return s + " and " + strconv.Itoa(more) + " more"
}

// Findings counts the findings of a scan by severity. Not assessed is never none.
func Findings(n *notify.Notice) string {
	if n.Assessed == notify.No {
		return "vulnerabilities were not assessed"
	}
	if n.Findings == nil {
		return ""
	}
	return orElse(notify.Counts(n.Findings), "no known vulnerabilities")
}

// Tally says how many of a message's notices are of which severity; "" where not all of
// them are at hand, or none has one.
func Tally(m *notify.Message) string {
	by := map[finding.Severity]int{}
	for i := range m.Notices {
		by[m.Notices[i].Severity]++
	}
	if m.More() > 0 || by[finding.Unknown] == len(m.Notices) {
		return ""
	}
	var c cutter
	return c.line(notify.Counts(by), MaxNote)
}

// cutter counts the texts that it cuts.
type cutter struct{ cut int }

func (c *cutter) line(s string, max int) string {
	s, cut := Line(s, max)
	if cut {
		c.cut++
	}
	return s
}

func orElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
