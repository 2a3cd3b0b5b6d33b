package template

import (
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/notify"
)

// shortValue is how many bytes of a value are shown where even a message without notices
// is too long.
const shortValue = 256

// maxRaw is how much a template may write before it is escaped and cut.
func maxRaw(max int) int { return 4*max + 64<<10 }

// render renders a part by its own template, else by the default, else as the title.
func (p *compiled) render(v *views) (text string, notes []string) {
	failed := ""
	if p.own != nil {
		text, notes, err := p.fit(p.own, v)
		if err == nil {
			return text, notes
		}
		failed = plain.Text(err.Error())
	}
	text, notes, err := p.fit(p.standard, v)
	switch {
	case err != nil:
		return p.bare(v), []string{fmt.Sprintf("%s: the template failed, this is the title alone: %.200s", p.Name, plain.Text(err.Error()))}
	case failed != "":
		notes = append(notes, fmt.Sprintf("%s: the template failed, this is the default: %.200s", p.Name, failed))
	}
	return text, notes
}

// fit renders as many notices as the part has room for: with values as they are, else
// with short ones, else without notices. What is longer even so is cut.
func (p *compiled) fit(prog *program, v *views) (string, []string, error) {
	all := min(len(v.message.Notices), notify.MaxListed)
	total := v.view(0, MaxValue).Total
	text, fits, err := p.attempt(prog, v, all, MaxValue)
	if err != nil || fits {
		return text, nil, err
	}
	least := all
	if prog.lists {
		least = 0
	}
	tries := []int{MaxValue, shortValue}
	if !prog.lists && p.Escape != HTML {
		tries = nil // cutting the end says more than cutting each value
	}
	none := ""
	for _, max := range tries {
		text, n, err := p.most(prog, v, least, all, max)
		switch {
		case err != nil:
			return "", nil, err
		case n > least || n == all && max != MaxValue:
			return text, []string{p.fewer(n, all, total, max)}, nil
		case n == least && none == "":
			none = text
		}
	}
	if none != "" {
		return none, []string{p.fewer(least, all, total, shortValue)}, nil
	}
	if p.Escape == HTML { // a page cannot be cut
		return p.bare(v), []string{fmt.Sprintf("%s: longer than %d bytes, this is the title alone", p.Name, p.Max)}, nil
	}
	raw, err := p.execute(prog, v.view(least, MaxValue))
	if err != nil && !errors.Is(err, errLong) {
		return "", nil, err
	}
	text, _ = escaped(p.Escape, raw, p.Max)
	return text, []string{fmt.Sprintf("%s: cut to %d bytes", p.Name, p.Max)}, nil
}

func (p *compiled) fewer(n, all, total, max int) string {
	switch {
	case n < all:
		return fmt.Sprintf("%s: lists %d of %d notices", p.Name, n, total)
	default:
		return fmt.Sprintf("%s: values are cut to %d bytes", p.Name, max)
	}
}

// most finds the most notices from least to all that fit, and the text; -1 where not even
// least do. More notices are never shorter.
func (p *compiled) most(prog *program, v *views, least, all, max int) (best string, n int, err error) {
	n = least - 1
	for low, high := least, all+1; low < high; {
		middle := (low + high) / 2
		if n < least {
			middle = low // most messages have room for the least
		}
		text, fits, err := p.attempt(prog, v, middle, max)
		if err != nil {
			return "", 0, err
		}
		if !fits && n < least {
			return "", -1, nil
		}
		if fits {
			best, n, low = text, middle, middle+1
		} else {
			high = middle
		}
	}
	return best, n, nil
}

// execute runs a program. What it wrote is returned with an error as well.
func (p *compiled) execute(prog *program, view *notify.Message) (string, error) {
	w := &bounded{left: maxRaw(p.Max)}
	err := prog.run.Execute(w, view)
	return string(w.text), err
}

// attempt renders n notices with values of at most max bytes, and reports whether the
// text fits.
func (p *compiled) attempt(prog *program, v *views, n, max int) (text string, fits bool, err error) {
	view := v.view(n, max)
	raw, err := p.execute(prog, view)
	if errors.Is(err, errLong) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	text, cut := raw, len(raw) > p.Max
	if p.Escape != HTML {
		text, cut = escaped(p.Escape, raw, p.Max)
	}
	if !cut && prog.lists && !prog.listed && n < len(v.message.Notices) {
		text, cut = p.more(text, view.More())
	}
	return text, !cut, nil
}

// more appends how many notices are missing, to a text that does not say so itself.
func (p *compiled) more(text string, n int) (string, bool) {
	switch p.Escape {
	case HTML:
		text += fmt.Sprintf("<p>… %d more</p>", n)
	case Line:
		text += fmt.Sprintf(" … %d more", n)
	default:
		text += fmt.Sprintf("\n… %d more", n)
	}
	return text, len(text) > p.Max
}

// bare is the title alone.
func (p *compiled) bare(v *views) string {
	title := v.view(0, shortValue).Title
	if p.Escape != HTML {
		return p.Escape.Value(title, p.Max)
	}
	if room := p.Max - len("<p></p>"); room > 0 {
		return "<p>" + p.Escape.Value(title, room) + "</p>"
	}
	return ""
}
