package cyclonedx

import (
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// EncodeOptions says which form Encode writes. The zero value, and nil, stand
// for compact JSON of version 1.6.
type EncodeOptions struct {
	Version string // "1.4" to "1.7"; empty means "1.6"
	XML     bool   // XML instead of JSON
	Indent  bool   // with line breaks and two spaces a level
}

func (o *EncodeOptions) version() (version, error) {
	if o == nil || o.Version == "" {
		return defaultVersion, nil
	}
	v, err := parseVersion(o.Version)
	if err == nil && v < oldestOut {
		err = fmt.Errorf("CycloneDX %s is read but not written: %w", o.Version, fault.Unsupported)
	}
	return v, err
}

// Encode writes d to w and returns what the version or the format could not
// carry, in the order of the document. The same d gives the same bytes.
//
// d must be normalised (sbom.Document.Normalize): packages sorted by IDs that
// are set and differ; otherwise the error is "invalid input" and nothing is
// written. d is not changed. An empty Namespace is written as a serial number
// made of the content without its Source: a UUID of version 8 (RFC 9562) from
// the SHA-256 of the compact JSON form.
func Encode(w io.Writer, d *sbom.Document, opt *EncodeOptions) ([]sbom.Loss, error) {
	losses, err := encode(w, d, opt)
	if err != nil {
		return nil, fmt.Errorf("encode CycloneDX: %w", err)
	}
	return losses, nil
}

func encode(w io.Writer, d *sbom.Document, opt *EncodeOptions) ([]sbom.Loss, error) {
	v, err := opt.version()
	if err != nil {
		return nil, err
	}
	if err := checkNormal(d); err != nil {
		return nil, err
	}
	if opt == nil {
		opt = &EncodeOptions{}
	}
	e := &encoder{doc: d, version: v, xml: opt.XML, losses: otherFamilies(d)}
	head, body := e.document()
	if opt.XML || opt.Indent {
		whole := slices.Concat(head, body)
		if opt.XML {
			whole, err = e.toXML(whole, opt.Indent)
		} else {
			whole, err = jsontext.AppendFormat(nil, whole, jsontext.Multiline(true), jsontext.WithIndent("  "), jsontext.SpaceAfterColon(true))
		}
		if err != nil {
			return nil, err
		}
		head, body = nil, whole
	}
	for _, part := range [][]byte{head, append(body, '\n')} {
		if _, err := w.Write(part); err != nil {
			return nil, fmt.Errorf("write: %w", err)
		}
	}
	return e.losses, nil
}

// otherFamilies lists the members of other formats that d holds.
func otherFamilies(d *sbom.Document) []sbom.Loss {
	losses := d.Foreign.Losses("document", family)
	if d.Subject.Package != nil {
		losses = append(losses, d.Subject.Package.Foreign.Losses("subject", family)...)
	}
	for i := range d.Packages {
		losses = append(losses, d.Packages[i].Foreign.Losses("package "+d.Packages[i].ID, family)...)
	}
	return losses
}

func checkNormal(d *sbom.Document) error {
	if d == nil {
		return fmt.Errorf("no document: %w", fault.Invalid)
	}
	last := ""
	for i := range d.Packages {
		id := d.Packages[i].ID
		if id == "" || id <= last {
			return fmt.Errorf("the document is not normalised: package %d has the ID %q after %q: %w", i, id, last, fault.Invalid)
		}
		if id == d.Subject.ID {
			return fmt.Errorf("package %d has the ID of the subject, %q: %w", i, id, fault.Invalid)
		}
		last = id
	}
	return nil
}
