package cyclonedx

import (
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// document reads the whole document and puts it together.
func (r *reader) document() (*sbom.Document, error) {
	var h header
	err := r.object(func(name string) error { return r.documentMember(&h, name) })
	if err != nil {
		return nil, err
	}
	if _, err := r.d.ReadToken(); err != io.EOF {
		if err == nil || errors.Is(err, fault.Limit) {
			return nil, errOr(err, fmt.Errorf("data after the document at byte %d: %w", r.d.InputOffset(), fault.Invalid))
		}
		return nil, fmt.Errorf("data after the document: %w", r.syntax(err))
	}
	if err := h.check(r.xml); err != nil {
		return nil, err
	}
	r.form.Version = h.version.String()
	if !h.hasSchema {
		r.foreign.set("$schema", node{kind: 'n'})
	}
	if !h.hasVersion {
		r.foreign.set("version", node{kind: 'n'})
	}
	if !h.hasComponents {
		r.foreign.set("components", node{kind: 'n'})
	}
	if r.doc.Namespace == "" && !r.foreign.has("serialNumber") {
		r.foreign.set("serialNumber", node{kind: 'n'})
	}
	return r.assemble(h.version), nil
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// A header is what a document says of itself.
type header struct {
	format, spec                         string
	version                              version
	hasSchema, hasVersion, hasComponents bool
}

func (h *header) check(xml bool) error {
	if h.format == "" {
		return fmt.Errorf("not a CycloneDX document: there is no /bomFormat: %w", fault.Unsupported)
	}
	if h.format != "CycloneDX" {
		return fmt.Errorf("/bomFormat is %s, not \"CycloneDX\": %w", quote(h.format), fault.Unsupported)
	}
	if h.spec == "" {
		return fmt.Errorf("there is no /specVersion: %w", fault.Invalid)
	}
	v, err := parseVersion(h.spec)
	if err != nil {
		return fmt.Errorf("/specVersion: %w", err)
	}
	if !xml && v < oldestJSON {
		return fmt.Errorf("/specVersion: CycloneDX %v has no JSON form: %w", v, fault.Unsupported)
	}
	h.version = v
	return nil
}

func (r *reader) documentMember(h *header, name string) error {
	switch name {
	case "$schema":
		h.hasSchema = true
		_, err := r.text()
		return err
	case "bomFormat":
		return r.textTo(&h.format)
	case "specVersion":
		return r.textTo(&h.spec)
	case "serialNumber":
		return r.serialNumber()
	case "version":
		h.hasVersion = true
		return r.bomVersion()
	case "metadata":
		return r.metadata()
	case "components":
		h.hasComponents = true
		return r.array(func() error { return r.component(nil) })
	case "dependencies":
		return r.dependencies()
	case "compositions":
		n, err := r.value()
		r.foreign.set(name, n)
		return err
	}
	return r.keep(&r.foreign, name)
}

func (r *reader) serialNumber() error {
	s, err := r.text()
	if err != nil {
		return err
	}
	if s == "" {
		r.foreign.set("serialNumber", stringNode(""))
	} else if !fitSerial(s) {
		r.noteHere("serial number " + quote(s) + " is not urn:uuid:…")
		r.foreign.set("serialNumber", stringNode(s))
	}
	if r.doc.Namespace == "" { // a stella:namespace may have come first
		r.doc.Namespace = s
	}
	return nil
}

// bomVersion reads the document's own version, which is 1 in new documents.
func (r *reader) bomVersion() error {
	n, err := r.value()
	if err != nil {
		return err
	}
	if n.kind != '0' {
		r.noteHere("version is no number")
	}
	if n.kind != '0' || n.text != "1" {
		r.foreign.set("version", n)
	}
	return nil
}
