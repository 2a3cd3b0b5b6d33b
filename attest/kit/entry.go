package kit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds that this SDK knows. Others are possible: lower-case letters, digits
// and "-".
const (
	KindAdvisory  = "advisory"  // manifest, segments and overlays of a snapshot
	KindVEX       = "vex"       // sets of statements
	KindPolicy    = "policy"    // policies
	KindException = "exception" // exceptions from policies
	KindTrust     = "trust"     // whom to believe: issuers, keys, roots of verification
	KindEngine    = "engine"    // the engine's own files; see [CheckEngine]
)

// Entry is one target of a kit.
type Entry struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`   // within the kind
	Length int64  `json:"length"` // bytes
	Digest string `json:"digest"`
	// Since is the version of the feed from which on each had this content.
	Since int64 `json:"since"`
	// Time is that of what the content says.
	Time time.Time `json:"time"`
	// About is canonical JSON that the publisher says about it, or nil.
	About []byte `json:"-"`
}

// Target returns the name that the targets role knows it by.
func (e Entry) Target() string { return e.Kind + "/" + e.Name }

// custom is what the targets role says of a target beside length and digest.
type custom struct {
	About jsontext.Value `json:"about,omitzero"`
	Since int64          `json:"since"`
	Time  string         `json:"time"`
}

const timeFormat = "2006-01-02T15:04:05Z"

// wire returns the target that an entry is.
func (e Entry) wire() (role.Target, error) {
	text, err := json.Marshal(custom{About: e.About, Since: e.Since, Time: e.Time.UTC().Format(timeFormat)})
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err != nil {
		return role.Target{}, fmt.Errorf("target %s: what is said about it: %v: %w", e.Target(), err, fault.Invalid)
	}
	return role.Target{Name: e.Target(), Length: e.Length, Digest: e.Digest, Custom: text}, nil
}

// entryOf reads a target.
func entryOf(t role.Target) (Entry, error) {
	kind, name, ok := strings.Cut(t.Name, "/")
	if !ok || !goodKind(kind) {
		return Entry{}, fmt.Errorf("target %s: want a kind and a name: %w", t.Name, fault.Invalid)
	}
	var c custom
	if err := json.Unmarshal(t.Custom, &c, json.RejectUnknownMembers(true)); err != nil {
		return Entry{}, fmt.Errorf("target %s: what is said about it: %v: %w", t.Name, err, fault.Invalid)
	}
	at, err := time.Parse(timeFormat, c.Time)
	if err != nil || at.Format(timeFormat) != c.Time {
		return Entry{}, fmt.Errorf("target %s: time %q: want one like 2026-11-28T12:00:00Z: %w", t.Name, c.Time, fault.Invalid)
	}
	if t.Length > MaxTarget {
		return Entry{}, &fault.LimitError{What: "bytes", Where: t.Name, Max: MaxTarget, Seen: t.Length}
	}
	return Entry{Kind: kind, Name: name, Length: t.Length, Digest: t.Digest, Since: c.Since, Time: at, About: c.About}, nil
}

// entriesOf reads the targets of a release, sorted by name.
func entriesOf(r *role.Release) ([]Entry, error) {
	out := make([]Entry, 0, len(r.Targets))
	first := map[string]Entry{}
	var total int64
	for _, t := range r.Targets {
		e, err := entryOf(t)
		if err != nil {
			return nil, err
		}
		if e.Since < 1 || e.Since > r.Version {
			return nil, fmt.Errorf("target %s: there since version %d, in version %d: %w", t.Name, e.Since, r.Version, fault.Invalid)
		}
		if o, ok := first[e.Digest]; !ok {
			total += e.Length
			first[e.Digest] = e
		} else if o.Since != e.Since || o.Length != e.Length {
			return nil, fmt.Errorf("targets %s and %s have the same digest, and another length or since: %w", o.Target(), t.Name, fault.Invalid)
		}
		if total > MaxKit {
			return nil, &fault.LimitError{What: "bytes of contents", Where: "kit", Max: MaxKit, Seen: total}
		}
		out = append(out, e)
	}
	return out, nil
}

// find returns the entry of a kind and name.
func find(entries []Entry, kind, name string) (Entry, error) {
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Kind == kind && e.Name == name })
	if i < 0 {
		return Entry{}, fmt.Errorf("%s %q: %w", kind, name, fault.NotFound)
	}
	return entries[i], nil
}

func goodKind(s string) bool {
	return s != "" && len(s) <= MaxKind && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
