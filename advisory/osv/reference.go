package osv

import (
	"bytes"
	"strings"

	"github.com/stella-ops/stella/advisory"
)

// references are the addresses of one record, packed.
type references struct {
	list []reference
	text []byte
}

type reference struct {
	kind       string
	start, end int
}

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
	if !isAddress(l.text[start:]) {
		l.text = l.text[:start]
		return
	}
	l.list = append(l.list, reference{kind, start, len(l.text)})
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

// take returns the references, which share one text, and the page of this very
// record or else the first link of the highest rank; empty where there is none.
func (l *references) take(id string) (out []advisory.Reference, best string) {
	if len(l.list) == 0 {
		return nil, ""
	}
	text := string(l.text)
	out = make([]advisory.Reference, len(l.list))
	colon := strings.IndexByte(id, ':') >= 0 // which some sites write as a hyphen
	top := 0
	for i, ref := range l.list {
		address := text[ref.start:ref.end]
		out[i] = advisory.Reference{Type: ref.kind, URL: address}
		if !isLink(l.text[ref.start:ref.end]) {
			continue
		}
		n := rank(ref.kind)
		if strings.Contains(address, id) || colon && strings.Contains(address, strings.ReplaceAll(id, ":", "-")) {
			n = 9
		}
		if n > top {
			top, best = n, address
		}
	}
	return out, best
}

// isLink reports whether a reference is an address of the web.
func isLink(s []byte) bool {
	return isAddress(s) && (bytes.HasPrefix(s, []byte("https://")) || bytes.HasPrefix(s, []byte("http://")))
}

// isAddress reports whether a reference has a text that can be one.
func isAddress(s []byte) bool {
	if len(s) == 0 || len(s) > advisory.MaxValue {
		return false
	}
	for _, c := range s {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
