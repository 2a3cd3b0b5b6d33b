package provider

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/csaf"
)

// ParseIndex reads an index.txt: the paths of documents below its folder, one
// a line, each returned once in the file's order. Empty lines are passed over.
// A path that is not one below the folder is refused. An error wraps
// [ErrInvalid] or [ErrLimit] and names the line.
//
// Source: CSAF 2.0, section 7.1.12.
func ParseIndex(text []byte, limits *Limits) ([]string, error) {
	l := limits.withDefaults()
	if err := l.check("index.txt", text); err != nil {
		return nil, err
	}
	var out []string
	seen := map[string]bool{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		name := strings.TrimRight(line, "\r\n")
		if name == "" || seen[name] {
			continue
		}
		if why := pathFault(name); why != "" {
			return nil, fmt.Errorf("index.txt: line %d: %.200q %s: %w", number, name, why, ErrInvalid)
		}
		seen[name] = true
		out = append(out, name)
		if err := l.entries("index.txt", len(out)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Change is a line of a changes.csv: a document and its current release date.
type Change struct {
	Path string
	Time time.Time
}

// ParseChanges reads a changes.csv in the file's order. A document may be
// there more than once, for former releases. An error wraps [ErrInvalid] or
// [ErrLimit] and names the line.
//
// Source: CSAF 2.0, section 7.1.13.
func ParseChanges(text []byte, limits *Limits) ([]Change, error) {
	l := limits.withDefaults()
	if err := l.check("changes.csv", text); err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord, r.ReuseRecord = 2, true
	var out []Change
	for {
		record, err := r.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("changes.csv: %v: %w", err, ErrInvalid)
		}
		number, _ := r.FieldPos(0)
		when, ok := csaf.Time(record[1])
		if !ok {
			return nil, fmt.Errorf("changes.csv: line %d: %.64q is no date and time: %w", number, record[1], ErrInvalid)
		}
		if why := pathFault(record[0]); why != "" {
			return nil, fmt.Errorf("changes.csv: line %d: %.200q %s: %w", number, record[0], why, ErrInvalid)
		}
		out = append(out, Change{strings.Clone(record[0]), when})
		if err := l.entries("changes.csv", len(out)); err != nil {
			return nil, err
		}
	}
}

// NewestFirst reports whether changes are sorted as they must be. Who stops
// reading at a known date must ask this first.
func NewestFirst(changes []Change) bool {
	return slices.IsSortedFunc(changes, func(a, b Change) int { return b.Time.Compare(a.Time) })
}

// pathFault says why name is not the path of a document below a folder, or "".
// Paths are used in URLs and file names, so what means something in either is
// refused.
func pathFault(name string) string {
	switch {
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsFunc(name, func(c rune) bool { return unicode.IsControl(c) || strings.ContainsRune(`\?#%:`, c) }):
		return "has a character that no file name has"
	case name != path.Clean(name) || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../"):
		return "is no path below the folder"
	case path.Ext(name) != ".json":
		return "does not end with .json"
	}
	return ""
}

// Join returns the URL of a path of a list that was found at the given URL.
func Join(list, name string) (string, error) {
	base, err := url.Parse(list)
	if err != nil || !base.IsAbs() {
		return "", fmt.Errorf("join %.200q: it is no URL: %w", list, ErrInvalid)
	}
	if why := pathFault(name); why != "" {
		return "", fmt.Errorf("join %.200q: it %s: %w", name, why, ErrInvalid)
	}
	return base.ResolveReference(&url.URL{Path: "./" + name}).String(), nil
}
