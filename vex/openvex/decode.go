package openvex

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/vexdoc"
)

// namespace is what contexts begin with, and versions what may follow it.
const namespace = "https://openvex.dev/ns"

var versions = []string{"", "/v0.0.0", "/v0.0.1", "/v0.0.2", "/v0.1.0", "/v0.2.0"}

// head is what a document says of itself.
type head struct {
	Context     string         `json:"@context"`
	ID          string         `json:"@id"`
	Author      string         `json:"author"`
	Timestamp   string         `json:"timestamp"`
	LastUpdated string         `json:"last_updated"`
	Version     jsontext.Value `json:"version"`
	Statements  jsontext.Value `json:"statements"`
}

// Decode yields what a document says, in its order: statements that are prepared,
// with Origin as far as the document tells, and a [*vex.StatementError] for each
// that cannot be used. Any other error is the last: the document as a whole cannot
// be used. It wraps ErrInvalid, ErrLimit, or ErrUnsupported for another version or
// format. name is the document's, for errors; text is not kept.
func Decode(name string, text []byte, opts *Options) iter.Seq2[*vex.Statement, error] {
	limits := opts.limits()
	return func(yield func(*vex.Statement, error) bool) {
		r := reader{limits: limits, out: vexdoc.Out{
			Name: name, Yield: yield, Origin: vex.Origin{Format: "openvex"},
			MaxStatements: limits.MaxStatements, MaxProducts: limits.MaxProducts,
		}}
		if err := r.read(text); err != nil {
			r.out.Refuse(err)
		}
	}
}

// reader reads one document.
type reader struct {
	limits Options
	out    vexdoc.Out
	time   string // the document's: last_updated, else timestamp
	rival  string // its timestamp, where there is a last_updated too
}

func (r *reader) read(text []byte) error {
	if int64(len(text)) > r.limits.MaxBytes {
		return &fault.LimitError{What: "bytes", Where: "the document", Max: r.limits.MaxBytes, Seen: int64(len(text))}
	}
	var h head
	if err := json.Unmarshal(text, &h); err != nil {
		return vexdoc.Invalid(err)
	}
	if err := r.head(&h, text); err != nil {
		return err
	}
	// The document was checked as a whole: no name is in it twice.
	return r.statements(jsontext.NewDecoder(bytes.NewBuffer(h.Statements), jsontext.AllowDuplicateNames(true)))
}

// head checks what the document says of itself.
func (r *reader) head(h *head, text []byte) error {
	version, ok := strings.CutPrefix(strings.TrimSuffix(h.Context, "/"), namespace)
	switch {
	case !ok:
		return fmt.Errorf("/@context: %.100q is not %s: %w", h.Context, namespace, fault.Unsupported)
	case !slices.Contains(versions, version):
		return fmt.Errorf("/@context: version %.40q is none of %v: %w", strings.TrimPrefix(version, "/"), versions[1:], fault.Unsupported)
	case len(h.Statements) == 0:
		return fmt.Errorf("/statements: there are none: %w", fault.Invalid)
	case h.Statements.Kind() != '[' && h.Statements.Kind() != 'n':
		return fmt.Errorf("/statements: it is not a list: %w", fault.Invalid)
	}
	number, err := documentVersion(h.Version)
	if err != nil {
		return err
	}
	r.out.Origin = vex.Origin{Document: vexdoc.Digest(text), ID: h.ID, Version: number, Format: "openvex", Author: h.Author}
	r.time = h.Timestamp
	if h.LastUpdated != "" {
		r.time, r.rival = h.LastUpdated, h.Timestamp
	}
	return nil
}

// documentVersion reads a number, or a text, which old documents have.
func documentVersion(v jsontext.Value) (string, error) {
	switch v.Kind() {
	case '0':
		return string(v), nil
	case '"':
		var s string
		if err := json.Unmarshal(v, &s); err != nil {
			return "", vexdoc.Invalid(err)
		}
		return s, nil
	case 'n', jsontext.KindInvalid:
		return "", nil
	}
	return "", fmt.Errorf("/version: it is neither a number nor a text: %w", fault.Invalid)
}

// statements reads the list.
func (r *reader) statements(d *jsontext.Decoder) error {
	if token, err := d.ReadToken(); err != nil || token.Kind() != '[' {
		return vexdoc.Invalid(err) // nil for null, which is an empty list
	}
	for n := 0; d.PeekKind() != ']'; n++ {
		raw, err := d.ReadValue()
		if err != nil {
			return vexdoc.Invalid(err)
		}
		pointer := "/statements/" + strconv.Itoa(n)
		if !r.statement(pointer, raw) {
			return nil
		}
	}
	return nil
}
