package loops

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// BenchmarkNotify announces events at a steady rate, each of which is a message by itself,
// and measures how long after the commit the receiver has it: embedded, and over PostgreSQL
// and Valkey. One process does everything.
func BenchmarkNotify(b *testing.B) {
	for _, rate := range []int{100, 250, 500} {
		b.Run(fmt.Sprint(rate, "-per-second"), func(b *testing.B) {
			benchEngines(b, func(b *testing.B, storeURL, queueURL string) { benchNotify(b, storeURL, queueURL, rate) })
		})
	}
}

func benchNotify(b *testing.B, storeURL, queueURL string, rate int) {
	var mu sync.Mutex
	var took []time.Duration
	a := newAlarm(b, storeURL, queueURL, 1, &notifytest.ReceiverOptions{Plain: true, ID: func(r *notifytest.Request) string {
		var e struct {
			Data struct{ Notices []struct{ At time.Time } }
		}
		if err := json.Unmarshal(r.Body, &e); err != nil || len(e.Data.Notices) != 1 {
			b.Errorf("%v in %q", err, r.Body)
			return r.Header.Get("webhook-id")
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(e.Data.Notices[0].At))
		return r.Header.Get("webhook-id")
	}})
	a.set("alpha", notify.SettingEndpoint, "hook", notify.Endpoint{ID: "hook", Type: "webhook", Secrets: map[string]string{"url": "url", "signing": "hook"}})
	a.set("alpha", notify.SettingRule, "each", notify.Rule{ID: "each", GroupBy: notify.GroupNone, To: []notify.Target{{Endpoint: "hook"}}})
	total := max(b.N, rate*10)
	b.ResetTimer()
	began := time.Now()
	batch := max(rate/50, 1)
	tenant := a.tenant("alpha")
	for sent := 0; sent < total; sent += batch {
		if wait := time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(rate))); wait > 0 {
			time.Sleep(wait)
		}
		_, err := tenant.Once(b.Context(), "test", fmt.Sprint("batch-", sent), func(tx *store.Tx) error {
			for i := range batch {
				e := driftOf(fmt.Sprint("drift/", sent+i), fmt.Sprint("CVE-2026-", sent+i), "ann", "alpine:latest")
				e.Source = "test"
				if err := tx.Announce(event.ConcelierDrift, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	committed := time.Since(began)
	a.until("everything arrives", 5*time.Minute, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(took) >= total
	})
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(total)/committed.Seconds(), "committed/s")
	b.ReportMetric(float64(total)/time.Since(began).Seconds(), "delivered/s")
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
	b.ReportMetric(took[len(took)-1].Seconds()*1000, "max-ms")
}
