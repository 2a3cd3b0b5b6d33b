package cyclonedx

import (
	"encoding/xml"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// keepAttr adds a foreign attribute to the extra part of an object, named
// "local" or "{namespace}local".
func keepAttr(extra *node, a xml.Attr) {
	name := a.Name.Local
	if a.Name.Space != "" {
		name = "{" + a.Name.Space + "}" + name
	}
	attrs := extra.get(xmlAttr)
	attrs.set(name, stringNode(a.Value))
	extra.set(xmlAttr, attrs)
}

// keepElement adds the foreign element just started to the extra part.
func (r *xmlReader) keepElement(extra *node, e *xml.StartElement, offset int64) error {
	if e.Name.Space == r.namespace {
		r.note(r.line(), "unknown element "+quote(e.Name.Local)+" is kept but not understood")
	}
	text, err := r.foreign(offset)
	if err != nil {
		return err
	}
	held := extra.get(xmlAny)
	held.kind = '['
	held.items = append(held.items, stringNode(text))
	extra.set(xmlAny, held)
	return nil
}

// foreign returns the text of the element just started, with declarations of
// the prefixes that it uses from outside.
func (r *xmlReader) foreign(offset int64) (string, error) {
	base := r.depth
	for r.depth++; r.depth > base; {
		tok, err := r.token()
		if err != nil {
			return "", err
		}
		switch tok.(type) {
		case xml.StartElement:
			if r.depth++; r.depth > r.maxDepth {
				return "", &fault.LimitError{What: "nesting depth", Where: "CycloneDX XML", Max: int64(r.maxDepth), Seen: int64(r.depth)}
			}
		case xml.EndElement:
			r.depth--
		}
	}
	raw := string(r.input[offset:r.d.InputOffset()])
	name := 1 + strings.IndexAny(raw[1:], " \t\r\n/>")
	tag, _, _ := strings.Cut(raw, ">")
	declared := ""
	for _, prefix := range prefixes(raw) {
		uris := r.scope[prefix]
		if len(uris) > 0 && !strings.Contains(tag, "xmlns:"+prefix) {
			declared += " xmlns:" + prefix + `="` + string(appendXML(nil, uris[len(uris)-1], true)) + `"`
		}
	}
	return raw[:name] + declared + raw[name:], nil
}

// prefixes returns the words before colons, sorted: among them are all
// prefixes that the XML text uses.
func prefixes(raw string) []string {
	var list []string
	for rest := raw; ; {
		head, tail, ok := strings.Cut(rest, ":")
		if !ok {
			slices.Sort(list)
			return slices.Compact(list)
		}
		if word := head[1+strings.LastIndexAny(head, " \t\r\n</>\"'="):]; word != "" && word != "xmlns" {
			list = append(list, word)
		}
		rest = tail
	}
}
