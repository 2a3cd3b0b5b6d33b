// Package ignorefile reads the files in which people list what other scanners are to
// ignore, as exceptions of policies: .trivyignore, .trivyignore.yaml, .grype.yaml and
// osv-scanner.toml.
//
// An entry becomes an exception that covers what it covered there, or less; never
// more. What an exception cannot say is left out, and a [Note] says what and why. Two
// things are the same everywhere: an id covers the vulnerability under each of its
// aliases, and dates are in UTC.
package ignorefile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrLimit       error = fault.Limit
)

// The bounds of a file.
const (
	MaxFile    = 4 << 20 // bytes
	MaxEntries = policy.MaxExceptions
)

// Options say who answers for the exceptions. Owner and Created are required.
type Options struct {
	// Owner answers for them, Approver agreed; may be empty.
	Owner, Approver string
	// Created is from when on they count.
	Created time.Time
}

// Result is what a file says.
type Result struct {
	// Exceptions are in the order of the file, those about ids before those about
	// packages. The ID of each is made of what it says.
	Exceptions []policy.Exception
	// Notes are about what was left out, in the order of the file.
	Notes []Note
}

// Note says what of a file is no exception, and why.
type Note struct {
	Where string // "line 3", or the name of an entry
	What  string // what is left out
	Why   string
}

// String returns the note in a line.
func (n Note) String() string { return n.Where + ": " + n.What + ": " + n.Why }

// Format is a kind of file.
type Format string

// The kinds of file.
const (
	Trivy     Format = "trivyignore"      // .trivyignore
	TrivyYAML Format = "trivyignore.yaml" // .trivyignore.yaml
	Grype     Format = "grype"            // .grype.yaml
	OSV       Format = "osv-scanner"      // osv-scanner.toml
)

// FormatOf tells the kind of a file by its name, "" for none of these.
func FormatOf(name string) Format {
	switch base := strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/"))); {
	case strings.HasSuffix(base, ".trivyignore"):
		return Trivy
	case strings.HasSuffix(base, "trivyignore.yaml"), strings.HasSuffix(base, "trivyignore.yml"):
		return TrivyYAML
	case base == ".grype.yaml", base == ".grype.yml", base == "grype.yaml", base == "grype.yml":
		return Grype
	case strings.HasSuffix(base, "osv-scanner.toml"):
		return OSV
	}
	return ""
}

// Parse reads a file of a kind. name is the file's, for reasons and messages. A nil
// opts is refused: somebody must answer for exceptions. An error wraps ErrInvalid for
// a file that cannot be read, ErrUnsupported for another kind, or ErrLimit.
func Parse(format Format, name string, text []byte, opts *Options) (*Result, error) {
	if opts == nil || strings.TrimSpace(opts.Owner) == "" || opts.Created.IsZero() {
		return nil, fmt.Errorf("read %s: an owner and a time of creation are required: %w", name, fault.Invalid)
	}
	if len(text) > MaxFile {
		return nil, fmt.Errorf("read %s: %w", name, &fault.LimitError{What: "bytes", Where: name, Max: MaxFile, Seen: int64(len(text))})
	}
	c := &collector{format: format, file: path.Base(name), opts: opts, result: &Result{}, seen: map[string]bool{}}
	var err error
	switch format {
	case Trivy:
		c.trivy(string(text))
	case TrivyYAML:
		err = c.trivyYAML(text)
	case Grype:
		err = c.grype(text)
	case OSV:
		err = c.osv(text)
	default:
		err = fmt.Errorf("format %q is none of these: %w", format, fault.Unsupported)
	}
	if err == nil && len(c.result.Exceptions) > MaxEntries {
		err = &fault.LimitError{What: "entries", Where: name, Max: MaxEntries, Seen: int64(len(c.result.Exceptions))}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return c.result, nil
}

// collector gathers exceptions and notes.
type collector struct {
	format Format
	file   string
	opts   *Options
	result *Result
	seen   map[string]bool
}

func (c *collector) note(where, what, format string, args ...any) {
	if len(what) > 120 {
		what = strings.ToValidUTF8(what[:120], "") + "…"
	}
	c.result.Notes = append(c.result.Notes, Note{Where: where, What: what, Why: fmt.Sprintf(format, args...)})
}

// entry is an entry of a file on its way to be an exception.
type entry struct {
	where   string
	what    string // its name for notes
	scope   policy.ExceptionScope
	expires time.Time
	reason  string
}

// add makes an exception of an entry.
func (c *collector) add(e entry) {
	if !e.expires.IsZero() && !e.expires.After(c.opts.Created) {
		c.note(e.where, e.what, "it expired at %s", e.expires.UTC().Format(time.DateOnly))
		return
	}
	out := policy.Exception{
		Scope: e.scope, Effect: policy.Suppress, Owner: c.opts.Owner, Approver: c.opts.Approver,
		Reason: cmp.Or(strings.TrimSpace(e.reason), "listed in "+c.file), Created: c.opts.Created.UTC(), Expires: e.expires,
	}
	if len(out.Reason) > policy.MaxText {
		out.Reason = strings.ToValidUTF8(out.Reason[:policy.MaxText], "")
	}
	out.Reason = strings.ToValidUTF8(out.Reason, "\ufffd")
	for _, list := range [][]string{out.Scope.Vulnerabilities, out.Scope.Packages, out.Scope.Paths} {
		slices.Sort(list)
	}
	out.Scope.Packages, out.Scope.Paths = slices.Compact(out.Scope.Packages), slices.Compact(out.Scope.Paths)
	id, err := idOf(c.format, &out)
	if err != nil {
		c.note(e.where, e.what, "%v", err)
		return
	}
	if c.seen[id] {
		c.note(e.where, e.what, "it is there twice")
		return
	}
	c.seen[id] = true
	out.ID = id
	if err := out.Check(); err != nil {
		c.note(e.where, e.what, "%s", strings.TrimSuffix(err.Error(), ": "+string(fault.Invalid)))
		return
	}
	c.result.Exceptions = append(c.result.Exceptions, out)
}

// idOf makes an id of what an entry says: not of whose it is and since when.
func idOf(format Format, e *policy.Exception) (string, error) {
	text, err := json.Marshal(struct {
		Scope   policy.ExceptionScope `json:"scope"`
		Reason  string                `json:"reason"`
		Expires time.Time             `json:"expires,omitzero"`
	}{e.Scope, e.Reason, e.Expires}, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	sum := sha256.Sum256(text)
	return string(format) + "-" + hex.EncodeToString(sum[:8]), nil
}

// whyNoID says why a text is no id of a vulnerability, "" where it may be one.
func whyNoID(id string) string {
	switch digits := strings.ContainsAny(id, "0123456789"); {
	case id == "":
		return "it has no id"
	case len(id) > 128:
		return "its id is too long"
	case strings.Contains(id, "*"):
		return `"*" stands for itself there, and for any characters in an exception`
	case strings.HasPrefix(id, "AVD-"), strings.HasPrefix(id, "KSV"), strings.HasPrefix(id, "KCV"), !digits:
		return "it is no id of a vulnerability"
	}
	return ""
}

// day reads a date as the beginning of the day, or a time with its zone.
func day(s string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
