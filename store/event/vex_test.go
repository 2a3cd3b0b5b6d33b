package event_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/event"
)

// TestVEXGolden: what travels is what is written here, and read back it is what it
// was.
func TestVEXGolden(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	first := &event.ConsensusDelta{Head: 1, Digest: "sha256:a", At: at, Trust: "sha256:t", Part: 1, Parts: 1, Vulnerabilities: []string{"CVE-2024-1"}}
	second := &event.ConsensusDelta{Head: 7, Digest: "sha256:b", Base: 6, BaseDigest: "sha256:a", At: at.Add(1500 * time.Microsecond), Trust: "sha256:t", Part: 2, Parts: 3, Vulnerabilities: []string{"CVE-2024-1", "GHSA-XXXX"}}
	for _, c := range []struct {
		id, tenant string
		delta      *event.ConsensusDelta
		want       string
	}{
		{"vex/1", "", first,
			`{"at":"2026-11-28T12:00:00Z","digest":"sha256:a","head":1,"id":"vex/1","part":1,"parts":1,"source":"excititor","time":"2026-11-28T12:00:00.000000Z","trust":"sha256:t","type":"vex.delta","vulnerabilities":["CVE-2024-1"]}`},
		{"vex/7/2", "acme", second,
			`{"at":"2026-11-28T12:00:00.0015Z","base":6,"base_digest":"sha256:a","digest":"sha256:b","head":7,"id":"vex/7/2","part":2,"parts":3,"source":"excititor","tenant":"acme","time":"2026-11-28T12:00:00.000000Z","trust":"sha256:t","type":"vex.delta","vulnerabilities":["CVE-2024-1","GHSA-XXXX"]}`},
	} {
		data, err := c.delta.Encode()
		if err != nil {
			t.Fatal(err)
		}
		e := event.Event{ID: c.id, Type: event.VEXDelta, Source: "excititor", Tenant: c.tenant, Time: at, Data: data}
		body, err := e.Encode()
		if diff := cmp.Diff(c.want, string(body)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.id, err, diff)
			continue
		}
		back, err := event.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.DecodeConsensusDelta(back)
		if diff := cmp.Diff(c.delta, got); err != nil || diff != "" {
			t.Errorf("%s read back: %v\n%s", c.id, err, diff)
		}
	}
}

func TestVEXEventsRefuse(t *testing.T) {
	good := `{"head":2,"digest":"d","base":1,"at":"2026-11-28T12:00:00Z","part":1,"parts":1,"vulnerabilities":[]}`
	if _, err := event.DecodeConsensusDelta(&event.Event{ID: "e", Data: []byte(good)}); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{`{}`, ``, `[]`, `{"head":"2"}`,
		`{"head":0,"digest":"d","at":"2026-11-28T12:00:00Z","part":1,"parts":1}`, `{"head":2,"digest":"d","base":2,"at":"2026-11-28T12:00:00Z","part":1,"parts":1}`,
		`{"head":2,"digest":"","at":"2026-11-28T12:00:00Z","part":1,"parts":1}`, `{"head":2,"digest":"d","part":1,"parts":1}`,
		`{"head":2,"digest":"d","at":"2026-11-28T12:00:00Z","part":2,"parts":1}`, `{"head":2,"digest":"d","at":"2026-11-28T12:00:00Z","part":0,"parts":1}`} {
		if _, err := event.DecodeConsensusDelta(&event.Event{ID: "e", Data: []byte(data)}); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s: %v", data, err)
		}
	}
	if _, err := (&event.ConsensusDelta{Vulnerabilities: make([]string, event.MaxVulnerabilities+1)}).Encode(); !errors.Is(err, event.ErrLimit) {
		t.Errorf("too many vulnerabilities: %v", err)
	}
}

// TestVEXDeltaFits: the most vulnerabilities, with names of the usual length, are
// within an event's bound.
func TestVEXDeltaFits(t *testing.T) {
	d := &event.ConsensusDelta{Head: 1, Digest: "sha256:a", At: time.Unix(0, 0).UTC(), Part: 1, Parts: 1}
	for i := range event.MaxVulnerabilities {
		d.Vulnerabilities = append(d.Vulnerabilities, fmt.Sprintf("CVE-2024-%06d", i))
	}
	data, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&event.Event{ID: "vex/1", Type: event.VEXDelta, Source: "excititor", Data: data}).Encode(); err != nil {
		t.Error(err)
	}
}
