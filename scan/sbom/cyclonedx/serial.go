package cyclonedx

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// withoutSource returns the body as it would be without a Source: that part
// must not change what a document is named.
func (e *encoder) withoutSource(body []byte, meta node) [][]byte {
	if e.doc.Source == nil {
		return [][]byte{body}
	}
	losses := e.losses
	e.b = []byte{'{'}
	e.metadata(meta, e.doc.Source)
	with := len(e.b)
	e.b = []byte{'{'}
	e.metadata(meta, nil)
	e.losses = losses
	tail := body[with:]
	if len(e.b) == 1 { // no metadata left: what follows comes first
		tail = []byte(strings.TrimPrefix(string(tail[:1]), ",") + string(tail[1:]))
	}
	return [][]byte{e.b, tail}
}

// head writes the members that say what the document is.
func (e *encoder) head(f *node, body [][]byte) {
	e.begin('{')
	if x := f.get(xmlMember); e.xml && x.kind != 0 {
		e.key(xmlMember)
		e.b = x.append(e.b)
	}
	if !f.absent("$schema") {
		e.text("$schema", e.version.schema())
	}
	e.text("bomFormat", "CycloneDX")
	e.text("specVersion", e.version.String())
	switch {
	case fitSerial(e.doc.Namespace), e.serialFits:
		e.text("serialNumber", e.doc.Namespace)
	case e.doc.Namespace != "", !f.absent("serialNumber"):
		e.text("serialNumber", e.serial(body))
	}
	switch v := f.get("version"); {
	case v.kind == '0':
		e.key("version")
		e.b = append(e.b, v.text...)
	case v.kind != 0 && v.kind != 'n':
		e.lose("version", "not a number, written as 1")
		fallthrough
	case v.kind == 0 || e.version < 5:
		e.b = append(e.b, `,"version":1`...)
	}
}

// foreignSerial reports whether the Namespace is a serial number of a decoded
// document that does not have the form for it.
func (e *encoder) foreignSerial(f *node) bool {
	return e.doc.Namespace != "" && f.str("serialNumber") == e.doc.Namespace
}

// serial makes a UUID of version 8 (RFC 9562 §5.8) of the content.
func (e *encoder) serial(parts [][]byte) string {
	h := sha256.New()
	h.Write([]byte("CycloneDX " + e.version.String() + "\n"))
	for _, p := range parts {
		h.Write(p)
	}
	id := h.Sum(nil)[:16]
	id[6] = id[6]&0x0F | 0x80
	id[8] = id[8]&0x3F | 0x80
	s := hex.EncodeToString(id)
	return "urn:uuid:" + strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// fitSerial reports whether s has the form that the schemas ask for.
func fitSerial(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:uuid:")
	if !ok || len(s) != 36 {
		return false
	}
	for i, part := range []int{8, 4, 4, 4, 12} {
		if i > 0 {
			if s[0] != '-' {
				return false
			}
			s = s[1:]
		}
		if !hexDigits(s[:part], part) {
			return false
		}
		s = s[part:]
	}
	return true
}
