package elfnote

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
)

// maxField bounds the bytes of each field.
const maxField = 1024

// note is what a package note says; what it does not say is empty.
type note struct {
	kind, name, version, arch string
	os, osVersion, osCPE      string
	appCPE, debug             string
}

// fields are all fields, in the order in which facts keep them.
func (n *note) fields() []*string {
	return []*string{&n.kind, &n.name, &n.version, &n.arch, &n.os, &n.osVersion, &n.osCPE, &n.appCPE, &n.debug}
}

// parse reads the JSON of a note, which ends with the text or at a NUL.
func parse(text []byte) (*note, error) {
	text, _, _ = bytes.Cut(text, []byte{0})
	n := &note{}
	r := jsontext.New(text)
	var long string
	err := r.Document(func() {
		if !r.Object(func(key []byte) {
			to := n.field(string(key))
			if to == nil || r.Peek() != '"' {
				return
			}
			if *to, _ = r.Text(); len(*to) > maxField || strings.ContainsFunc(*to, control) {
				long = string(key)
			}
		}) {
			r.Fail("expected an object")
		}
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("package note: %w", err)
	case long != "":
		return nil, fmt.Errorf("package note: %q is longer than %d bytes or no plain text: %w", long, maxField, fault.Invalid)
	}
	return n, nil
}

func control(c rune) bool { return c < ' ' || c == 0x7f }

// field returns where to keep the value of a key, or nil.
func (n *note) field(key string) *string {
	switch key {
	case "type":
		return &n.kind
	case "name":
		return &n.name
	case "version":
		return &n.version
	case "architecture":
		return &n.arch
	case "os":
		return &n.os
	case "osVersion":
		return &n.osVersion
	case "osCpe":
		return &n.osCPE
	case "appCpe":
		return &n.appCPE
	case "debugInfoUrl":
		return &n.debug
	}
	return nil
}

// fact keeps the note in little room: most files have an owner, and no package is made.
func (n *note) fact() analyzer.Fact {
	f := analyzer.Fact{Kind: analyzer.KindPart}
	for _, p := range n.fields() {
		f.Provides = append(f.Provides, *p)
	}
	return f
}

// of reads the note out of a fact.
func of(f *analyzer.Located) (*note, bool) {
	n := &note{}
	to := n.fields()
	if f.Kind != analyzer.KindPart || len(f.Provides) != len(to) {
		return nil, false
	}
	for i, p := range to {
		*p = f.Provides[i]
	}
	return n, true
}
