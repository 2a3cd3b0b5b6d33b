package timeline_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/storetest"
)

// clock goes on by a millisecond each time that it is read.
func clock() func() time.Time {
	var mu sync.Mutex
	now := noon
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Millisecond)
		return now
	}
}

func TestMemoryStore(t *testing.T) {
	storetest.TestTimelineStore(t, func(testing.TB) (string, timeline.Store) {
		return "acme", timeline.NewMemory("acme", time.Now)
	})
}

// TestGolden: the bytes of a chain, of its export and of its checkpoint are what is
// written here, and another implementation's.
func TestGolden(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 123456000, time.UTC)
	s := timeline.NewMemory("acme", func() time.Time { return at.Add(time.Second) })
	body, err := (&event.Event{ID: "scan-1/queued", Type: event.ScanQueued, Source: "scanner", Tenant: "acme", Time: at, Data: []byte(`{"status":"queued","job_id":"scan-1"}`)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	x := &timeline.Indexer{Logs: func(string) (timeline.Log, error) { return s, nil }}
	odd, err := (&event.Event{ID: "a\"\\\n\u0001é", Type: event.ScanFailed, Source: "scanner", Tenant: "acme", Time: time.UnixMicro(-1)}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{body, odd} {
		if err := x.Handle(t.Context(), event.ScannerEvents, b); err != nil {
			t.Fatal(err)
		}
	}
	var text bytes.Buffer
	if err := timeline.Export(t.Context(), &text, "acme", s, 0); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`{"first":1,"format":"stella.timeline.v1","tenant":"acme"}`,
		`{"body":{"id":"scan-1/queued","job_id":"scan-1","source":"scanner","status":"queued","tenant":"acme","time":"2026-11-29T12:00:00.123456Z","type":"scan.queued"},"digest":"sha256:68ca7467073d1d4b0cf3ea3901c9d9a3753643828e8f357a473960479b41805e","hash":"sha256:f85025dbd092fda37725566b7976d43014f1b6f84b3406abd64dcec96d1e8690","id":"scan-1/queued","indexed":"2026-11-29T12:00:01.123456Z","seq":1,"time":"2026-11-29T12:00:00.123456Z","topic":"scanner:events","type":"scan.queued"}`,
		`{"body":{"id":"a\"\\\n\u0001é","source":"scanner","tenant":"acme","time":"1969-12-31T23:59:59.999999Z","type":"scan.failed"},"digest":"sha256:e29199d6b1d9cb46320778eb78249f454a4ba7e63254d7c23d6f65c1a41206d0","hash":"sha256:3f5a1608d9724e875cc651aa84f11d93568201daa0734e9a4f466b8212d6dd55","id":"a\"\\\n\u0001é","indexed":"2026-11-29T12:00:01.123456Z","seq":2,"time":"1969-12-31T23:59:59.999999Z","topic":"scanner:events","type":"scan.failed"}`,
		`{"end":2,"hash":"sha256:3f5a1608d9724e875cc651aa84f11d93568201daa0734e9a4f466b8212d6dd55"}`,
		``}, "\n")
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := timeline.Genesis("acme").String(); got != "sha256:07da4485a514bc2f23e3351ada3b3e716974425f077c831d726fa49934c4d751" {
		t.Error(got)
	}
	if _, err := verify.Verify(&text, nil); err != nil {
		t.Error(err)
	}
	sink := new(memorySink)
	p := &timeline.Publisher{Tenant: "acme", Source: s, Sink: sink, Signers: []dsse.Signer{testKey()}, Trust: trustIn(testKey())}
	if made, err := p.Publish(t.Context()); made != 1 || err != nil {
		t.Fatal(made, err)
	}
	e, err := dsse.Decode(sink.kept[0].Envelope)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"first":1,"hash":"sha256:3f5a1608d9724e875cc651aa84f11d93568201daa0734e9a4f466b8212d6dd55","last":2,"marks":"+FAl29CS/aM/WhYI2XJOhw==","number":1,"tenant":"acme","time":"2026-11-29T12:00:01.123456Z"}`, string(e.Payload)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := hex.EncodeToString(e.Signatures[0].Sig); got != "5c2b775918a9920ba387a53e271f91b24d21cc07bb8ad0bb6c8e13964c6842a44174e0aeecedc0fa3854c7cdc6265f0581004b5bca06410d2153ef3b76f8e906" {
		t.Error(got)
	}
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		topic, body string
		kind        error
	}{
		"no JSON":       {"t", `{`, timeline.ErrInvalid},
		"no id":         {"t", `{"type":"x","source":"s"}`, timeline.ErrInvalid},
		"twice":         {"t", `{"id":"a","id":"b","type":"x"}`, timeline.ErrInvalid},
		"a long id":     {"t", `{"id":"` + strings.Repeat("a", timeline.MaxID+1) + `","type":"x"}`, timeline.ErrLimit},
		"a long type":   {"t", `{"id":"a","type":"` + strings.Repeat("a", timeline.MaxType+1) + `"}`, timeline.ErrLimit},
		"a zero byte":   {"t", `{"id":"a\u0000","type":"x"}`, timeline.ErrInvalid},
		"no topic":      {"", `{"id":"a","type":"x"}`, timeline.ErrInvalid},
		"its own topic": {timeline.Topic, `{"id":"timeline/pruned/9","type":"timeline.pruned","tenant":"acme"}`, timeline.ErrInvalid},
		"too long":      {"t", `{"id":"a","type":"x","y":"` + strings.Repeat("a", event.MaxBody) + `"}`, timeline.ErrLimit},
	} {
		if _, err := timeline.Read(c.topic, []byte(c.body)); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e, err := timeline.Read("t", []byte(`{ "z":1.0, "type":"unknown.type", "id":"a", "tenant":"acme", "job_id":"j" }`))
	if err != nil || string(e.Body) != `{"id":"a","job_id":"j","tenant":"acme","type":"unknown.type","z":1}` || e.Refs != nil || !e.Time.IsZero() {
		t.Errorf("what is not canonical, of a type that nobody knows: %+v, %v", e, err)
	}
}

func TestRefs(t *testing.T) {
	scans := make([]event.DriftScan, 3)
	for i := range scans {
		scans[i] = event.DriftScan{ScanID: fmt.Sprint("s", i), ImageRef: "app:1", Owner: "ann"}
	}
	drift, _ := (&event.Drift{Head: 1, Vulnerability: "CVE-1", Cause: "new", Scans: scans}).Encode()
	for kind, c := range map[event.Type]struct{ data, want string }{
		event.ScanCompleted:         {`{"job_id":"s","image_ref":"app:1","image_digest":"sha256:d","owner":"ann"}`, "digest=sha256:d image=app:1 owner=ann scan=s"},
		event.AdvisoryDrift:         {string(drift), "image=app:1 owner=ann scan=s0 scan=s1 scan=s2 vulnerability=CVE-1"},
		event.VerdictChanged:        {`{"job_id":"s","environment":"production","policy":"release","blocking":["CVE-2 pkg:npm/x@1","CVE-2 pkg:npm/y@1","CVE-3"]}`, "environment=production policy=release scan=s vulnerability=CVE-2 vulnerability=CVE-3"},
		event.ExceptionCreated:      {`{"exception_id":"exc-1","owner":"ann"}`, "exception=exc-1 owner=ann"},
		event.NotificationDelivered: {`{"delivery_id":"d","incident":"i","rule":"r","endpoint":"slack"}`, "delivery=d endpoint=slack incident=i rule=r"},
		event.ScanFailed:            {`{"job_id":1}`, ""},
		"scan.unknown":              {`{"job_id":"s"}`, ""},
	} {
		body, err := (&event.Event{ID: "e", Type: kind, Source: "s", Tenant: "acme", Data: []byte(c.data)}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		e, err := timeline.Read("t", body)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range e.Refs {
			got = append(got, string(r.Kind)+"="+r.Value)
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

// TestPublisherRefuses: nothing is signed that does not follow from what was.
func TestPublisherRefuses(t *testing.T) {
	ctx := context.Background()
	sink := new(memorySink)
	s := newMemory(t, 20)
	p := &timeline.Publisher{Tenant: "acme", Source: s, Sink: sink, Signers: []dsse.Signer{testKey()}, Trust: trustIn(testKey())}
	if _, err := p.Publish(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(ctx, []timeline.Event{eventOf(100), eventOf(101)}); err != nil {
		t.Fatal(err)
	}
	anew := newMemory(t, 0) // of the same events, in another order
	for _, n := range []int{1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22} {
		if err := anew.Append(ctx, []timeline.Event{eventOf(n)}); err != nil {
			t.Fatal(err)
		}
	}
	for name, source := range map[string]timeline.Source{
		"a chain made anew":     mixed{anew, s},
		"a chain that is short": mixed{newMemory(t, 3), s},
		"a row that is missing": mixed{hollowRows{s}, s},
		"a store without any":   mixed{s, newMemory(t, 0)},
	} {
		q := *p
		q.Source = source
		if made, err := q.Flush(ctx); made != 0 || !errors.Is(err, timeline.ErrMismatch) && !errors.Is(err, timeline.ErrConflict) {
			t.Errorf("%s: made %d, %v", name, made, err)
		}
	}
	// What somebody put among the checkpoints of the store goes nowhere.
	strange := newMemory(t, 20)
	for _, k := range []*timeline.Kept{sink.kept[0], {Number: 2, Envelope: []byte("{}")}} {
		if _, err := strange.Keep(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	q := *p
	q.Source = strange
	if made, err := q.Flush(ctx); made != 0 || !errors.Is(err, timeline.ErrInvalid) || len(sink.kept) != 1 {
		t.Errorf("a checkpoint that nobody signed: made %d, %d there, %v", made, len(sink.kept), err)
	}
	second, err := (&timeline.Checkpoint{Number: 2, Tenant: "acme", First: 22, Last: 22, Marks: make([]byte, 8), Time: noon}).Sign(ctx, testKey())
	if err != nil {
		t.Fatal(err)
	}
	strange = newMemory(t, 22)
	for _, k := range []*timeline.Kept{sink.kept[0], second} {
		if _, err := strange.Keep(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	q.Source = strange
	if made, err := q.Flush(ctx); made != 0 || !errors.Is(err, timeline.ErrMismatch) || len(sink.kept) != 1 {
		t.Errorf("a checkpoint that does not follow: made %d, %d there, %v", made, len(sink.kept), err)
	}
	q = *p
	q.Trust = trustIn(keyOf(3))
	if _, err := q.Flush(ctx); !errors.Is(err, timeline.ErrMismatch) {
		t.Errorf("a checkpoint of somebody else: %v", err)
	}
	sink.away = errFull
	if _, err := p.Flush(ctx); !errors.Is(err, errFull) {
		t.Errorf("a sink that is away: %v", err)
	}
	sink.away = nil
	if made, err := p.Publish(ctx); made != 0 || err != nil || len(sink.kept) != 2 {
		t.Errorf("what was kept meanwhile: made %d, %d there, %v", made, len(sink.kept), err)
	}
}

// mixed has the rows of one store and the checkpoints of another.
type mixed struct {
	timeline.Chain
	timeline.Checkpoints
}

type hollowRows struct{ *timeline.Memory }

func (h hollowRows) Rows(context.Context, int64, int) ([]timeline.Row, error) { return nil, nil }
