package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// samples are events that are made up, by name.
var samples = []struct {
	name string
	make func(h *happened, f *eventFlags, now time.Time) error
}{
	{"drift", func(h *happened, f *eventFlags, now time.Time) error {
		return h.drift(f, now, "new", "critical", 1)
	}},
	{"kev", func(h *happened, f *eventFlags, now time.Time) error { return h.drift(f, now, "kev", "high", 1) }},
	{"storm", func(h *happened, f *eventFlags, now time.Time) error {
		return h.drift(f, now, "new", "critical", event.MaxScans)
	}},
	{"verdict", (*happened).sampleVerdict},
	{"scan", (*happened).sampleScan},
	{"failed", (*happened).sampleFailed},
}

func sampleNames() []string {
	var out []string
	for i := range samples {
		out = append(out, samples[i].name)
	}
	return out
}

// make makes up an event of a name; without one that of the name that is the default, and
// an error where there is none.
func (h *happened) make(f *eventFlags, name, byDefault string, now time.Time) error {
	if name = cmp.Or(name, byDefault); name == "" {
		return usageError("of what? Give --event FILE, or --sample with %s", strings.Join(sampleNames(), ", "))
	}
	for name := range strings.SplitSeq(name, ",") {
		i := slices.Index(sampleNames(), strings.TrimSpace(name))
		if i < 0 {
			return usageError("--sample %q: want %s%s", name, strings.Join(sampleNames(), ", "), suggest.Phrase(name, sampleNames()))
		}
		if err := samples[i].make(h, f, now); err != nil {
			return err
		}
	}
	return nil
}

func (f *eventFlags) sampleImage() string { return cmp.Or(f.image, "registry.example/shop/web:1.4") }

// drift makes up a vulnerability that concerns n images.
func (h *happened) drift(f *eventFlags, now time.Time, cause, severity string, n int) error {
	d := &event.Drift{Head: 7, Vulnerability: "CVE-2026-1234", Cause: cause, Severity: severity, Fixed: event.Answer(true), Exploited: event.Answer(cause == "kev"), Summary: "This vulnerability is made up"}
	for i := range n {
		s := event.DriftScan{ScanID: fmt.Sprintf("sample-%03d", i+1), ImageRef: f.sampleImage(), Owner: f.owner}
		if n > 1 && f.image == "" {
			s.ImageRef = fmt.Sprintf("registry.example/shop/web-%03d:1.4", i+1)
		}
		d.Scans = append(d.Scans, s)
	}
	data, err := d.Encode()
	if err != nil {
		return err
	}
	h.add(fmt.Sprintf("sample/drift/%s/%d", cause, n), event.AdvisoryDrift, now, data)
	return nil
}

func (h *happened) sampleVerdict(f *eventFlags, now time.Time) error {
	d := &event.VerdictChange{
		JobID: "sample-001", ImageRef: f.sampleImage(), Owner: f.owner, Environment: cmp.Or(f.environment, "production"), Outcome: "block", Before: cmp.Or(f.before, "pass"),
		Because: "it is exploited in the wild", Policy: "release", Version: 3, At: now, Cause: "head/7", Blocked: 1, Blocking: []string{"CVE-2026-1234"},
	}
	data, err := d.Encode()
	if err != nil {
		return err
	}
	h.add("sample/verdict", event.VerdictChanged, now, data)
	return nil
}

func (h *happened) sampleScan(f *eventFlags, now time.Time) error {
	d := &event.Scan{JobID: "sample-001", Status: "completed", ImageRef: f.sampleImage(), Owner: f.owner, Packages: 120, Findings: 3, Snapshot: "sha256:" + strings.Repeat("0", 64), Outcome: "warn"}
	h.facts[d.JobID] = notify.ScanFacts{
		Severity: finding.High, Exploited: notify.No, Fixed: notify.Yes, Findings: map[finding.Severity]int{finding.High: 1, finding.Medium: 2},
	}
	h.add("sample/scan", event.ScanCompleted, now, d.Encode())
	return nil
}

func (h *happened) sampleFailed(f *eventFlags, now time.Time) error {
	d := &event.Scan{JobID: "sample-001", Status: "failed", ImageRef: f.sampleImage(), Owner: f.owner, Reason: "the registry does not have the image"}
	h.add("sample/failed", event.ScanFailed, now, d.Encode())
	return nil
}
