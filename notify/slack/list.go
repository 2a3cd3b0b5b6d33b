package slack

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
		e := row(bold(f.Name+":"), words(" "+f.Value))
		if !w.spend(e) {
			w.note("facts: cut")
			break
		}
		out = append(out, e)
	}
	return out
}

// summary says what a vulnerability is.
func (w *writer) summary(s string) []element {
	if s = w.cut("summary", s, chat.MaxSummary); s == "" {
		return nil
	}
	if e := row(words(s)); w.spend(e) {
		return []element{e}
	}
	return nil
}

// group lists the items of one group, one on a line; very many by their namespaces.
func (w *writer) group(g *chat.Group) []element {
	top := append([]element{row(append(heading(g), words("  ·  "+w.inAll()))...)}, w.summary(g.Summary)...)
	w.spend(top[0])
	if len(g.Items) > maxItems {
		if spread := chat.Spread(g.Items); spread != nil {
			return w.rows(top, spread, maxItems, func(s *chat.Group) []element {
				return []element{bold(cmp.Or(s.Name, "elsewhere")), words("  " + chat.Images(len(s.Items)))}
			})
		}
	}
	var rows []element
	for _, it := range g.Items {
		e := row(itemWords(it)...)
		if len(rows) == maxItems || !w.spend(e) {
			break
		}
		rows = append(rows, e)
	}
	return w.list(top, rows, len(g.Items)-len(rows))
}

// groups lists one group on a line.
func (w *writer) groups(groups []chat.Group) []element {
	s := w.inAll()
	if t := chat.Tally(w.m); t != "" {
		s += ": " + t
	}
	top := row(words(s))
	w.spend(top)
	return w.rows([]element{top}, groups, maxGroups, heading)
}

// rows lists groups, each on a line with the first of its items.
func (w *writer) rows(top []element, groups []chat.Group, most int, heading func(*chat.Group) []element) []element {
	var rows []element
	left := 0 // items
	for i := range groups {
		g := &groups[i]
		names := make([]string, 0, maxEach)
		for _, it := range g.Items[:min(len(g.Items), maxEach)] {
			names = append(names, itemText(it))
		}
		e := row(append(heading(g), words(" — "+chat.Join(names, len(g.Items)-len(names))))...)
		if left > 0 || len(rows) == most || !w.spend(e) {
			left += len(g.Items)
			continue
		}
		rows = append(rows, e)
	}
	return w.list(top, rows, left)
}

// inAll says how many there are.
func (w *writer) inAll() string { return strconv.Itoa(w.m.Total) + " in all" }

// list puts rows together, and says how many are not among them.
func (w *writer) list(out, rows []element, left int) []element {
	if len(rows) > 0 {
		out = append(out, bullets(rows))
	}
	if left > 0 {
		w.note("list: %d of what the message lists was left out", left)
	}
	if n := left + w.m.More(); n > 0 {
		out = append(out, row(words("and "+strconv.Itoa(n)+" more")))
	}
	return out
}

func heading(g *chat.Group) []element {
	out := []element{bold(g.Name)}
	if len(g.Marks) > 0 {
		out = append(out, words("  "+strings.Join(g.Marks, " · ")))
	}
	return out
}

func itemWords(it chat.Item) []element {
	out := []element{{Type: "text", Text: it.Name, Style: &style{Code: true}}}
	if it.Note != "" {
		out = append(out, words(" — "+it.Note))
	}
	return out
}

func itemText(it chat.Item) string {
	if it.Note != "" {
		return it.Name + " (" + it.Note + ")"
	}
	return it.Name
}
