package secdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
)

// database is a document as it is written.
type database struct {
	release, repository string
	fixes               []fix
}

// fix is one line of a database: a package, a version, and what that fixed.
type fix struct{ pkg, version, entry string }

func (d *database) add(pkg, version, entry string) error {
	if len(d.fixes) == maxFixes {
		return &fault.LimitError{What: "fixes", Where: "the database", Max: maxFixes}
	}
	d.fixes = append(d.fixes, fix{pkg, version, entry})
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fault.Invalid)...)
}

// read reads a document of either form, which its first byte tells.
func read(text []byte) (*database, error) {
	if t := bytes.TrimLeft(text, " \t\r\n\ufeff"); len(t) > 0 && t[0] == '{' {
		return readJSON(text)
	}
	return readYAML(text)
}

func readJSON(text []byte) (*database, error) {
	var doc struct {
		Release    string `json:"distroversion"`
		Repository string `json:"reponame"`
		Packages   []struct {
			Pkg *struct {
				Name     string         `json:"name"`
				Secfixes jsontext.Value `json:"secfixes"` // an object, or an empty array
			} `json:"pkg"`
		} `json:"packages"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, invalid("%v", err)
	}
	if doc.Packages == nil {
		return nil, invalid("it has no packages")
	}
	if len(doc.Packages) > maxPackages {
		return nil, &fault.LimitError{What: "packages", Where: "the database", Max: maxPackages, Seen: int64(len(doc.Packages))}
	}
	d := &database{release: doc.Release, repository: doc.Repository}
	for i := range doc.Packages {
		p := doc.Packages[i].Pkg
		if p == nil {
			return nil, invalid("package %d has no pkg", i)
		}
		if err := d.secfixes(p.Name, p.Secfixes); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// secfixes reads the fixes of one package in JSON, in the document's order.
func (d *database) secfixes(pkg string, value jsontext.Value) error {
	switch k := value.Kind(); {
	case k == 'n' || len(value) == 0:
		return nil
	case k == '[' && len(bytes.TrimSpace(value[1:len(value)-1])) == 0:
		return nil
	case k != '{':
		return invalid("the secfixes of %q are no object", pkg)
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(value))
	if _, err := dec.ReadToken(); err != nil {
		return invalid("%v", err)
	}
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return invalid("%v", err)
		}
		version := token.String()
		var entries []string
		if err := json.UnmarshalDecode(dec, &entries); err != nil {
			return invalid("%v", err)
		}
		for _, e := range entries {
			if err := d.add(pkg, version, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// readYAML takes scalars as they are written, so that the version 1.10 stays
// that. Aliases, which would let a small document say much, are refused.
func readYAML(text []byte) (*database, error) {
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&root); err != nil {
		return nil, invalid("%v", err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, invalid("something follows the database")
	}
	d := &database{}
	packages := (*yaml.Node)(nil)
	err := mapping(root.Content[0], func(key string, v *yaml.Node) (err error) {
		switch key {
		case "distroversion":
			d.release, err = scalar(v)
		case "reponame":
			d.repository, err = scalar(v)
		case "packages":
			packages = v
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if packages == nil || packages.Kind != yaml.SequenceNode {
		return nil, invalid("it has no packages")
	}
	if len(packages.Content) > maxPackages {
		return nil, &fault.LimitError{What: "packages", Where: "the database", Max: maxPackages, Seen: int64(len(packages.Content))}
	}
	for _, p := range packages.Content {
		err := mapping(p, func(key string, v *yaml.Node) error {
			if key != "pkg" {
				return nil
			}
			return d.pkgYAML(v)
		})
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *database) pkgYAML(n *yaml.Node) error {
	name, fixes := "", (*yaml.Node)(nil)
	err := mapping(n, func(key string, v *yaml.Node) (err error) {
		switch key {
		case "name":
			name, err = scalar(v)
		case "secfixes":
			fixes = v
		}
		return err
	})
	if err != nil || fixes == nil || fixes.Tag == "!!null" || fixes.Kind == yaml.SequenceNode && len(fixes.Content) == 0 {
		return err
	}
	return mapping(fixes, func(version string, v *yaml.Node) error {
		if v.Tag == "!!null" {
			return nil
		}
		if v.Kind != yaml.SequenceNode {
			return invalid("line %d: it is no list", v.Line)
		}
		for _, e := range v.Content {
			entry, err := scalar(e)
			if err != nil {
				return err
			}
			if err := d.add(name, version, entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// mapping calls f for each member of a mapping. A name twice is an error.
func mapping(n *yaml.Node, f func(key string, v *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return invalid("line %d: it is no mapping", n.Line)
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := scalar(n.Content[i])
		if err != nil {
			return err
		}
		if seen[key] {
			return invalid("line %d: %q is there twice", n.Content[i].Line, key)
		}
		seen[key] = true
		if err := f(key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func scalar(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", invalid("line %d: it is no plain text", n.Line)
	}
	return n.Value, nil
}
