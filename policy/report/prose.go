package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/plain"
)

// proseWidth is where prose is wrapped, in characters; a longer word stays whole.
const proseWidth = 96

// proseRefs is how many references of a step prose names.
const proseRefs = 8

// Prose writes stories for people at a terminal: wrapped at 96 columns, one paragraph a
// step, with what each rests on; the digests stand in full at the end. Characters that
// could command a terminal are replaced. No stories give no bytes. An error is that of w.
func Prose(w io.Writer, stories []*Story) error {
	var b proseWriter
	for i, s := range stories {
		if i > 0 {
			b.b.WriteByte('\n')
		}
		title := s.Title
		if s.Outcome != "" {
			title += ": " + words(s.Outcome)
		}
		b.wrap("", title)
		b.wrap("", s.Because)
		var last StepKind
		for i := range s.Steps {
			b.step(&s.Steps[i], s.Steps[i].Kind != last)
			last = s.Steps[i].Kind
		}
	}
	b.digests(stories)
	_, err := w.Write(b.b.Bytes())
	return err
}

// proseWriter collects lines.
type proseWriter struct{ b bytes.Buffer }

// proseIndent is what is left free for the kinds of steps.
const proseIndent = 12

// step writes one; the first of its kind names it.
func (p *proseWriter) step(s *Step, first bool) {
	label := ""
	if first {
		p.b.WriteByte('\n')
		label = string(s.Kind)
	}
	p.wrap(fmt.Sprintf("%-*s", proseIndent, "  "+label), s.Title)
	indent := strings.Repeat(" ", proseIndent+2)
	if len(s.Text) > 0 {
		p.wrap(indent, strings.Join(s.Text, " "))
	}
	var refs []string
	for i, r := range s.Refs {
		if i == proseRefs {
			refs = append(refs, fmt.Sprintf("%d more", len(s.Refs)-i))
			break
		}
		if r.Digest != "" || r.URL != "" || len(s.Refs) > 1 {
			refs = append(refs, strings.Join(strings.Fields(r.Name+" "+short(r.Digest)+" "+r.URL), " "))
		}
	}
	if len(refs) > 0 {
		p.wrap(indent, "→ "+strings.Join(refs, "; "))
	}
}

// short is a digest for the eye.
func short(digest string) string {
	if algorithm, hex, ok := strings.Cut(digest, ":"); ok && len(hex) > 12 {
		return algorithm + ":" + hex[:12]
	}
	return digest
}

// digests writes those that steps name, in their order, each once.
func (p *proseWriter) digests(stories []*Story) {
	told := map[Ref]bool{}
	for _, s := range stories {
		for i := range s.Steps {
			for j, r := range s.Steps[i].Refs {
				r.URL = ""
				if j >= proseRefs || r.Digest == short(r.Digest) || told[r] {
					continue
				}
				if len(told) == 0 {
					p.line("")
					p.wrap("", "Digests in full:")
				}
				told[r] = true
				p.wrap("  ", r.Digest+" "+r.Name)
			}
		}
	}
}

// wrap writes words, the first line after a head, the others indented as far.
func (p *proseWriter) wrap(head, text string) {
	at, begun := utf8.RuneCountInString(head), false
	indent := strings.Repeat(" ", at)
	line := head
	for _, word := range strings.Fields(text) {
		word = plain.Text(word)
		n := utf8.RuneCountInString(word)
		if begun && at+1+n > proseWidth {
			p.line(line)
			line, at, begun = indent, len(indent), false
		}
		if begun {
			line, at = line+" ", at+1
		}
		line, at, begun = line+word, at+n, true
	}
	p.line(line)
}

func (p *proseWriter) line(text string) {
	p.b.WriteString(strings.TrimRight(text, " "))
	p.b.WriteByte('\n')
}
