package osv

import (
	"bytes"
	"strings"
)

// references are the addresses of one record, packed.
type references struct {
	list []reference
	text []byte
}

type reference struct{ rank, start, end int }

func (l *references) reset() { l.list, l.text = l.list[:0], l.text[:0] }

// reference reads one reference.
func (p *parser) reference() {
	in, l := p.in, &p.links
	start, kind := len(l.text), ""
	in.object(func(name string) {
		switch name {
		case "type":
			kind = in.word()
		case "url":
			l.text = append(l.text[:start], in.raw("an address", int(p.opts.MaxRecord))...)
		default:
			in.skip()
		}
	})
	if !isLink(l.text[start:]) {
		l.text = l.text[:start]
		return
	}
	l.list = append(l.list, reference{rank(kind), start, len(l.text)})
}

// rank orders references: an advisory first, then what tells about the
// vulnerability rather than the package.
func rank(kind string) int {
	switch kind {
	case "ADVISORY":
		return 8
	case "REPORT":
		return 7
	case "ARTICLE":
		return 6
	case "WEB":
		return 5
	case "DISCUSSION", "EVIDENCE":
		return 4
	case "FIX":
		return 3
	case "PACKAGE":
		return 1
	}
	return 2
}

// best returns the page of this very record or else the first of the highest
// rank; empty where there is none.
func (l *references) best(id string) string {
	// Some sites write the colon of an id as a hyphen.
	names := [...][]byte{[]byte(id), []byte(strings.ReplaceAll(id, ":", "-"))}
	found := reference{}
	for _, ref := range l.list {
		address := l.text[ref.start:ref.end]
		if bytes.Contains(address, names[0]) || bytes.Contains(address, names[1]) {
			ref.rank = 9
		}
		if ref.rank > found.rank {
			found = ref
		}
	}
	return string(l.text[found.start:found.end])
}

func isLink(s []byte) bool {
	if len(s) > maxText || !bytes.HasPrefix(s, []byte("https://")) && !bytes.HasPrefix(s, []byte("http://")) {
		return false
	}
	for _, c := range s {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
