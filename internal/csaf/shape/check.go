package shape

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// The defaults of [Limits].
const (
	DefaultDepth    = 160  // levels; 64 branches of a product tree take 130
	DefaultProblems = 1000 // of each list in a [Report]
)

// Limits bound a check. The zero Limits are the defaults.
type Limits struct {
	Depth    int // levels of nesting; more is an error
	Problems int // length of each list of the report; what is over it is counted only
}

// A Problem is a place and what is wrong there.
type Problem struct {
	Pointer string // RFC 6901; empty for the whole text
	Message string
}

// A Report is what a check found, each list in the order of the text.
type Report struct {
	Problems []Problem // what breaks the rule
	Unknown  []string  // pointers of members that the rule does not name
	Unsorted []string  // pointers of members that stand after one with a later name
	Foreign  [][2]int  // where in the text values of foreign members start and end
	Dropped  int       // how many entries were over the limit
}

// Check walks text, which must be one JSON value and nothing else, and compares
// it with rule. An error says that the text is not JSON in UTF-8, has a name
// twice in an object, or is nested too deeply, and where; it wraps the kind
// invalid or limit.
func Check(text []byte, rule *Rule, limits *Limits) (*Report, error) {
	w := walker{text: text, dec: jsontext.NewDecoder(bytes.NewBuffer(text)), limits: Limits{Depth: DefaultDepth, Problems: DefaultProblems}}
	if limits != nil && limits.Depth > 0 {
		w.limits.Depth = limits.Depth
	}
	if limits != nil && limits.Problems > 0 {
		w.limits.Problems = limits.Problems
	}
	if err := w.value(rule); err != nil {
		return nil, Syntax(err)
	}
	switch _, err := w.dec.ReadToken(); {
	case err == nil:
		return nil, fmt.Errorf("read JSON: something follows the document: %w", fault.Invalid)
	case err != io.EOF:
		return nil, Syntax(err)
	}
	return &w.report, nil
}

// Syntax gives an error of the JSON library its place and the kind invalid;
// errors that have a kind stay as they are.
func Syntax(err error) error {
	if err == nil || fault.KindOf(err) != "" {
		return err
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return fmt.Errorf("read JSON at %q, byte %d: %v: %w", syntactic.JSONPointer, syntactic.ByteOffset, syntactic.Err, fault.Invalid)
	}
	return fmt.Errorf("read JSON: %v: %w", err, fault.Invalid)
}

type walker struct {
	text   []byte
	dec    *jsontext.Decoder
	limits Limits
	report Report
}

// problem reports something at the value that was read last.
func (w *walker) problem(format string, args ...any) {
	if len(w.report.Problems) >= w.limits.Problems {
		w.report.Dropped++
		return
	}
	w.report.Problems = append(w.report.Problems, Problem{Pointer: string(w.dec.StackPointer()), Message: fmt.Sprintf(format, args...)})
}

func (w *walker) mention(list *[]string) {
	if len(*list) >= w.limits.Problems {
		w.report.Dropped++
		return
	}
	*list = append(*list, string(w.dec.StackPointer()))
}

// anything is the rule for what no rule speaks of.
var anything = &Rule{}

// value reads the next value.
func (w *walker) value(r *Rule) error {
	kind := w.dec.PeekKind()
	found := kindOf(kind)
	if r.Kind != Any && found != r.Kind && kind != 0 {
		if err := w.walk(kind, anything); err != nil {
			return err
		}
		if found == Any {
			w.problem("it is null, not %s", r.Kind)
		} else {
			w.problem("it is %s, not %s", found, r.Kind)
		}
		return nil
	}
	return w.walk(kind, r)
}

func kindOf(k jsontext.Kind) Kind {
	switch k {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case '0':
		return Number
	case 't', 'f':
		return Bool
	}
	return Any
}

func (w *walker) walk(kind jsontext.Kind, r *Rule) error {
	switch kind {
	case '{':
		return w.object(r)
	case '[':
		return w.array(r)
	}
	token, err := w.dec.ReadToken()
	if err != nil {
		return err
	}
	switch kind {
	case '"':
		w.scalar(token.String(), r)
		if n := utf8.RuneCountInString(token.String()); n < r.Min {
			w.problem("it has %d characters, fewer than %d", n, r.Min)
		}
	case '0':
		w.scalar(token.String(), r)
	}
	return nil
}

func (w *walker) scalar(text string, r *Rule) {
	if r.Enum != nil && !slices.Contains(r.Enum, text) {
		w.problem("%.64q is none of %q", text, r.Enum)
	}
	for _, f := range r.Formats {
		if !f.OK(text) {
			w.problem("%.64q is not %s", text, f.Name)
		}
	}
}

// enter reads the start of an object or array.
func (w *walker) enter() error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	if n := w.dec.StackDepth(); n > w.limits.Depth {
		return &fault.LimitError{What: "levels of nesting", Where: string(w.dec.StackPointer()), Max: int64(w.limits.Depth), Seen: int64(n)}
	}
	return nil
}
