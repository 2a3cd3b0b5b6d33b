package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store/event"
)

// The bounds of what events are read from.
const (
	maxEventFile = 1 << 30
	maxEvents    = 1000
)

// eventFlags say of what people are told.
type eventFlags struct {
	file, sample string
	image, owner string
	environment  string
	before       string
	labels       []string
}

func (f *eventFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.file, "event", "", "what happened: a file with events, a report of \"stella scan -o json\" or a verdict of -o verdict; \"-\" is standard input")
	fs.StringVar(&f.sample, "sample", "", "an event that is made up: "+strings.Join(sampleNames(), ", "))
	fs.StringVar(&f.image, "image", "", "the image's name, where the file does not tell")
	fs.StringVar(&f.owner, "owner", "", "who submitted the scan")
	fs.StringVar(&f.environment, "environment", "", "the environment that a verdict is about")
	fs.StringVar(&f.before, "before", "", "the outcome before a verdict: pass, warn, not_assessed, block or error")
	fs.StringArrayVar(&f.labels, "label", nil, "NAME=VALUE, a label of the scan; may be repeated")
}

// happened is what people are told of: events, and what is known about their scans.
type happened struct {
	events []*event.Event
	facts  map[string]notify.ScanFacts
}

// scans is what a notify.Memory asks about scans.
func (h *happened) scans(ids []string) map[string]notify.ScanFacts {
	out := map[string]notify.ScanFacts{}
	for _, id := range ids {
		if f, ok := h.facts[id]; ok {
			out[id] = f
		}
	}
	return out
}

// add adds an event of the local tenant.
func (h *happened) add(id string, kind event.Type, at time.Time, data []byte) {
	h.events = append(h.events, &event.Event{ID: id, Type: kind, Source: "stella", Tenant: tenant, Time: at, Data: data})
}

// readEvents reads what happened, or makes it up.
func (p *program) readEvents(f *eventFlags, now time.Time, byDefault string) (*happened, error) {
	labels := map[string]string{}
	for _, l := range f.labels {
		name, value, ok := strings.Cut(l, "=")
		if !ok {
			return nil, usageError("--label %q: want NAME=VALUE", l)
		}
		labels[name] = value
	}
	if f.before != "" && !slices.Contains([]policy.Outcome{policy.Pass, policy.Warn, policy.NotAssessed, policy.Block, policy.Error}, policy.Outcome(f.before)) {
		return nil, usageError("--before %q: want pass, warn, not_assessed, block or error", f.before)
	}
	h := &happened{facts: map[string]notify.ScanFacts{}}
	if f.file != "" {
		if f.sample != "" {
			return nil, usageError("--event and --sample exclude each other")
		}
		text, err := p.readFile(f.file, maxEventFile)
		if err != nil {
			return nil, err
		}
		if err := h.read(f, text, now); err != nil {
			return nil, fmt.Errorf("%s: %w", f.file, err)
		}
	} else if err := h.make(f, f.sample, byDefault, now); err != nil {
		return nil, err
	}
	for _, e := range h.events {
		notices, err := notify.Notices(e)
		if err != nil {
			return nil, err
		}
		if len(notices) == 0 {
			return nil, fmt.Errorf("event %.80q: nobody is told of %.60q%s", e.ID, e.Type, suggest.Phrase(string(e.Type), texts(notify.Types())))
		}
		for _, n := range notices {
			facts := h.facts[n.ScanID]
			facts.Labels = labels
			if f.owner != "" {
				facts.Owner = f.owner
			}
			h.facts[n.ScanID] = facts
		}
	}
	return h, nil
}

// head are the members by which one tells what a file is.
type head struct {
	Schema string `json:"schema"`
	Type   string `json:"type"`
	ID     string `json:"id"`
}

// read reads one JSON object or several, one after another.
func (h *happened) read(f *eventFlags, text []byte, now time.Time) error {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		one, err := dec.ReadValue()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("no events: %w", err)
		}
		if len(h.events) >= maxEvents {
			return fmt.Errorf("more than %d events", maxEvents)
		}
		var what head
		if one.Kind() != '{' {
			return errors.New("want events, a report of \"stella scan -o json\", or a verdict of -o verdict")
		}
		if err := json.Unmarshal(one, &what); err != nil {
			return fmt.Errorf("it is no event, no report and no verdict: %w", err)
		}
		switch {
		case what.Schema == reportSchema:
			err = h.report(f, one, now)
		case what.Type != "" && what.ID != "":
			err = h.event(one, now)
		case what.Schema == policy.VerdictSchema:
			err = h.verdict(f, one, now)
		default:
			return errors.New("it is no event (with type and id), no report of \"stella scan -o json\" and no verdict of -o verdict")
		}
		if err != nil {
			return err
		}
	}
	if len(h.events) == 0 {
		return errors.New("it is empty: there are no events")
	}
	return nil
}

func (h *happened) event(text []byte, now time.Time) error {
	e, err := event.Decode(text)
	if err != nil {
		return err
	}
	e.Tenant = tenant
	if e.Time.IsZero() {
		e.Time = now
	}
	h.events = append(h.events, e)
	return nil
}

// scanReport is what people are told of a report.
type scanReport struct {
	Subject struct {
		Name         string `json:"name"`
		ConfigDigest string `json:"config_digest"`
	} `json:"subject"`
	Source struct {
		Reference string `json:"reference"`
	} `json:"source"`
	Packages []struct{} `json:"packages"`
	Findings []struct {
		Severity  finding.Severity `json:"severity"`
		Exploited string           `json:"exploited"`
		Fixed     []string         `json:"fixed"`
	} `json:"findings"`
	Assessed bool           `json:"assessed"`
	Snapshot string         `json:"snapshot"`
	Verdict  jsontext.Value `json:"verdict"`
}

// facts are what a store would know about the scan. That no finding is exploited, or
// fixed, nobody knows: who looked does not stand in a report.
func (r *scanReport) facts() notify.ScanFacts {
	var out notify.ScanFacts
	if r.Snapshot == "" {
		return out // nobody counted
	}
	out.Findings = map[finding.Severity]int{}
	if len(r.Findings) == 0 && r.Assessed {
		out.Exploited, out.Fixed = notify.No, notify.No
	}
	for i := range r.Findings {
		v := &r.Findings[i]
		out.Findings[v.Severity]++
		if v.Severity.Rank() > out.Severity.Rank() {
			out.Severity = v.Severity
		}
		if v.Exploited != "" {
			out.Exploited = notify.Yes
		}
		if len(v.Fixed) > 0 {
			out.Fixed = notify.Yes
		}
	}
	return out
}

func shortSum(text []byte) string { return strings.TrimPrefix(sum.Of(text), "sha256:")[:16] }

// report takes a report of a scan: a scan that completed, and what was decided about it.
func (h *happened) report(f *eventFlags, text []byte, now time.Time) error {
	var r scanReport
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	id := "scan-" + shortSum(text)
	image := cmp.Or(f.image, r.Source.Reference, r.Subject.Name, r.Subject.ConfigDigest)
	facts := r.facts()
	facts.Image = image
	h.facts[id] = facts
	d := &event.Scan{JobID: id, Status: "completed", ImageRef: image, Owner: f.owner, Packages: len(r.Packages), Findings: len(r.Findings)}
	if r.Assessed {
		d.Snapshot = r.Snapshot
	}
	if len(r.Verdict) > 0 {
		v, err := policy.DecodeVerdict(r.Verdict)
		if err != nil {
			return fmt.Errorf("the verdict of the report: %w", err)
		}
		d.Outcome = string(v.Outcome)
	}
	h.add(id+"/completed", event.ScanCompleted, now, d.Encode())
	return nil
}

// verdict takes what was decided.
func (h *happened) verdict(f *eventFlags, text []byte, now time.Time) error {
	v, err := policy.DecodeVerdict(text)
	if err != nil {
		return err
	}
	id := "scan-" + shortSum(text)
	d := &event.VerdictChange{
		JobID: id, Owner: f.owner, Environment: cmp.Or(f.environment, v.Environment), Outcome: string(v.Outcome), Before: f.before, Because: v.Because, ImageRef: cmp.Or(f.image, v.Subject.Name),
		Verdict: v.Digest(), Policy: v.Policy.ID, Version: v.Policy.Version, At: v.At, Cause: "evaluation", Blocked: v.Counts.Block,
	}
	data, err := d.Encode()
	if err != nil {
		return err
	}
	h.add(id+"/changed", event.VerdictChanged, now, data)
	return nil
}
