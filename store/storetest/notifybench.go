package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store"
)

// BenchmarkNotify measures what a store does for each event: decided about one by one,
// and as many at a time as a Router does, into one group; and a delivery from its claim
// to its end.
func BenchmarkNotify(b *testing.B, open func(testing.TB) *store.Root) {
	route := func(b *testing.B, batch int) {
		root := open(b)
		defer root.Close()
		n := tenant(b, root, "acme").Notify()
		start := time.Now()
		for i := 0; i < b.N; i += batch {
			w := &notify.Work{Groups: []string{"g", "gate"}}
			for j := range batch {
				w.Events = append(w.Events, fmt.Sprintf("event-%08d", i+j))
			}
			w.Decide = func(s *notify.State) (*notify.Plan, error) {
				g := *s.Groups["g"]
				p := &notify.Plan{}
				if g.Due.IsZero() {
					g = notify.Group{ID: "g", Rule: "r", Window: s.Now.UnixMicro(), Due: s.Now.Add(time.Hour)}
					p.Deliveries = []notify.Delivery{sent(fmt.Sprint("d", i), "a", time.Time{})}
				}
				g.Count += len(w.Events)
				for _, e := range w.Events {
					p.Items = append(p.Items, notify.Item{Key: "item of " + e, Group: "g", Window: g.Window, Event: e, Why: []string{"severity is high"},
						Notices: []notify.Notice{{Event: e, Type: "advisory.drift", At: s.Now, ScanID: "scan of " + e, Image: "ghcr.io/acme/shop:1", Vulnerability: "CVE-2024-1234", Severity: "high", Summary: "a summary of what is wrong"}}})
				}
				p.Groups = []notify.Group{g}
				return p, nil
			}
			if err := n.Do(b.Context(), w); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
	}
	b.Run("one", func(b *testing.B) { route(b, 1) })
	b.Run("batch=256", func(b *testing.B) { route(b, 256) })
	b.Run("deliver", func(b *testing.B) {
		root := open(b)
		defer root.Close()
		of := tenant(b, root, "acme")
		n := of.Notify()
		if err := n.Set(b.Context(), &notify.Setting{Kind: notify.SettingEndpoint, ID: "a", Number: 1, Body: []byte(`{"id":"a","type":"webhook"}`), By: "ann"}); err != nil {
			b.Fatal(err)
		}
		for i := 0; i < b.N; i += 256 {
			if err := do(b.Context(), of, notify.Work{}, func(*notify.State) (p notify.Plan) {
				for j := range 256 {
					p.Deliveries = append(p.Deliveries, sent(fmt.Sprint("d", i+j), "a", time.Time{}))
				}
				return p
			}); err != nil {
				b.Fatal(err)
			}
		}
		b.ResetTimer()
		for i := range b.N {
			task, err := claimDelivery(b.Context(), of, fmt.Sprint("d", i), fmt.Sprintf("d%d/send/1", i))
			if err == nil {
				err = n.Settle(b.Context(), task, outcome(task, notify.Delivered))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
