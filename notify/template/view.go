package template

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
)

// views are what templates see of a message: its texts cleaned and cut, its lists cut.
type views struct {
	message *notify.Message
	of      map[int]*notify.Message // by the bytes of a value
	cut     int                     // values that were cut
	secret  int                     // values in which something was masked
}

// view returns the message with the first n notices, whose texts have at most max bytes.
func (v *views) view(n, max int) *notify.Message {
	if v.of == nil {
		v.of = map[int]*notify.Message{}
	}
	full := v.of[max]
	if full == nil {
		full = v.clean(max)
		v.of[max] = full
	}
	out := *full
	out.Notices = out.Notices[:min(n, len(out.Notices))]
	return &out
}

func (v *views) notes() []string {
	var out []string
	if v.cut > 0 {
		out = append(out, fmt.Sprintf("%d values were longer than %d bytes and are cut", v.cut, MaxValue))
	}
	if v.secret > 0 {
		out = append(out, fmt.Sprintf("%d values looked like secrets and are masked", v.secret))
	}
	return out
}

func (v *views) clean(max int) *notify.Message {
	w := wash{max: max}
	m := *v.message
	w.texts(&m.ID, &m.Tenant, &m.Title, &m.Rule, &m.RuleName, &m.GroupKey, &m.Recipient, &m.To, &m.Locale, &m.Template)
	w.addresses(&m.Link, &m.AckLink)
	m.Kind, m.Severity = notify.Kind(w.text(string(m.Kind))), finding.Severity(w.text(string(m.Severity)))
	m.At, m.Since = m.At.UTC(), m.Since.UTC()
	m.Why = w.list(m.Why)
	m.Total = max0(m.Total)
	if len(m.Notices) > m.Total {
		m.Total = len(m.Notices)
	}
	m.Notices = slices.Clone(m.Notices[:min(len(m.Notices), notify.MaxListed)])
	for i := range m.Notices {
		w.notice(&m.Notices[i])
	}
	if max == MaxValue {
		v.cut, v.secret = w.cut, w.secret
	}
	return &m
}

// wash cleans texts, and counts what it had to cut and mask.
type wash struct{ max, cut, secret int }

func (w *wash) text(s string) string {
	long, _ := clean(s, 2*w.max) // a secret is not cut in two
	long, hid := masked(long)
	if hid {
		w.secret++
	}
	out, cut := clean(long, w.max)
	if cut {
		w.cut++
	}
	return out
}

func (w *wash) texts(of ...*string) {
	for _, s := range of {
		*s = w.text(*s)
	}
}

// addresses cleans links, whose tokens are meant to be there.
func (w *wash) addresses(of ...*string) {
	for _, s := range of {
		*s, _ = clean(*s, MaxValue)
	}
}

func (w *wash) list(of []string) []string {
	out := slices.Clone(of[:min(len(of), MaxList)])
	for i := range out {
		out[i] = w.text(out[i])
	}
	return out
}

func (w *wash) notice(n *notify.Notice) {
	w.texts(&n.Event, (*string)(&n.Type), &n.ScanID, &n.Image, &n.Digest, &n.Owner, &n.Vulnerability, (*string)(&n.Severity), &n.Summary,
		(*string)(&n.Exploited), (*string)(&n.Fixed), &n.Cause, &n.Environment, &n.Outcome, &n.Before, &n.Policy,
		(*string)(&n.Assessed), &n.Subject, &n.By, &n.Reason)
	n.At = n.At.UTC()
	n.Blocking = w.list(n.Blocking)
	n.Labels = some(n.Labels, w.text)
	n.Findings = some(n.Findings, func(n int) int { return n })
}

// some returns the first MaxList entries of a map. Of keys that are one when they are
// clean the first counts.
func some[K ~string, V any](of map[K]V, each func(V) V) map[K]V {
	if of == nil {
		return nil
	}
	keys := slices.Sorted(maps.Keys(of))
	out := make(map[K]V, min(len(keys), MaxList))
	for _, k := range keys[:min(len(keys), MaxList)] {
		text, _ := clean(string(k), shortValue)
		name := K(text)
		if _, taken := out[name]; !taken {
			out[name] = each(of[k])
		}
	}
	return out
}

// bounded takes so many bytes and no more.
type bounded struct {
	text []byte
	left int
}

var errLong = errors.New("the text is too long")

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, errLong
	}
	b.left -= len(p)
	b.text = append(b.text, p...)
	return len(p), nil
}
