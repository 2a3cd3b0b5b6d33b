package export

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Center makes exports: it fixes what each is made of when it is asked for, makes it of
// that, and has it pushed. Readers, Stores and Tool are required. A Center is safe for
// concurrent use.
type Center struct {
	// Readers give what is kept of a tenant's scans.
	Readers func(tenant string) (*Reader, error)
	// Stores give what is kept of a tenant's exports.
	Stores func(tenant string) (Store, error)
	// Signer signs, and Attestor has it logged; nil where nothing is signed here: a
	// tenant that wants it gets an error.
	Signer   Signer
	Attestor Attestor
	// Default decides where no policy is in force, so that there is something to render
	// as SARIF, JUnit and CSV. It is not what a tenant decided and is never signed. Nil:
	// there are no such exports then.
	Default *policy.Engine
	// Settings hold where a tenant has none.
	Settings Settings
	// Tool is the version of this tool, and part of every export's Key.
	Tool string

	// Pushes give what was pushed for a tenant, and Target opens a destination. Nil where
	// nothing is pushed here.
	Pushes func(tenant string) (Pushes, error)
	Target func(ctx context.Context, tenant string, d Destination) (Target, error)
}

// subject is who the Center is to the Signer. Grants name it.
const subject = "export-center"

// caller is the Center as it asks for signatures of a tenant.
func caller(tenant string) attest.Caller { return attest.Caller{Tenant: tenant, Subject: subject} }

// DefaultFormats are made of each scan that completes, where a tenant does not say. The
// evidence is added where a tenant signs.
func DefaultFormats() []Format { return []Format{SPDX, CycloneDX, SARIF} }

// Of returns what a tenant wants: its settings, with what they leave open filled in.
func (c *Center) Of(ctx context.Context, tenant string) (*Settings, error) {
	store, err := c.Stores(tenant)
	if err != nil {
		return nil, err
	}
	s, err := store.Settings(ctx)
	if err != nil {
		return nil, err
	}
	if s.Mode == "" {
		d := c.Settings
		s = &d
	}
	if s.Mode == "" {
		s.Mode = Off
	}
	if s.Formats == nil {
		if s.Formats = DefaultFormats(); s.Mode != Off {
			s.Formats = append(s.Formats, Evidence)
		}
	}
	return s, nil
}

// Check refuses settings that cannot be followed. An error wraps ErrInvalid.
func (s *Settings) Check() error {
	if s.Mode != Off && s.Mode != Sign && s.Mode != SignLog {
		return fmt.Errorf("mode %.80q: want %s, %s or %s: %w", s.Mode, Off, Sign, SignLog, fault.Invalid)
	}
	lists := [][]Format{s.Formats}
	seen := map[string]bool{}
	for i := range s.Targets {
		d := &s.Targets[i]
		if d.Name == "" || len(d.Name) > MaxName || seen[d.Name] || d.URL == "" || len(d.URL) > MaxURL {
			return fmt.Errorf("target %d, %.80q: a name of its own of at most %d bytes and a URL of at most %d are required: %w", i, d.Name, MaxName, MaxURL, fault.Invalid)
		}
		seen[d.Name] = true
		lists = append(lists, d.Formats)
	}
	for _, list := range lists {
		for i, f := range list {
			if !f.Known() || slices.Contains(list[:i], f) {
				return fmt.Errorf("format %.80q: want each of %v at most once: %w", f, Formats(), fault.Invalid)
			}
		}
	}
	if slices.Contains(s.Formats, Evidence) && s.Mode == Off {
		return fmt.Errorf("evidence is made of what is signed, and the mode is %s: %w", Off, fault.Invalid)
	}
	if len(s.Targets) > MaxTargets {
		return &fault.LimitError{What: "targets", Where: "settings", Max: MaxTargets, Seen: int64(len(s.Targets))}
	}
	return nil
}

// The limits of settings.
const (
	MaxName    = 64   // bytes of a target's name
	MaxURL     = 2048 // bytes of its URL
	MaxTargets = 32
)

// Key returns the key of an export: the digest of its format and inputs as canonical
// JSON.
func (i Inputs) Key(f Format) (string, error) {
	text, err := json.Marshal(struct {
		Format Format `json:"format"`
		Inputs Inputs `json:"inputs"`
	}{f, i})
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err != nil {
		return "", fmt.Errorf("inputs of an export: %v: %w", err, fault.Invalid)
	}
	return sum.Of(text), nil
}

// Ask is what is asked for about one scan.
type Ask struct {
	ScanID string
	// Formats are what is made; nil for those of the tenant's settings.
	Formats []Format
	// Event is the event that asks, By the person who does.
	Event, By string
}

// Request fixes what exports of a scan are made of, as it stands now, and has them
// made. It returns what is kept of them, in the order of the formats. Where the tenant's
// settings name the formats, one that the scan has nothing for is left out; where the
// caller names them, it is an error wrapping ErrNotFound. Without a format there is
// nothing to do, and the event is noted.
func (c *Center) Request(ctx context.Context, tenant string, a Ask) ([]Export, error) {
	out, err := c.request(ctx, tenant, a)
	if err != nil {
		return nil, fmt.Errorf("ask for exports of scan %.80q: %w", a.ScanID, err)
	}
	crashpoint.Hit(crashpoint.ExportRequested)
	return out, nil
}

func (c *Center) request(ctx context.Context, tenant string, a Ask) ([]Export, error) {
	settings, err := c.Of(ctx, tenant)
	if err != nil {
		return nil, err
	}
	reader, err := c.Readers(tenant)
	if err != nil {
		return nil, err
	}
	scan, err := reader.Source.Scan(ctx, a.ScanID)
	if err != nil {
		return nil, err
	}
	if !scan.Completed {
		return nil, fmt.Errorf("it is not completed, so there is nothing to export yet: %w", fault.Conflict)
	}
	formats := a.Formats
	if formats == nil {
		formats = settings.Formats
	}
	r := &Request{ScanID: a.ScanID, Event: a.Event, By: a.By}
	for _, f := range formats {
		in, err := c.inputs(ctx, tenant, scan, f, settings)
		if a.Formats == nil && fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("as %.80s: %w", f, err)
		}
		key, err := in.Key(f)
		if err != nil {
			return nil, err
		}
		r.Wanted = append(r.Wanted, Wanted{Format: f, Key: key, Inputs: in})
	}
	store, err := c.Stores(tenant)
	if err != nil {
		return nil, err
	}
	return store.Request(ctx, r)
}

// inputs are what an export is made of, as the scan stands.
func (c *Center) inputs(ctx context.Context, tenant string, scan *Scan, f Format, s *Settings) (Inputs, error) {
	in := Inputs{SBOM: scan.SBOM, Tool: c.Tool}
	if !f.Known() {
		return in, fmt.Errorf("want one of %v: %w", Formats(), fault.Invalid)
	}
	if f.Decision() {
		in.Verdict = worst(scan.Verdicts)
		if in.Verdict == "" && len(scan.Reports) > 0 { // a verdict names its own
			in.Report = scan.Reports[0]
		}
		if in.Verdict == "" && f != Evidence && c.Default == nil {
			return in, fmt.Errorf("nobody has decided about it: no policy is in force: %w", fault.NotFound)
		}
	}
	predicates := f.predicates(in.Verdict != "")
	if s.Mode == Off || len(predicates) == 0 {
		if f == Evidence {
			return in, fmt.Errorf("evidence is made of what is signed, and this tenant signs nothing: %w", fault.NotFound)
		}
		return in, nil
	}
	if c.Signer == nil || c.Attestor == nil {
		return in, fmt.Errorf("nothing is signed here: %w", fault.Unavailable)
	}
	var err error
	if in.KeyID, err = c.Signer.Current(ctx, tenant, predicates[0]); err != nil {
		return in, fmt.Errorf("choose a key: %w", err)
	}
	in.Logged = s.Mode == SignLog
	return in, nil
}

// predicates are the types of the statements in an export's bundle, in their order:
// one that tells of a decision has the verdict that it follows from.
func (f Format) predicates(decided bool) []string {
	var out []string
	switch f {
	case SPDX:
		return []string{intoto.PredicateSPDX}
	case CycloneDX:
		return []string{intoto.PredicateCycloneDX}
	case OpenVEX:
		out = []string{intoto.PredicateOpenVEX}
	case Evidence:
		out = []string{intoto.PredicateSPDX, intoto.PredicateCycloneDX, intoto.PredicateVulns}
		if decided {
			out = append(out, intoto.PredicateVerdict)
		}
		return append(out, intoto.PredicateEvidence)
	}
	if !decided { // what nobody decided is not signed
		return nil
	}
	if f != OpenVEX {
		out = nil
	}
	return append(out, intoto.PredicateVerdict)
}
