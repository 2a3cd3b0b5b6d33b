package timeline_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// testKey is a key that is the same in every run.
func testKey() *dsse.PrivateKey { return keyOf(1) }

func keyOf(seed byte) *dsse.PrivateKey {
	k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	if err != nil {
		panic(err)
	}
	return k
}

func trustIn(k *dsse.PrivateKey) dsse.Trust {
	return dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{k.Public()}}
}

// memorySink is a sink in memory, of one tenant.
type memorySink struct {
	mu   sync.Mutex
	kept []*timeline.Kept
	away error // what Put answers
}

func (s *memorySink) Last(context.Context, string) (*timeline.Kept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		return nil, nil
	}
	return s.kept[len(s.kept)-1], nil
}

func (s *memorySink) Put(_ context.Context, _ string, k *timeline.Kept) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(len(s.kept))
	switch {
	case s.away != nil:
		return s.away
	case k.Number > n+1 || k.Number <= n && !bytes.Equal(s.kept[k.Number-1].Envelope, k.Envelope):
		return fmt.Errorf("checkpoint %d of %d: %w", k.Number, n, timeline.ErrConflict)
	case k.Number == n+1:
		s.kept = append(s.kept, k)
	}
	return nil
}

func (s *memorySink) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.text())), nil
}

func (s *memorySink) text() []byte {
	var out []byte
	for _, k := range s.kept {
		out = append(append(out, k.Envelope...), '\n')
	}
	return out
}

// bodyOf is the nth event of a story, as it travels: types, sizes and ids as real ones.
func bodyOf(n int) (topic string, body []byte) {
	e := event.Event{Source: "scanner", Tenant: "acme", Time: noon.Add(time.Duration(n) * time.Millisecond)}
	digest := fmt.Sprintf("sha256:%064x", n)
	image := fmt.Sprintf("registry.example/team-%d/app:%d", n%17, n%1000)
	switch topic = event.ScannerEvents; n % 5 {
	case 0, 1:
		e.ID, e.Type = fmt.Sprintf("scan-%08x/completed", n), event.ScanCompleted
		e.Data = (&event.Scan{JobID: fmt.Sprintf("scan-%08x", n), Status: "completed", ImageRef: image, Digest: digest, Owner: "ann", SBOM: digest, Packages: 412, Findings: 37,
			Snapshot: digest, Verdict: digest, Outcome: "block"}).Encode()
	case 2:
		topic, e.Source = event.ConcelierDrift, "concelier"
		e.ID, e.Type = fmt.Sprintf("drift/%d/CVE-2026-%d/0", n, n%5000), event.AdvisoryDrift
		e.Data, _ = (&event.Drift{Head: int64(n + 1), Vulnerability: fmt.Sprintf("CVE-2026-%d", n%5000), Cause: "new", Severity: "critical", Exploited: "yes", Fixed: "no",
			Scans: []event.DriftScan{{ScanID: fmt.Sprintf("scan-%08x", n-1), ImageRef: image, Owner: "ann"}}, Summary: "A buffer overflow in zlib \"inflate\" \u2028 <b>"}).Encode()
	case 3:
		topic, e.Source = event.PolicyEvents, "policy"
		e.ID, e.Type = fmt.Sprintf("verdict/%d", n), event.VerdictChanged
		e.Data, _ = (&event.VerdictChange{JobID: fmt.Sprintf("scan-%08x", n), ImageRef: image, Environment: "production", Outcome: "block", Before: "pass", Verdict: digest, Key: digest,
			Policy: "release", Version: 2, At: noon, Cause: "head/3", Blocked: 1, Blocking: []string{"CVE-2026-1 pkg:npm/x@1"}}).Encode()
	default:
		topic, e.Source = event.NotifyEvents, "notify"
		e.ID, e.Type = fmt.Sprintf("delivery/%d/delivered", n), event.NotificationDelivered
		e.Data, _ = (&event.Notification{Delivery: fmt.Sprintf("d-%d", n), Rule: "r", Endpoint: "slack", Title: strings.Repeat("critical in "+image+" ", 3), Severity: "critical", Status: "delivered", Attempts: 1}).Encode()
	}
	body, err := e.Encode()
	if err != nil {
		panic(err)
	}
	return topic, body
}

func eventOf(n int) timeline.Event {
	topic, body := bodyOf(n)
	e, err := timeline.Read(topic, body)
	if err != nil {
		panic(err)
	}
	return *e
}
