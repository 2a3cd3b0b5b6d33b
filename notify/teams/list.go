package teams

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/internal/chat"
)

// body lists what the message is about: the facts of one notice, the images of one
// vulnerability, or each vulnerability with its images.
func (w *writer) body() []element {
	if w.m.Total == 1 && len(w.m.Notices) == 1 {
		return w.facts(&w.m.Notices[0])
	}
	groups, cut := chat.Groups(w.m)
	w.cuts(cut)
	switch len(groups) {
	case 0:
		return nil
	case 1:
		return w.group(&groups[0])
	default:
		return w.groups(groups)
	}
}

func (w *writer) facts(n *notify.Notice) []element {
	out := w.summary(n.Summary)
	facts, cut := chat.Facts(n)
	w.cuts(cut)
	for _, f := range facts {
		out = append(out, fact(f.Name, w.clip(f.Value)))
	}
	return out
}

// summary says what a vulnerability is.
func (w *writer) summary(s string) []element {
	if s = w.cut("summary", s, w.level.fact+100); s == "" {
		return nil
	}
	return []element{row(words(s))}
}

// group lists the items of one group, one on a line; very many by their namespaces.
func (w *writer) group(g *chat.Group) []element {
	out := []element{row(append(w.heading(g), words("  ·  "+w.inAll()))...)}
	out = append(out, w.summary(g.Summary)...)
	if len(g.Items) > w.level.items {
		if spread := chat.Spread(g.Items); spread != nil {
			return w.rows(out, spread, w.level.items, func(s *chat.Group) []run {
				return []run{bold(w.clip(cmp.Or(s.Name, "elsewhere"))), words("  " + chat.Images(len(s.Items)))}
			})
		}
	}
	n := min(len(g.Items), w.level.items)
	for _, it := range g.Items[:n] {
		out = append(out, row(append([]run{words("•  ")}, w.item(it)...)...).spaced("Small"))
	}
	return w.more(out, len(g.Items)-n)
}

// groups lists one group on a line.
func (w *writer) groups(groups []chat.Group) []element {
	s := w.inAll()
	if t := chat.Tally(w.m); t != "" {
		s += ": " + t
	}
	return w.rows([]element{row(words(s))}, groups, w.level.groups, w.heading)
}

// rows lists groups, each on a line with the first of its items.
func (w *writer) rows(out []element, groups []chat.Group, most int, heading func(*chat.Group) []run) []element {
	n := min(len(groups), most)
	for i := range groups[:n] {
		g := &groups[i]
		var names []string
		for _, it := range g.Items[:min(len(g.Items), w.level.each)] {
			names = append(names, w.itemText(it))
		}
		runs := append([]run{words("•  ")}, heading(g)...)
		out = append(out, row(append(runs, words(" — "+chat.Join(names, len(g.Items)-len(names))))...).spaced("Small"))
	}
	left := 0
	for i := range groups[n:] {
		left += len(groups[n+i].Items)
	}
	return w.more(out, left)
}

// inAll says how many there are.
func (w *writer) inAll() string { return strconv.Itoa(w.m.Total) + " in all" }

// more says how many are not listed.
func (w *writer) more(out []element, left int) []element {
	if left > 0 {
		w.note("list: %d of what the message lists was left out", left)
	}
	if n := left + w.m.More(); n > 0 {
		out = append(out, row(subtle("and "+strconv.Itoa(n)+" more")).spaced("Small"))
	}
	return out
}

func (w *writer) heading(g *chat.Group) []run {
	out := []run{bold(w.clip(g.Name))}
	if len(g.Marks) > 0 {
		out = append(out, words("  "+strings.Join(g.Marks, " · ")))
	}
	return out
}

func (w *writer) item(it chat.Item) []run {
	name := words(w.clip(it.Name))
	name.Font = "Monospace"
	out := []run{name}
	if it.Note != "" {
		out = append(out, words(" — "+w.clip(it.Note)))
	}
	return out
}

func (w *writer) itemText(it chat.Item) string {
	if it.Note != "" {
		return w.clip(it.Name) + " (" + w.clip(it.Note) + ")"
	}
	return w.clip(it.Name)
}

// clip cuts what the level leaves no room for.
func (w *writer) clip(s string) string {
	out, cut := chat.Line(s, w.level.fact)
	if cut {
		w.clipped++
	}
	return out
}
