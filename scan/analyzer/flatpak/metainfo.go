package flatpak

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	maxMetainfo = 8 << 20 // bytes of one file; translations make some of them large
	maxDepth    = 100     // nested elements
	maxText     = 64 << 10
)

// readMetainfo reads the parts of an AppStream component that describe a package. Releases
// come newest first; what is translated is left out. A document type is passed over, so that
// an entity of it is an error.
func readMetainfo(where string, data []byte) (*sbom.Package, error) {
	c := component{}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("encoding %.40q: %w", charset, fault.Unsupported)
	}
	var err error
	for err == nil {
		var t xml.Token
		if t, err = d.Token(); err == nil {
			err = c.take(t, where)
		}
	}
	switch {
	case errors.Is(err, io.EOF) && c.seen:
		err = nil
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("no component: %w", fault.Invalid)
	case fault.KindOf(err) == "":
		line, _ := d.InputPos()
		err = fmt.Errorf("line %d: %v: %w", line, err, fault.Invalid)
	}
	return &c.pkg, err
}

// component is a component element as far as it was read.
type component struct {
	pkg  sbom.Package
	path []string // names of the open elements
	text strings.Builder
	keep bool // the text of the innermost element counts
	seen bool // there was a component
}

// take reads one token.
func (c *component) take(t xml.Token, where string) error {
	switch t := t.(type) {
	case xml.StartElement:
		if len(c.path) == maxDepth {
			return &fault.LimitError{What: "nested elements", Where: where, Max: maxDepth, Seen: maxDepth + 1}
		}
		c.path = append(c.path, t.Name.Local)
		c.start(t)
	case xml.CharData:
		if c.keep && c.text.Len()+len(t) <= maxText {
			c.text.Write(t)
		}
	case xml.EndElement:
		if c.keep {
			c.end(strings.Join(strings.Fields(c.text.String()), " "))
		}
		c.keep = false
		c.path = c.path[:len(c.path)-1]
	}
	return nil
}

// start reads the attributes of an element.
func (c *component) start(e xml.StartElement) {
	attribute := func(name string) string {
		for _, a := range e.Attr {
			if a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	c.keep = false
	switch c.place() {
	case "component":
		c.seen = true
	case "summary", "project_license", "developer_name":
		c.keep = attribute("lang") == ""
	case "url":
		c.keep = attribute("type") == "homepage"
	case "release":
		if v := strings.TrimSpace(attribute("version")); c.pkg.Version == "" && attribute("type") != "development" {
			c.pkg.Version = v
		}
	}
	c.text.Reset()
}

// end reads the text of an element that counts.
func (c *component) end(text string) {
	switch c.place() {
	case "summary":
		c.pkg.Description = text
	case "project_license":
		if text != "" {
			c.pkg.Licenses = []sbom.License{{Name: text}}
		}
	case "developer_name":
		c.pkg.Originator = text
	case "url":
		c.pkg.Homepage = text
	}
}

// place names the innermost open element where it is one that counts.
func (c *component) place() string {
	switch n := len(c.path); {
	case n == 0 || c.path[0] != "component":
	case n == 1:
		return "component"
	case n == 2:
		switch c.path[1] {
		case "summary", "project_license", "developer_name", "url":
			return c.path[1]
		}
	case n == 3 && c.path[1] == "developer" && c.path[2] == "name":
		return "developer_name" // since AppStream 1.0
	case n == 3 && c.path[1] == "releases" && c.path[2] == "release":
		return "release"
	}
	return ""
}
