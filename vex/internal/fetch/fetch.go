// Package fetch has what sources of VEX share: how they read an answer whole, keep a
// state, pass documents on and unpack an archive.
package fetch

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// The bounds of what is read.
const (
	MaxDocument = 128 << 20 // bytes of a document
	MaxList     = 256 << 20 // bytes of a list of documents
	MaxArchive  = 512 << 20 // bytes of an archive
	MaxState    = 1 << 20   // bytes of a state
)

// Read reads an answer whole, of at most r.Max bytes, which is MaxDocument where it is
// 0. The address must be https at one of the hosts: what publishers name is theirs to
// choose, and not where this goes. The content is nil where NotModified.
func Read(ctx context.Context, d vex.Door, hosts []string, r vex.Request) ([]byte, *vex.Response, error) {
	if r.Max <= 0 {
		r.Max = MaxDocument
	}
	return door.Reader{Door: d, Hosts: hosts}.Read(ctx, r)
}

// Host returns the host of an address in lower case, "" where it has none.
func Host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// Hosts returns the hosts of addresses and further ones, sorted and each once.
func Hosts(further []string, addresses ...string) []string {
	out := slices.Clone(further)
	for _, a := range addresses {
		if h := Host(a); h != "" {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ReadState reads a state. What is none is the zero T, and not what could be read of
// it: everything is then fetched again.
func ReadState[T any](text []byte) T {
	var v, none T
	if len(text) == 0 || len(text) > MaxState || json.Unmarshal(text, &v) != nil {
		return none
	}
	return v
}

// WriteState writes a state. An error wraps the kind limit.
func WriteState(v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write the state of a source: %v: %w", err, fault.Invalid)
	}
	if len(text) > MaxState {
		return nil, &fault.LimitError{What: "bytes", Where: "the state of a source", Max: MaxState, Seen: int64(len(text))}
	}
	return text, nil
}

// Pass passes documents on, each once.
type Pass struct {
	Context context.Context
	Source  string
	Emit    func(*vex.Document) error
	passed  map[string]bool
}

// Document passes a document on, unless one of its name was.
func (p *Pass) Document(doc *vex.Document) error {
	if err := p.Context.Err(); err != nil {
		return err
	}
	if err := CheckName(doc.Name); err != nil {
		return err
	}
	if p.passed[doc.Name] {
		return nil
	}
	if p.passed == nil {
		p.passed = map[string]bool{}
	}
	p.passed[doc.Name] = true
	doc.Source = p.Source
	return p.Emit(doc)
}

// MaxName bounds the bytes of a document's name.
const MaxName = 1024

// CheckName refuses a name that is no path below a folder, or that no store and no
// terminal can have. An error wraps the kind invalid.
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > MaxName:
		return fmt.Errorf("document %.200q: its name has %d bytes, want 1 to %d: %w", name, len(name), MaxName, fault.Invalid)
	case name != path.Clean(name) || path.IsAbs(name) || name == "." || name == ".." || strings.HasPrefix(name, "../"):
		return fmt.Errorf("document %.200q: its name is no path below the source: %w", name, fault.Invalid)
	case !utf8.ValidString(name) || strings.ContainsRune(name, '\\') || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("document %.200q: its name has a backslash or control character, or is not UTF-8: %w", name, fault.Invalid)
	}
	return nil
}
