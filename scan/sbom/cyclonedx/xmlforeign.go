package cyclonedx

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// foreignAttrs writes the attributes that an extra part holds.
func (w *xmlWriter) foreignAttrs(extra *node, at *place) {
	attrs := extra.get(xmlAttr)
	for i, f := range attrs.fields {
		space, local := "", f.name
		if strings.HasPrefix(local, "{") {
			space, local, _ = strings.Cut(local[1:], "}")
		}
		if !xmlName(local) || f.value.kind != '"' {
			w.lose(at.String(), "attribute "+quote(f.name)+" cannot be written")
			continue
		}
		switch space {
		case "":
		case xmlURL:
			local = "xml:" + local
		default:
			prefix := "ns" + strconv.Itoa(i+1)
			w.attr("xmlns:"+prefix, space)
			local = prefix + ":" + local
		}
		w.attr(local, w.scalar(&f.value, at))
	}
}

// foreignElements writes the elements that an extra part holds, each checked
// to be one element and nothing else.
func (w *xmlWriter) foreignElements(extra *node, at *place) {
	held := extra.get(xmlAny)
	for i := range held.items {
		text := held.items[i].text
		if err := oneElement(text); err != nil {
			w.lose(at.String(), fmt.Sprintf("a foreign element cannot be written: %v", err))
			continue
		}
		w.newline()
		w.b = append(w.b, text...)
	}
}

// oneElement reports why text is not exactly one well-formed element.
func oneElement(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	depth, elements := 0, 0
	for {
		tok, err := d.Token()
		if err == io.EOF && depth == 0 {
			if elements != 1 {
				return fmt.Errorf("%d elements", elements)
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
			if depth == 1 {
				elements++
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && !blank(t) {
				return errors.New("text outside")
			}
		case xml.Directive:
			return errors.New("a directive")
		}
	}
}

// xmlName reports whether s is plain enough for the name of an attribute.
func xmlName(s string) bool {
	return s != "" && !bytes.ContainsAny([]byte(s), "\"'<>&=/ \t\r\n:") && xmlSafe(s) &&
		!slices.Contains([]byte("0123456789-."), s[0])
}
