package notifyhttp_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/store/event"
)

const (
	timelineFile   = "../../docs/openapi/timeline.yaml"
	timelineGolden = "testdata/timeline.txtar"
	auditor        = "acme/olga/auditor"
)

// gappy is a timeline that has gaps, or answers nothing but an error.
type gappy struct {
	*timeline.Memory
	err error
}

func (g gappy) Head(ctx context.Context) (timeline.Head, error) {
	if g.err != nil {
		return timeline.Head{}, g.err
	}
	return g.Memory.Head(ctx)
}

func (g gappy) Find(ctx context.Context, q timeline.Query) (*timeline.Page, error) {
	if g.err != nil {
		return nil, g.err
	}
	return g.Memory.Find(ctx, q)
}

func (g gappy) Checkpoint(ctx context.Context, n int64) (*timeline.Kept, error) {
	if g.err != nil {
		return nil, g.err
	}
	return g.Memory.Checkpoint(ctx, n)
}

func (g gappy) Gaps(_ context.Context, grace time.Duration) ([]timeline.Gap, error) {
	if g.err != nil {
		return nil, g.err
	}
	return []timeline.Gap{{Kind: timeline.GapMissing, Topic: "scanner:events", Event: "scan-9/queued", At: start.Add(-grace)}, {Kind: timeline.GapHole, Seq: 7}}, nil
}

// nowhere is a sink that keeps nothing.
type nowhere struct{}

func (nowhere) Last(context.Context, string) (*timeline.Kept, error) { return nil, nil }
func (nowhere) Put(context.Context, string, *timeline.Kept) error    { return nil }
func (nowhere) Open(context.Context, string) (io.ReadCloser, error)  { return nil, nil }

func trusted() (*dsse.PrivateKey, dsse.Trust) {
	k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		panic(err)
	}
	return k, dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{k.Public()}}
}

// newTimeline is a rig whose handler serves timelines: acme's has two checkpoints, and the
// body of its first event is gone.
func newTimeline(t testing.TB) *rig {
	t.Helper()
	g := newRig(t)
	ctx := context.Background()
	acme := g.chains["acme"]
	key, trust := trusted()
	publisher := &timeline.Publisher{Tenant: "acme", Source: acme, Sink: nowhere{}, Signers: []dsse.Signer{key}, Trust: trust}
	flush := func() {
		if _, err := publisher.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	if _, err := acme.Prune(ctx, &timeline.Order{Before: start, By: "olga", Reason: "a year is over"}); err != nil {
		t.Fatal(err)
	}
	flush()
	g.timelines = &notifyhttp.TimelineHandler{
		Stores: func(tenant string) (notifyhttp.TimelineStore, error) {
			if g.chains[tenant] == nil {
				return nil, missing("tenant", tenant)
			}
			return gappy{g.chains[tenant], g.later}, g.fails
		},
		Identify: identify, Report: g.handler.Report,
	}
	return g
}

// TestTimelineGolden holds what travels to the golden file.
func TestTimelineGolden(t *testing.T) {
	g := newTimeline(t)
	g.golden(t, timelineGolden)
	if len(g.reports) > 0 {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

// playTimeline reads all that there is, by the client.
func playTimeline(t *testing.T) *rig {
	g := newTimeline(t)
	ctx := t.Context()
	olga := g.client(auditor).Timeline()
	head, err := olga.Head(ctx)
	want, _ := g.chains["acme"].Head(ctx)
	if err != nil || cmp.Diff(want, head) != "" || head.Seq != 3 {
		t.Errorf("%+v, %v", head, err)
	}
	for name, q := range map[string]timeline.Query{
		"all": {}, "backward": {Backward: true, Limit: 2}, "a page": {After: 1, Limit: 1}, "by type": {Types: []event.Type{"scan.completed", "timeline.pruned"}}, "by topic": {Topic: "timeline"}, "by event": {Event: "event-2"},
		"by time": {From: start.Add(-time.Hour), Until: start}, "by reference": {Refs: []timeline.Ref{{Kind: timeline.RefScan, Value: "scan-2"}, {Kind: timeline.RefImage, Value: "ghcr.io/acme/shop:2"}}},
		"by what is not there": {Refs: []timeline.Ref{{Kind: timeline.RefVulnerability, Value: "CVE-1"}}},
	} {
		want, err := g.chains["acme"].Find(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := olga.Find(ctx, q); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, cmp.Diff(want, got))
		}
	}
	if e, err := olga.Entry(ctx, 2); err != nil || e.Event != "event-2" || e.Body == nil {
		t.Errorf("%+v, %v", e, err)
	}
	var checkpoints []byte
	list, next, err := olga.Checkpoints(ctx, 0)
	if err != nil || next != 0 || len(list) != 2 {
		t.Fatalf("%d checkpoints, %d, %v", len(list), next, err)
	}
	for i, k := range list {
		one, err := olga.Checkpoint(ctx, int64(i+1))
		kept, _ := g.chains["acme"].Checkpoint(ctx, int64(i+1))
		if err != nil || cmp.Diff(kept, one) != "" || cmp.Diff(kept, &k) != "" {
			t.Errorf("checkpoint %d: %v\n%s%s", i+1, err, cmp.Diff(kept, one), cmp.Diff(kept, &k))
		}
		checkpoints = append(append(checkpoints, one.Envelope...), '\n')
	}
	if k, err := olga.Checkpoint(ctx, 0); err != nil || k.Number != 2 {
		t.Errorf("%+v, %v", k, err)
	}
	var export bytes.Buffer
	if err := olga.Export(ctx, &export, 0); err != nil {
		t.Fatal(err)
	}
	_, trust := trusted()
	if r, err := verify.Verify(&export, &verify.Options{Tenant: "acme", Checkpoints: bytes.NewReader(checkpoints), Trust: trust}); err != nil || r.Last != 3 || r.Uncovered() != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if gaps, err := olga.Gaps(ctx); err != nil || len(gaps) != 2 || gaps[0].Kind != timeline.GapMissing || !gaps[0].At.Equal(start.Add(-time.Minute)) || gaps[1].Seq != 7 {
		t.Errorf("%+v, %v", gaps, err)
	}
	return g
}

// TestTimelineDocument holds what travels to the document, and the page to both.
func TestTimelineDocument(t *testing.T) {
	d := openapitest.Open(t, timelineFile)
	d.CheckRoutes(t, notifyhttp.TimelineRoutes())
	played := playTimeline(t)
	g := newTimeline(t)
	text, err := os.ReadFile(timelineGolden)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{g: g}
	for _, f := range txtar.Parse(text).Files {
		if !strings.HasSuffix(f.Name, answerName) {
			s.do(t, string(f.Data))
		}
	}
	d.Check(t, append(played.exchanges(t), g.exchanges(t)...))
	page, err := os.ReadFile("../../docs/modules/timeline.md")
	if err != nil {
		t.Fatal(err)
	}
	d.CheckPage(t, string(page))
	for _, name := range []string{notifyhttp.NumberHeader, notifyhttp.TypeLines, timeline.CheckpointType, "missing", "inbox", "digest", "head", "hole"} {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("the page does not explain %s", name)
		}
	}
}

// TestTimelineRights: the timeline is for auditors, each of one tenant.
func TestTimelineRights(t *testing.T) {
	g := newTimeline(t)
	for _, r := range notifyhttp.TimelineRoutes() {
		path := strings.NewReplacer("{seq}", "2", "{number}", "1").Replace(r[1])
		for token, want := range map[string]int{"": 401, "/olga/auditor": 403, "acme/ann/operator/payloads": 403, auditor: 200, "gone/eve/auditor": 500} {
			if a := g.send(t, token, r[0], path, ""); a.StatusCode != want {
				t.Errorf("%s by %q: %d, want %d: %s", path, token, a.StatusCode, want, a.body)
			}
		}
		a := g.send(t, "other/eve/auditor", r[0], path, "")
		if strings.Contains(string(a.body), "event-") || strings.Contains(string(a.body), "acme") || strings.Contains(r[1], "{") && a.StatusCode != 404 {
			t.Errorf("%s by another tenant: %d %s", path, a.StatusCode, a.body)
		}
		get, head := g.send(t, auditor, "GET", path, ""), g.send(t, auditor, "HEAD", path, "")
		for _, h := range []http.Header{get.Header, head.Header} {
			h.Del("Date")
			h.Del("Content-Length")
		}
		if diff := cmp.Diff(get.Header, head.Header); diff != "" || head.StatusCode != get.StatusCode || len(head.body) > 0 {
			t.Errorf("HEAD %s: %d, %d bytes (-get +head)\n%s", path, head.StatusCode, len(head.body), diff)
		}
	}
}

// TestTimelineOutages: what is wrong inside is not the client's fault, and not told to it.
func TestTimelineOutages(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		told   bool
	}{
		"broken":  {errors.New("disk /var/lib/stella is full"), 500, true},
		"away":    {fmt.Errorf("it is away: %w", fault.Unavailable), 503, false},
		"damaged": {fmt.Errorf("row 7 of db.internal does not follow: %w", fault.Mismatch), 500, true},
	} {
		for _, later := range []bool{false, true} {
			g := newTimeline(t)
			if g.fails = c.err; later {
				g.fails, g.later = nil, c.err
			}
			for _, r := range notifyhttp.TimelineRoutes() {
				a := g.send(t, auditor, r[0], strings.NewReplacer("{seq}", "2", "{number}", "1").Replace(r[1]), "")
				if a.StatusCode != c.status || strings.Contains(string(a.body), "is full") || strings.Contains(string(a.body), "db.internal") {
					t.Errorf("%s: %s: %d %s", name, r[1], a.StatusCode, a.body)
				}
			}
			if told := len(g.reports); c.told != (told == len(notifyhttp.TimelineRoutes())) || !c.told && told > 0 {
				t.Errorf("%s: the operator was told of %d", name, told)
			}
		}
	}
}

// ending is a chain that breaks down after its first page.
type ending struct {
	notifyhttp.TimelineStore
	err error
}

func (e ending) Head(context.Context) (timeline.Head, error) { return timeline.Head{Seq: 5000}, nil }

func (e ending) Find(_ context.Context, q timeline.Query) (*timeline.Page, error) {
	if q.After >= 2000 {
		return nil, e.err
	}
	p := &timeline.Page{}
	for n := q.After + 1; n <= q.After+int64(q.Limit); n++ {
		p.Entries = append(p.Entries, timeline.Entry{Row: timeline.Row{Seq: n, Topic: "t", Event: "e", Type: "x", Time: start, Indexed: start}})
	}
	return p, nil
}

// TestTimelineExportEnds: an export that breaks down on the way is told as such, by the
// client and to the operator.
func TestTimelineExportEnds(t *testing.T) {
	g := newTimeline(t)
	g.timelines.Stores = func(string) (notifyhttp.TimelineStore, error) {
		return ending{nil, errors.New("the disk is gone")}, nil
	}
	var out bytes.Buffer
	err := g.client(auditor).Timeline().Export(t.Context(), &out, 0)
	if !errors.Is(err, notifyhttp.ErrUnavailable) || !strings.Contains(err.Error(), "ended early") || out.Len() == 0 {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
	if len(g.reports) != 1 || !strings.Contains(g.reports[0], "the disk is gone") {
		t.Errorf("the operator was told: %q", g.reports)
	}
}

// TestTimelineAnswersThatAreNone: what is not what its digest says is no answer.
func TestTimelineAnswersThatAreNone(t *testing.T) {
	const row = `{"seq":2,"topic":"t","id":"e","type":"x","time":"2026-11-29T12:00:00Z","indexed":"2026-11-29T12:00:00Z","digest":"sha256:%[1]s","hash":"sha256:%[1]s","body":{"a":1}}`
	forged := fmt.Sprintf(row, strings.Repeat("0", 64))
	for body, want := range map[string]error{forged: notifyhttp.ErrMismatch, `{"seq":3}`: notifyhttp.ErrUnavailable, `{"seq":2}`: notifyhttp.ErrUnavailable, `{}`: notifyhttp.ErrUnavailable} {
		c := &notifyhttp.Client{URL: "http://notify.example", Transport: answering(body), Attempts: 1}
		if e, err := c.Timeline().Entry(t.Context(), 2); !errors.Is(err, want) {
			t.Errorf("%s: %+v, %v", body, e, err)
		}
	}
	c := &notifyhttp.Client{URL: "http://notify.example", Transport: answering(`{"events":[` + forged + `]}`), Attempts: 1}
	if _, err := c.Timeline().Find(t.Context(), timeline.Query{}); !errors.Is(err, notifyhttp.ErrMismatch) {
		t.Errorf("a page: %v", err)
	}
	if _, err := c.Timeline().Head(t.Context()); !errors.Is(err, notifyhttp.ErrUnavailable) {
		t.Errorf("a head: %v", err)
	}
	if _, err := c.Timeline().Checkpoint(t.Context(), 1); !errors.Is(err, notifyhttp.ErrUnavailable) {
		t.Errorf("a checkpoint: %v", err)
	}
	none := (&notifyhttp.Client{URL: "http://notify.example", Transport: none{}}).Timeline()
	twice := timeline.Query{Refs: []timeline.Ref{{Kind: timeline.RefScan, Value: "a"}, {Kind: timeline.RefScan, Value: "b"}}}
	if _, err := none.Find(t.Context(), twice); !errors.Is(err, notifyhttp.ErrInvalid) {
		t.Errorf("two scans: %v", err)
	}
}

// FuzzTimelineQueries asks for events with any query. The answer is one that is
// documented, and rows come in the order that was asked for.
func FuzzTimelineQueries(f *testing.F) {
	for _, s := range []string{"image=a&type=x,y&order=desc", "since=2026-11-29T12:00:00Z&until=2026-11-29T12:00:00.1%2b02:00", "after=1&limit=1", "after=9223372036854775807", "after=-1", "limit=0", "type=,", "scan_id=scan-2", "%zz", "image=&order=x", "event=%00"} {
		f.Add(s)
	}
	g := newTimeline(f)
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"events", "checkpoints", "export"} {
			r := httptest.NewRequest(http.MethodGet, "/api/v1/timeline/"+path, nil)
			r.URL.RawQuery = query
			r.Header.Set("Authorization", "Bearer "+auditor)
			w := httptest.NewRecorder()
			g.timelines.ServeHTTP(w, r)
			text := w.Body.String()
			switch {
			case w.Code == 400 && strings.Contains(text, "invalid-input"):
			case w.Code != 200:
				t.Fatalf("%s?%s: %d %s", path, query, w.Code, text)
			case path == "events":
				first, last := strings.Index(text, `"id":"event-1"`), strings.Index(text, `"id":"timeline/pruned`)
				if first >= 0 && last >= 0 && (first > last) != strings.Contains(query, "order=desc") && !strings.Contains(query, "%") {
					t.Fatalf("%s: %s", query, text)
				}
			case path == "export":
				if !strings.HasSuffix(text, "}\n") || !strings.Contains(text, `{"end":3,`) {
					t.Fatalf("%s: %s", query, text)
				}
			}
		}
	})
}
