package vulns

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/intoto/internal/wire"
	"github.com/stella-ops/stella/internal/fault"
)

// Record is a scan with the scanner's own report, in cosign's form.
type Record struct {
	Invocation Invocation
	Scanner    RecordScanner
	// Result is the scanner's report, any JSON value but null; required.
	Result []byte
	// Started and Finished are when the scan was, in UTC; both are required.
	Started, Finished time.Time
}

// Invocation says what ran the scanner, and how. All of it is optional.
type Invocation struct {
	// Parameters are what the scanner was called with, a JSON value, often a list of
	// texts; nil for none.
	Parameters              []byte
	URI, EventID, BuilderID string
}

// RecordScanner is what scanned. All of it is optional, as cosign has it.
type RecordScanner struct {
	URI, Version     string
	DBURI, DBVersion string
}

// The members of the predicate: none is left out when it is written, as cosign does.
type record struct {
	Invocation recordInvocation `json:"invocation"`
	Scanner    recordScanner    `json:"scanner"`
	Metadata   *metadata        `json:"metadata,omitempty"`
}

type recordInvocation struct {
	Parameters jsontext.Value `json:"parameters"`
	URI        string         `json:"uri"`
	EventID    string         `json:"event_id"`
	BuilderID  string         `json:"builder.id"`
}

type recordScanner struct {
	URI     string         `json:"uri"`
	Version string         `json:"version"`
	DB      recordDatabase `json:"db"`
	Result  jsontext.Value `json:"result"`
}

type recordDatabase struct {
	URI     string `json:"uri"`
	Version string `json:"version"`
}

// Encode returns the predicate: equal records give equal bytes. What [DecodeRecord]
// would refuse is refused.
func (r *Record) Encode() ([]byte, error) {
	meta, err := formatMetadata(r.Started, r.Finished)
	if err != nil {
		return nil, fmt.Errorf("vuln: %w", err)
	}
	text, err := wire.Encode("vuln", &record{
		Invocation: recordInvocation{r.Invocation.Parameters, r.Invocation.URI, r.Invocation.EventID, r.Invocation.BuilderID},
		Scanner:    recordScanner{r.Scanner.URI, r.Scanner.Version, recordDatabase{r.Scanner.DBURI, r.Scanner.DBVersion}, r.Result},
		Metadata:   meta,
	})
	if err != nil {
		return nil, err
	}
	if _, err := DecodeRecord(text); err != nil {
		return nil, err
	}
	return text, nil
}

// DecodeRecord reads a predicate of cosign's form. Refused is one without the scanner's
// report, and one without the times of the scan, which may be of any zone: tools write
// that of their machine. Its first draft, with a list of
// scanners, has no report where this looks for it. An error wraps ErrInvalid or
// ErrLimit.
func DecodeRecord(predicate []byte) (*Record, error) {
	var w record
	if err := wire.Decode("vuln", predicate, &w); err != nil {
		return nil, err
	}
	if k := w.Scanner.Result.Kind(); k == jsontext.KindInvalid || k == 'n' {
		return nil, fmt.Errorf("vuln: scanner.result is missing: %w", fault.Invalid)
	}
	r := &Record{
		Invocation: Invocation{URI: w.Invocation.URI, EventID: w.Invocation.EventID, BuilderID: w.Invocation.BuilderID},
		Scanner:    RecordScanner{URI: w.Scanner.URI, Version: w.Scanner.Version, DBURI: w.Scanner.DB.URI, DBVersion: w.Scanner.DB.Version},
		Result:     w.Scanner.Result,
	}
	if w.Invocation.Parameters.Kind() != 'n' {
		r.Invocation.Parameters = w.Invocation.Parameters
	}
	var err error
	if r.Started, r.Finished, err = w.Metadata.read(wire.ParseAnyTime); err != nil {
		return nil, fmt.Errorf("vuln: %w", err)
	}
	return r, nil
}
