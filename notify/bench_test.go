package notify_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// BenchmarkRouter measures events to stored intents, in memory and on one core: each event
// is of one image, and ten rules are asked.
func BenchmarkRouter(b *testing.B) {
	for _, storm := range []bool{true, false} {
		name := "Distinct"
		if storm {
			name = "Storm"
		}
		b.Run(name, func(b *testing.B) {
			store := notify.NewMemory(time.Now, nil)
			benchSet(b, store, notify.SettingEndpoint, "chat", notify.Endpoint{ID: "chat", Type: "webhook"})
			for i := range 10 {
				r := notify.Rule{ID: fmt.Sprint("r", i), To: []notify.Target{{Endpoint: "chat"}}, Match: notify.Match{Severity: finding.High, Images: []string{fmt.Sprintf("ghcr.io/team-%d/*", i)}, Types: []event.Type{event.AdvisoryDrift}}}
				if i == 0 {
					r.Match.When = `severity == "critical" && fixed != "no"`
				}
				benchSet(b, store, notify.SettingRule, r.ID, r)
			}
			w := &world{}
			router := &notify.Router{Stores: func(string) (notify.Routes, error) { return store, nil }, Open: w.open}
			bodies := make([][]byte, b.N)
			for i := range bodies {
				vulnerability := "CVE-2026-1"
				if !storm {
					vulnerability = fmt.Sprint("CVE-2026-", i)
				}
				e := drift(vulnerability, "critical", fmt.Sprintf("ghcr.io/team-0/app-%d:1", i))
				e.ID, e.Source, e.Tenant, e.Time = fmt.Sprint("drift/", i), "concelier", "acme", noon
				body, err := e.Encode()
				if err != nil {
					b.Fatal(err)
				}
				bodies[i] = body
			}
			b.ResetTimer()
			for _, body := range bodies {
				if err := router.Handle(b.Context(), body); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func benchSet(b *testing.B, store *notify.Memory, kind notify.SettingKind, id string, v any) {
	body, err := json.Marshal(v)
	if err == nil {
		body, err = notify.Check(kind, body)
	}
	if err == nil {
		err = store.Set(b.Context(), &notify.Setting{Kind: kind, ID: id, Number: 1, Body: body, By: "ann"})
	}
	if err != nil {
		b.Fatal(err)
	}
}
