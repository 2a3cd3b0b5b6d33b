// Package vulns reads and writes what a scanner found as a predicate, in two forms:
// in-toto's vulns v0.2 ([Report], [intoto.PredicateVulns]) and cosign's record of a scan
// ([Record], [intoto.PredicateVuln]), which holds the scanner's own report.
//
// A list of results that is missing is refused: it is not an empty one, which says that
// nothing was found.
//
// Sources: in-toto attestation framework, predicates/vulns_02.md; cosign,
// specs/COSIGN_VULN_ATTESTATION_SPEC.md and pkg/cosign/attestation, which differs from
// it and is what is in use.
package vulns

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid error = fault.Invalid
	ErrLimit   error = fault.Limit
)

// The limits of a predicate.
const (
	MaxPredicate = wire.Max // bytes
	MaxResults   = 1_000_000
)

// Report is what a scanner found, in in-toto's form. Times are in UTC.
type Report struct {
	Scanner Scanner
	// Results are the vulnerabilities, in the scanner's order; none means that it found
	// none.
	Results []Result
	// Started and Finished are when the scan was; both are required, and may be equal.
	Started, Finished time.Time
}

// Scanner is what scanned, and with which data.
type Scanner struct {
	URI     string // of where it comes from; required
	Version string
	DB      Database
}

// Database is the data about vulnerabilities.
type Database struct {
	URI, Version string
	Updated      time.Time // required
}

// Result is a vulnerability that was found.
type Result struct {
	ID string // such as "CVE-2021-44228"; required
	// Severities are how bad it is, by one method or several; none where nobody rated
	// it.
	Severities []Severity
	// Annotations are JSON objects of the scanner's own: see [Annotation].
	Annotations [][]byte
}

// Severity is how bad a vulnerability is by one method. Both are required.
type Severity struct {
	Method string // such as "nvd" or "cvss_score"
	Score  string // such as "medium" or "5.2"
}

// Annotation returns pairs as an annotation.
func Annotation(pairs map[string]string) []byte {
	text, err := json.Marshal(pairs, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil { // of texts: it cannot fail
		return []byte("{}")
	}
	return text
}

// The members of the predicate. Pointers tell what is missing from what is empty.
type report struct {
	Scanner  *scanner  `json:"scanner,omitempty"`
	Metadata *metadata `json:"metadata,omitempty"`
}

type scanner struct {
	URI     string    `json:"uri"`
	Version string    `json:"version,omitempty"`
	DB      *database `json:"db,omitempty"`
	Result  *[]result `json:"result"`
}

type database struct {
	URI        string `json:"uri,omitempty"`
	Version    string `json:"version,omitempty"`
	LastUpdate string `json:"lastUpdate,omitempty"`
}

type result struct {
	ID          string           `json:"id"`
	Severity    *[]severity      `json:"severity"`
	Annotations []jsontext.Value `json:"annotations,omitempty"`
}

type severity struct {
	Method string `json:"method"`
	Score  string `json:"score"`
}

type metadata struct {
	ScanStartedOn  string `json:"scanStartedOn,omitempty"`
	ScanFinishedOn string `json:"scanFinishedOn,omitempty"`
}

// Encode returns the predicate: equal reports give equal bytes. What [Decode] would
// refuse is refused.
func (r *Report) Encode() ([]byte, error) {
	w, err := r.wire()
	if err != nil {
		return nil, fmt.Errorf("vulns: %w", err)
	}
	text, err := wire.Encode("vulns", w)
	if err != nil {
		return nil, err
	}
	if _, err := Decode(text); err != nil {
		return nil, err
	}
	return text, nil
}

func (r *Report) wire() (*report, error) {
	if len(r.Results) > MaxResults {
		return nil, &fault.LimitError{What: "results", Where: "vulns", Max: MaxResults, Seen: int64(len(r.Results))}
	}
	updated, err := wire.FormatTime("scanner.db.lastUpdate", r.Scanner.DB.Updated)
	if err != nil {
		return nil, err
	}
	meta, err := formatMetadata(r.Started, r.Finished)
	if err != nil {
		return nil, err
	}
	results := make([]result, len(r.Results))
	for i := range r.Results {
		severities := []severity{}
		for _, s := range r.Results[i].Severities {
			severities = append(severities, severity(s))
		}
		results[i] = result{ID: r.Results[i].ID, Severity: &severities}
		for _, a := range r.Results[i].Annotations {
			results[i].Annotations = append(results[i].Annotations, a)
		}
	}
	return &report{
		Scanner:  &scanner{URI: r.Scanner.URI, Version: r.Scanner.Version, DB: &database{r.Scanner.DB.URI, r.Scanner.DB.Version, updated}, Result: &results},
		Metadata: meta,
	}, nil
}

// Decode reads a predicate of in-toto's form. Refused is one that lacks what its
// specification requires: the scanner's URI, when its data were updated, the list of
// results, the id of each, severities with method and score, and the times of the scan,
// which must not end before it starts. An error wraps ErrInvalid or ErrLimit.
func Decode(predicate []byte) (*Report, error) {
	var w report
	if err := wire.Decode("vulns", predicate, &w); err != nil {
		return nil, err
	}
	r, err := w.read()
	if err != nil {
		return nil, fmt.Errorf("vulns: %w", err)
	}
	return r, nil
}

func (w *report) read() (*Report, error) {
	switch {
	case w.Scanner == nil || w.Scanner.URI == "":
		return nil, fmt.Errorf("scanner.uri is missing: %w", fault.Invalid)
	case w.Scanner.DB == nil || w.Scanner.DB.LastUpdate == "":
		return nil, fmt.Errorf("scanner.db.lastUpdate is missing: %w", fault.Invalid)
	case w.Scanner.Result == nil:
		return nil, fmt.Errorf("scanner.result is missing, which is not an empty one: %w", fault.Invalid)
	case len(*w.Scanner.Result) > MaxResults:
		return nil, &fault.LimitError{What: "results", Where: "vulns", Max: MaxResults, Seen: int64(len(*w.Scanner.Result))}
	}
	r := &Report{Scanner: Scanner{URI: w.Scanner.URI, Version: w.Scanner.Version, DB: Database{URI: w.Scanner.DB.URI, Version: w.Scanner.DB.Version}}}
	var err error
	if r.Scanner.DB.Updated, err = wire.ParseTime("scanner.db.lastUpdate", w.Scanner.DB.LastUpdate); err != nil {
		return nil, err
	}
	if r.Started, r.Finished, err = w.Metadata.read(wire.ParseTime); err != nil {
		return nil, err
	}
	for i := range *w.Scanner.Result {
		result, err := (*w.Scanner.Result)[i].read()
		if err != nil {
			return nil, fmt.Errorf("scanner.result[%d]: %w", i, err)
		}
		r.Results = append(r.Results, result)
	}
	return r, nil
}

func (w *result) read() (Result, error) {
	if w.ID == "" {
		return Result{}, fmt.Errorf("id is missing: %w", fault.Invalid)
	}
	if w.Severity == nil {
		return Result{}, fmt.Errorf("severity is missing: %w", fault.Invalid)
	}
	r := Result{ID: w.ID}
	for i, s := range *w.Severity {
		if s.Method == "" || s.Score == "" {
			return Result{}, fmt.Errorf("severity[%d]: want a method and a score: %w", i, fault.Invalid)
		}
		r.Severities = append(r.Severities, Severity(s))
	}
	for i, a := range w.Annotations {
		if a.Kind() != '{' {
			return Result{}, fmt.Errorf("annotations[%d]: want an object: %w", i, fault.Invalid)
		}
		r.Annotations = append(r.Annotations, a)
	}
	return r, nil
}

// formatMetadata says when a scan was.
func formatMetadata(started, finished time.Time) (*metadata, error) {
	var m metadata
	var err error
	if m.ScanStartedOn, err = wire.FormatTime("metadata.scanStartedOn", started); err != nil {
		return nil, err
	}
	if m.ScanFinishedOn, err = wire.FormatTime("metadata.scanFinishedOn", finished); err != nil {
		return nil, err
	}
	return &m, nil
}

// read takes times as parse does.
func (m *metadata) read(parse func(member, text string) (time.Time, error)) (started, finished time.Time, err error) {
	if m == nil || m.ScanStartedOn == "" || m.ScanFinishedOn == "" {
		return started, finished, fmt.Errorf("metadata.scanStartedOn or scanFinishedOn is missing: %w", fault.Invalid)
	}
	if started, err = parse("metadata.scanStartedOn", m.ScanStartedOn); err != nil {
		return started, finished, err
	}
	if finished, err = parse("metadata.scanFinishedOn", m.ScanFinishedOn); err != nil {
		return started, finished, err
	}
	if finished.Before(started) {
		return started, finished, fmt.Errorf("metadata: the scan finishes before it starts: %w", fault.Invalid)
	}
	return started, finished, nil
}
