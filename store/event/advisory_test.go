package event_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/event"
)

// TestAdvisoryGolden: what travels is what is written here, and read back it is
// what it was.
func TestAdvisoryGolden(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	delta := &event.Delta{Head: 7, Digest: "sha256:b", Base: 6, BaseDigest: "sha256:a", Facts: 1204, Sources: []string{"debian", "ghsa"}}
	first := &event.Delta{Head: 1, Digest: "sha256:a"}
	drift := &event.Drift{Head: 7, Vulnerability: "CVE-2024-1234", Cause: "new", Severity: "critical", Summary: "A hole.",
		Scans: []event.DriftScan{{ScanID: "scan-1f", ImageRef: "alpine:latest", Owner: "ann"}, {ScanID: "scan-2f", ImageRef: "alpine:3"}}}
	data := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		event event.Event
		want  string
	}{
		{event.Event{ID: "head/7", Type: event.AdvisoryDelta, Source: "concelier", Time: at, Data: data(delta.Encode())},
			`{"base":6,"base_digest":"sha256:a","digest":"sha256:b","facts":1204,"head":7,"id":"head/7","source":"concelier","sources":["debian","ghsa"],"time":"2026-11-28T12:00:00.000000Z","type":"advisory.delta"}`},
		{event.Event{ID: "head/1", Type: event.AdvisoryDelta, Source: "concelier", Time: at, Data: data(first.Encode())},
			`{"digest":"sha256:a","facts":0,"head":1,"id":"head/1","source":"concelier","time":"2026-11-28T12:00:00.000000Z","type":"advisory.delta"}`},
		{event.Event{ID: "drift/7/CVE-2024-1234/new/1", Type: event.AdvisoryDrift, Source: "concelier", Tenant: "acme", Time: at, Data: data(drift.Encode())},
			`{"cause":"new","head":7,"id":"drift/7/CVE-2024-1234/new/1","scans":[{"image_ref":"alpine:latest","owner":"ann","scan_id":"scan-1f"},{"image_ref":"alpine:3","scan_id":"scan-2f"}],"severity":"critical","source":"concelier","summary":"A hole.","tenant":"acme","time":"2026-11-28T12:00:00.000000Z","type":"advisory.drift","vulnerability":"CVE-2024-1234"}`},
	} {
		body, err := c.event.Encode()
		if diff := cmp.Diff(c.want, string(body)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.event.ID, err, diff)
			continue
		}
		e, err := event.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		switch e.ID {
		case "head/7":
			got, err := event.DecodeDelta(e)
			if diff := cmp.Diff(delta, got); err != nil || diff != "" {
				t.Errorf("delta read back: %v\n%s", err, diff)
			}
		case "drift/7/CVE-2024-1234/new/1":
			got, err := event.DecodeDrift(e)
			if diff := cmp.Diff(drift, got); err != nil || diff != "" {
				t.Errorf("drift read back: %v\n%s", err, diff)
			}
		}
	}
}

func TestAdvisoryEventsRefuse(t *testing.T) {
	for _, data := range []string{`{}`, `{"head":0,"digest":"sha256:a"}`, `{"head":2,"base":2,"digest":"sha256:a"}`, `{"head":2}`, `{"head":2,"base":-1,"digest":"a"}`, `{"head":"2"}`, `[]`, ``} {
		if _, err := event.DecodeDelta(&event.Event{ID: "e", Data: []byte(data)}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("delta %s: %v", data, err)
		}
	}
	for _, data := range []string{`{}`, `{"head":1,"vulnerability":"CVE-1","cause":"new","scans":[]}`, `{"head":1,"cause":"new","scans":[{}]}`, `x`} {
		if _, err := event.DecodeDrift(&event.Event{ID: "e", Data: []byte(data)}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("drift %s: %v", data, err)
		}
	}
	if _, err := (&event.Drift{Scans: make([]event.DriftScan, event.MaxScans+1)}).Encode(); !errors.Is(err, event.ErrLimit) {
		t.Errorf("too many scans: %v", err)
	}
	if _, err := (&event.Delta{Sources: make([]string, event.MaxSources+1)}).Encode(); !errors.Is(err, event.ErrLimit) {
		t.Errorf("too many sources: %v", err)
	}
	if b, err := (&event.Drift{Summary: "a\xff"}).Encode(); err != nil || !strings.Contains(string(b), "a\ufffd") {
		t.Errorf("text that is not UTF-8: %q, %v", b, err)
	}
}

// TestDriftFits: a drift of the most scans, with the longest names that are
// usual, is within an event's bound.
func TestDriftFits(t *testing.T) {
	d := &event.Drift{Head: 1, Vulnerability: "CVE-2024-1234", Cause: "new", Severity: "critical", Summary: strings.Repeat("s", 300)}
	for range event.MaxScans {
		d.Scans = append(d.Scans, event.DriftScan{ScanID: "scan-" + strings.Repeat("x", 26), ImageRef: "registry.example.com/" + strings.Repeat("r", 150) + "@sha256:" + strings.Repeat("0", 64), Owner: strings.Repeat("o", 64)})
	}
	data, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	e := event.Event{ID: "drift", Type: event.AdvisoryDrift, Source: "concelier", Tenant: "acme", Data: data}
	if _, err := e.Encode(); err != nil {
		t.Error(err)
	}
}
