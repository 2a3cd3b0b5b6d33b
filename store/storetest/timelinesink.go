package storetest

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
)

// TestTimelineSink proves a place for checkpoints: it keeps them once, in their order,
// refuses what contradicts one that is there, and several writers write what one does.
// new returns an empty one.
func TestTimelineSink(t *testing.T, new func(t testing.TB) timeline.Sink) {
	t.Run("Put", func(t *testing.T) { sinkPut(t, new(t)) })
	t.Run("Publishers", func(t *testing.T) { sinkPublishers(t, new(t)) })
}

// signedCheckpoints are some of a tenant.
func signedCheckpoints(t testing.TB, tenant string, n int, at time.Time) (out []*timeline.Kept) {
	t.Helper()
	for i := range int64(n) {
		c := &timeline.Checkpoint{Number: i + 1, Tenant: tenant, First: i + 1, Last: i + 1, Marks: make([]byte, 8), Time: at}
		out = append(out, must[*timeline.Kept](t)(c.Sign(t.Context(), timelineKey(t))))
	}
	return out
}

func sinkText(t testing.TB, s timeline.Sink, tenant string) []byte {
	t.Helper()
	in := must[io.ReadCloser](t)(s.Open(t.Context(), tenant))
	defer in.Close()
	return must[[]byte](t)(io.ReadAll(in))
}

func sinkPut(t *testing.T, s timeline.Sink) {
	ctx := t.Context()
	list, others := signedCheckpoints(t, "acme", 20, proofAt), signedCheckpoints(t, "acme", 20, proofAt.Add(time.Second))
	if k, err := s.Last(ctx, "acme"); k != nil || err != nil {
		t.Errorf("the last of none: %v, %v", k, err)
	}
	if text := sinkText(t, s, "acme"); len(text) > 0 {
		t.Errorf("none: %s", text)
	}
	var want []byte
	for i, k := range list {
		if i+1 < len(list) {
			if err := s.Put(ctx, "acme", list[i+1]); !errors.Is(err, timeline.ErrConflict) {
				t.Errorf("checkpoint %d before %d: %v", i+2, i+1, err)
			}
		}
		for range 2 {
			if err := s.Put(ctx, "acme", k); err != nil {
				t.Fatal(err)
			}
		}
		want = append(append(want, k.Envelope...), '\n')
		last := must[*timeline.Kept](t)(s.Last(ctx, "acme"))
		if last.Number != k.Number || !bytes.Equal(last.Envelope, k.Envelope) {
			t.Fatalf("the last is %d, want %d", last.Number, k.Number)
		}
	}
	for _, i := range []int{0, 7, 19} {
		if err := s.Put(ctx, "acme", list[i]); err != nil {
			t.Errorf("checkpoint %d again: %v", i+1, err)
		}
		if err := s.Put(ctx, "acme", others[i]); !errors.Is(err, timeline.ErrConflict) {
			t.Errorf("another checkpoint %d: %v", i+1, err)
		}
	}
	if text := sinkText(t, s, "acme"); !bytes.Equal(text, want) {
		t.Errorf("%d bytes, want %d", len(text), len(want))
	}
	if k, err := s.Last(ctx, "acm"); k != nil || err != nil {
		t.Errorf("another tenant's: %v, %v", k, err)
	}
	for _, tenant := range []string{"", "..", "a/b", ".x"} {
		if err := s.Put(ctx, tenant, list[0]); !errors.Is(err, timeline.ErrInvalid) {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
	for _, k := range []timeline.Kept{{Number: 21}, {Number: 21, Envelope: []byte("a\nb")}, {Number: 21, Envelope: make([]byte, timeline.MaxCheckpoint+1)}} {
		if err := s.Put(ctx, "acme", &k); !errors.Is(err, timeline.ErrInvalid) {
			t.Errorf("%.10q: %v", k.Envelope, err)
		}
	}
}

// sinkPublishers has several publishers work on a chain that grows.
func sinkPublishers(t *testing.T, s timeline.Sink) {
	chain := timeline.NewMemory("acme", time.Now)
	key := timelineKey(t)
	var wg sync.WaitGroup
	for w := range 4 {
		p := &timeline.Publisher{Tenant: "acme", Source: chain, Sink: s, Signers: []dsse.Signer{key}, Trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{key.Public()}}}
		wg.Go(func() {
			for i := range 8 {
				if err := chain.Append(t.Context(), []timeline.Event{readHappening(t, "acme", "scan.queued", w*100+i)}); err != nil {
					t.Error(err)
				}
				if _, err := p.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r := proveTimeline(t, "acme", chain, sinkText(t, s, "acme"))
	if r.Last != 32 || r.Uncovered() != 0 || r.Checkpoints < 1 {
		t.Errorf("%+v", r)
	}
}
