package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// BenchTimeline measures indexing, one event and many at a time, and queries of a
// timeline of 50,000 rows.
func BenchTimeline(b *testing.B, root *store.Root) {
	s := tenant(b, root, "acme").Timeline()
	n := 0
	for _, size := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprint("append/batch=", size), func(b *testing.B) {
			events := 0
			for b.Loop() {
				fill(b, "acme", s, n, n+size)
				n, events = n+size, events+size
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
	for ; n < 50_000; n += 500 {
		fill(b, "acme", s, n, n+500)
	}
	for name, q := range map[string]timeline.Query{
		"all": {}, "backward": {Backward: true}, "scan": {Refs: []timeline.Ref{{Kind: timeline.RefScan, Value: "scan-25000"}}},
		"image": {Refs: []timeline.Ref{{Kind: timeline.RefImage, Value: "image-1"}}, After: 25_000}, "type": {Types: []event.Type{event.ScanFailed}, After: 25_000},
		"hour":    {From: proofAt.Add(25_000 * time.Second), Until: proofAt.Add(28_600 * time.Second)},
		"nothing": {Types: []event.Type{event.SBOMCreated}}, "both": {Refs: []timeline.Ref{{Kind: timeline.RefImage, Value: "image-1"}, {Kind: timeline.RefScan, Value: "scan-25000"}}},
		"open": {From: proofAt.Add(25_000 * time.Second), Backward: true}, "event": {Event: "scan-25000/scan.queued"},
	} {
		b.Run("find/"+name, func(b *testing.B) {
			for b.Loop() {
				must[*timeline.Page](b)(s.Find(b.Context(), q))
			}
		})
	}
	b.Run("gaps", func(b *testing.B) {
		for b.Loop() {
			must[[]timeline.Gap](b)(s.Gaps(b.Context(), time.Hour))
		}
	})
}
