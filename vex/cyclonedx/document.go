package cyclonedx

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// document is what is read of a document.
type document struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Serial     string      `json:"serialNumber"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
	Services   []component `json:"services"`
	// Vulnerabilities are read one by one, so that a wrong one is not all.
	Vulnerabilities []jsontext.Value `json:"vulnerabilities"`

	parsed []vulnerability // those of XML
}

type metadata struct {
	Timestamp    string     `json:"timestamp"`
	Manufacturer *entity    `json:"manufacturer"`
	Authors      []entity   `json:"authors"`
	Component    *component `json:"component"`
	Supplier     *entity    `json:"supplier"`
}

type entity struct {
	Name string `json:"name"`
}

// author is whom the document says that it is from.
func (m *metadata) author() string {
	list := slices.Clone(m.Authors)
	if m.Manufacturer != nil {
		list = slices.Insert(list, 0, *m.Manufacturer)
	}
	if m.Supplier != nil {
		list = append(list, *m.Supplier)
	}
	for _, e := range list {
		if e.Name != "" {
			return e.Name
		}
	}
	return ""
}

// component is a component, or a service, which has no identifiers.
type component struct {
	Ref          string      `json:"bom-ref"`
	Name         string      `json:"name"`
	Version      string      `json:"version"`
	VersionRange string      `json:"versionRange"` // 1.7
	PURL         string      `json:"purl"`
	CPE          string      `json:"cpe"`
	Hashes       []hash      `json:"hashes"`
	Components   []component `json:"components"`
	Services     []component `json:"services"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type vulnerability struct {
	ID             string     `json:"id"`
	References     []vulnID   `json:"references"`
	Recommendation string     `json:"recommendation"`
	Workaround     string     `json:"workaround"`
	Analysis       *analysis  `json:"analysis"`
	Affects        []affects  `json:"affects"`
	Properties     []property `json:"properties"`
}

type vulnID struct {
	ID string `json:"id"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type analysis struct {
	State         string   `json:"state"`
	Justification string   `json:"justification"`
	Response      []string `json:"response"`
	Detail        string   `json:"detail"`
	FirstIssued   string   `json:"firstIssued"`
	LastUpdated   string   `json:"lastUpdated"`
}

type affects struct {
	Ref      string            `json:"ref"`
	Versions []affectedVersion `json:"versions"`
}

type affectedVersion struct {
	Version string `json:"version"`
	Range   string `json:"range"`
	Status  string `json:"status"`
}

// parse reads a document of one of the given versions.
func parse(text []byte, limits *Options, versions ...string) (*document, error) {
	if int64(len(text)) > limits.MaxBytes {
		return nil, &fault.LimitError{What: "bytes", Where: "the document", Max: limits.MaxBytes, Seen: int64(len(text))}
	}
	var d *document
	var err error
	if trimmed := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")), " \t\r\n"); bytes.HasPrefix(trimmed, []byte("<")) {
		d, err = parseXML(trimmed, limits.MaxDepth)
	} else {
		d = &document{Version: 1}
		err = vexdoc.Invalid(json.Unmarshal(text, d))
	}
	switch {
	case err != nil:
		return nil, err
	case d.Format != "CycloneDX":
		return nil, fmt.Errorf("/bomFormat: %.40q is not CycloneDX: %w", d.Format, fault.Unsupported)
	case !slices.Contains(versions, d.Spec):
		return nil, fmt.Errorf("/specVersion: %.40q is none of %v: %w", d.Spec, versions, fault.Unsupported)
	}
	return d, nil
}

// BOM is a document that BOM-Links may lead to. It is immutable and safe for
// concurrent use.
type BOM struct {
	serial  string
	version int
	nodes   map[string][]node // by bom-ref
}

// node is a component and what contains it, nil for nothing.
type node struct{ component, root *component }

// ReadBOM reads the components of a document of CycloneDX 1.2 to 1.7. name is the
// document's, for errors, which wrap ErrInvalid, ErrLimit or ErrUnsupported.
func ReadBOM(name string, text []byte, opts *Options) (*BOM, error) {
	limits := opts.limits()
	d, err := parse(text, &limits, "1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
	if err == nil {
		var b *BOM
		if b, err = d.bom(&limits); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("read cyclonedx from %s: %w", name, err)
}

// Serial returns the serial number, a UUID in lower case, "" for none.
func (b *BOM) Serial() string { return b.serial }

// Version returns the version, 1 where the document says none.
func (b *BOM) Version() int { return b.version }

// uuid cuts a serial number to its UUID.
func uuid(serial string) string {
	return strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(serial), "urn:"), "uuid:"))
}

// bom indexes the components.
func (d *document) bom(limits *Options) (*BOM, error) {
	x := indexer{limits: limits, bom: &BOM{serial: uuid(d.Serial), version: d.Version, nodes: map[string][]node{}}}
	root := d.Metadata.Component
	if root != nil {
		if err := x.add("/metadata/component", root, nil, 0); err != nil {
			return nil, err
		}
	}
	for _, list := range []struct {
		pointer string
		of      []component
	}{{"/components/", d.Components}, {"/services/", d.Services}} {
		for i := range list.of {
			if err := x.add(list.pointer+strconv.Itoa(i), &list.of[i], root, 0); err != nil {
				return nil, err
			}
		}
	}
	return x.bom, nil
}

type indexer struct {
	limits *Options
	bom    *BOM
	seen   int
}

// add indexes a component and those that are nested in it.
func (x *indexer) add(pointer string, c, root *component, depth int) error {
	x.seen++
	switch {
	case depth > x.limits.MaxDepth:
		return &fault.LimitError{What: "nested components", Where: pointer, Max: int64(x.limits.MaxDepth)}
	case x.seen > x.limits.MaxComponents:
		return &fault.LimitError{What: "components", Where: pointer, Max: int64(x.limits.MaxComponents)}
	}
	if c.Ref != "" {
		x.bom.nodes[c.Ref] = append(x.bom.nodes[c.Ref], node{c, root})
	}
	if root == nil {
		root = c
	}
	for _, list := range [][]component{c.Components, c.Services} {
		for i := range list {
			if err := x.add(pointer, &list[i], root, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
