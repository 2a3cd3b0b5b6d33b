package role

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// formatNow is the format that is written and read.
const formatNow = 1

const timeFormat = "2006-01-02T15:04:05Z"

// header is what every payload has.
type header struct {
	Expires string `json:"expires"`
	Feed    string `json:"feed"`
	Format  int64  `json:"format"`
	Version int64  `json:"version"`

	expires time.Time
}

func (h *header) head() *header { return h }

// payload is the content of one metadata file.
type payload interface {
	head() *header
	// check says what is wrong with what was read, as an *Error without a file.
	check() error
}

func newHeader(feed string, version int64, expires time.Time) header {
	expires = expires.UTC().Truncate(time.Second)
	return header{Expires: expires.Format(timeFormat), Feed: feed, Format: formatNow, Version: version, expires: expires}
}

// checkHeader also reads the time.
func (h *header) checkHeader() error {
	if err := checkFeed(h.Feed); err != nil {
		return err
	}
	if h.Version < 1 || h.Version > MaxVersion {
		return malformed("version %d: want 1 to %d", h.Version, int64(MaxVersion))
	}
	t, err := time.Parse(timeFormat, h.Expires)
	if err != nil || t.Format(timeFormat) != h.Expires {
		return malformed("expires %q: want a time like 2027-01-31T00:00:00Z", h.Expires)
	}
	h.expires = t
	return nil
}

// expired returns an error if at is not before the time of the metadata.
func (h *header) expired(file string, at time.Time) error {
	if at.Before(h.expires) {
		return nil
	}
	return &Error{Reason: ReasonExpired, File: file, Detail: fmt.Sprintf("version %d was good until %s, it is %s", h.Version, h.Expires, at.UTC().Format(timeFormat))}
}

func checkFeed(name string) error {
	if name == "" || len(name) > MaxFeed || !only(name, nameChars+"/:") {
		return malformed("feed %q: want 1 to %d letters, digits and - _ . + / :", name, MaxFeed)
	}
	return nil
}

func malformed(format string, args ...any) *Error {
	return &Error{Reason: ReasonMalformed, Detail: fmt.Sprintf(format, args...)}
}

// encode returns the canonical JSON of p after the checks that a reader makes.
func encode(p payload) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(p, json.Deterministic(true))
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err != nil {
		return nil, malformed("%v", err)
	}
	return text, nil
}

// decode reads a payload. Text that is not in its canonical form is refused,
// so no two readers can read it differently.
func decode(text []byte, p payload) error {
	canonical := jsontext.Value(bytes.Clone(text))
	if err := canonical.Canonicalize(); err != nil {
		return malformed("%v", err)
	}
	if !bytes.Equal(canonical, text) {
		return malformed("not canonical JSON (RFC 8785)")
	}
	// The format comes first: of another one the rest is not known.
	var f struct {
		Format *int64 `json:"format"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return malformed("%v", err)
	}
	if f.Format == nil {
		return malformed("no format")
	}
	if *f.Format != formatNow {
		return &Error{Reason: ReasonFormat, Detail: fmt.Sprintf("%d, this program knows %d", *f.Format, formatNow)}
	}
	if err := json.Unmarshal(text, p, json.RejectUnknownMembers(true)); err != nil {
		return malformed("%v", err)
	}
	return p.check()
}

// canonicalCustom returns custom JSON in its canonical form; nil for nil. Whole
// numbers that JSON's readers would round are refused.
func canonicalCustom(text []byte) (jsontext.Value, error) {
	if text == nil {
		return nil, nil
	}
	if len(text) > MaxCustom {
		return nil, &fault.LimitError{What: "bytes of custom JSON", Where: "target", Max: MaxCustom, Seen: int64(len(text))}
	}
	rounded, exact := jsontext.Value(bytes.Clone(text)), jsontext.Value(bytes.Clone(text))
	if err := rounded.Canonicalize(); err != nil {
		return nil, fmt.Errorf("custom JSON: %v: %w", err, fault.Invalid)
	}
	if err := exact.Canonicalize(jsontext.CanonicalizeRawInts(false)); err != nil {
		return nil, fmt.Errorf("custom JSON: %v: %w", err, fault.Invalid)
	}
	if !bytes.Equal(rounded, exact) {
		return nil, fmt.Errorf("custom JSON: a whole number that is not kept as it is, such as one beyond %d: write it as a string: %w", int64(MaxVersion), fault.Invalid)
	}
	return rounded, nil
}
