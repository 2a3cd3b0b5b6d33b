package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp/syntax"
	"strings"
	"unicode"

	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/template"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/words"
)

const (
	minWords = 12 // a text with fewer required words would match by accident
	maxGap   = 60 // words that ".+" may stand for
)

// read returns the templates of one file of the list: the text, and the header
// if there is one. Deprecated identifiers have none: others took their place.
func read(data []byte) ([]template.Template, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var out []template.Template
	id, kind := "", template.License
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "license", "exception":
			id = attribute(start, "licenseId")
			if attribute(start, "deprecatedVersion") != "" {
				return nil, nil
			}
			if start.Name.Local == "exception" {
				kind = template.Exception
			}
		case "standardLicenseHeader", "text":
			w := writer{}
			if err := w.element(d, start, false); err != nil {
				return nil, err
			}
			k := kind
			if start.Name.Local != "text" {
				w.headers = append(w.headers, w.source)
			} else if t, err := w.source.template(); err != nil {
				return nil, err
			} else if t.Required >= minWords {
				t.ID, t.Kind = id, k
				out = append(out, t)
			}
			for _, h := range w.headers {
				t, err := h.template()
				if err != nil {
					return nil, err
				}
				if t.Required >= minWords && kind == template.License {
					t.ID, t.Kind = id, template.Header
					out = append(out, t)
				}
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// mark is something between two words of a text.
type mark struct {
	at   int // byte
	gap  int // words that may stand here; 0 for the marks of omittable texts
	open int // +1, -1
}

// source is a text with marks.
type source struct {
	text  []byte
	marks []mark
}

// writer turns the elements of a text into words.
type writer struct {
	source
	headers []source
}

func (w *writer) write(s string) { w.text = append(w.text, s...) }

// element reads until the end of start, which was read. Titles and copyright
// notices may be left out (guidelines 9 and 11), bullets do not count (7).
func (w *writer) element(d *xml.Decoder, start xml.StartElement, inner bool) error {
	switch start.Name.Local {
	case "bullet", "notes":
		return d.Skip()
	case "p", "br", "item", "list":
		w.write("\n")
	case "alt":
		return w.alternative(d, start)
	case "optional", "copyrightText", "titleText":
		w.write(" ")
		w.marks = append(w.marks, mark{at: len(w.text), open: 1})
		defer func() {
			w.marks = append(w.marks, mark{at: len(w.text), open: -1})
			w.write(" ")
		}()
	case "standardLicenseHeader":
		if inner {
			at, marks := len(w.text), len(w.marks)
			defer func() {
				h := source{text: bytes.Clone(w.text[at:])}
				for _, m := range w.marks[marks:] {
					m.at -= at
					h.marks = append(h.marks, m)
				}
				w.headers = append(w.headers, h)
			}()
		}
	}
	for {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.CharData:
			// Lines of the file are no lines of the text.
			w.write(strings.Map(func(r rune) rune {
				if r == '\n' || r == '\r' {
					return ' '
				}
				return r
			}, string(t)))
		case xml.StartElement:
			if err := w.element(d, t, true); err != nil {
				return err
			}
		case xml.EndElement:
			if start.Name.Local == "p" || start.Name.Local == "item" {
				w.write("\n")
			}
			return nil
		}
	}
}

// alternative makes replaceable text omittable, with room for other words on
// both sides.
func (w *writer) alternative(d *xml.Decoder, start xml.StartElement) error {
	var standard writer
	if err := standard.element(d, xml.StartElement{Name: xml.Name{Local: "span"}}, true); err != nil {
		return err
	}
	most := len(words.Split(nil, append([]byte("x "), standard.text...))) - 1
	expr, err := syntax.Parse(attribute(start, "match"), syntax.Perl)
	if err != nil {
		return fmt.Errorf("alternative %s: %w", attribute(start, "name"), err)
	}
	most = min(max(most, longest(expr)), maxGap)
	w.write(" ")
	if most > 0 {
		w.marks = append(w.marks, mark{at: len(w.text), gap: most}, mark{at: len(w.text), open: 1})
		w.text = append(w.text, standard.text...)
		w.marks = append(w.marks, mark{at: len(w.text), open: -1}, mark{at: len(w.text), gap: most})
	}
	w.write(" ")
	return nil
}

// longest returns the number of words that an expression may stand for, or a
// little more.
func longest(e *syntax.Regexp) int {
	switch e.Op {
	case syntax.OpLiteral:
		return len(strings.FieldsFunc(string(e.Rune), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }))
	case syntax.OpConcat:
		n := 0
		for _, sub := range e.Sub {
			n += longest(sub)
		}
		return n
	case syntax.OpAlternate:
		n := 0
		for _, sub := range e.Sub {
			n = max(n, longest(sub))
		}
		return n
	case syntax.OpStar, syntax.OpPlus:
		if longest(e.Sub[0]) > 0 {
			return maxGap
		}
	case syntax.OpRepeat:
		if longest(e.Sub[0]) > 0 {
			if e.Max < 0 {
				return maxGap
			}
			return e.Max/5 + 1
		}
	case syntax.OpQuest, syntax.OpCapture:
		return longest(e.Sub[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCharClass:
		for i := 0; i < len(e.Rune); i += 2 {
			for r := e.Rune[i]; r <= min(e.Rune[i+1], 0x7f); r++ {
				if unicode.IsLetter(r) || unicode.IsDigit(r) {
					return 1
				}
			}
		}
	}
	return 0
}

// template cuts the text into words.
func (s *source) template() (template.Template, error) {
	list := words.Split(nil, s.text)
	t := template.Template{Words: make([]uint32, 0, len(list)), Skip: make([]int32, len(list)), Gaps: make([]uint16, len(list)+1)}
	marks := s.marks
	var open []int // where omittable texts begin
	for i := 0; i <= len(list); i++ {
		for len(marks) > 0 && (i == len(list) || marks[0].at <= int(list[i].Start)) {
			m := marks[0]
			marks = marks[1:]
			switch {
			case m.gap > 0:
				t.Gaps[i] = max(t.Gaps[i], uint16(m.gap))
			case m.open > 0:
				open = append(open, i)
			case len(open) == 0:
				return t, errors.New("an omittable text ends that did not begin")
			default:
				for j := open[len(open)-1]; j < i; j++ {
					if t.Skip[j] == 0 { // else it is in an inner one
						t.Skip[j] = int32(i)
					}
				}
				open = open[:len(open)-1]
			}
		}
		if i < len(list) {
			t.Words = append(t.Words, list[i].Hash)
		}
	}
	t.Count()
	return t, nil
}
