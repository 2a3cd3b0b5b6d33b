package flows

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

var rate = flag.Int("rate", 20, "scans that BenchmarkSubmitted submits each second")

// quantile of durations, in milliseconds.
func quantile(list []time.Duration, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return float64(list[min(int(q*float64(len(list))), len(list)-1)]) / float64(time.Millisecond)
}

// embedded starts an installation of one process and logs a program in.
func embedded(t testing.TB) *caller {
	s := newSite(t)
	s.gateway = "http://" + free(t, 1)[0]
	s.settings = s.common() + "data: " + filepath.Join(s.dir, "data") + "\nlisten: " + strings.TrimPrefix(s.gateway, "http://") + "\n"
	s.start(group{name: "all"})
	password, err := os.ReadFile(filepath.Join(s.dir, "data", "initial-password"))
	if err != nil {
		t.Fatal(err)
	}
	return s.ci(s.admin("default", strings.TrimSpace(string(password))), everything...)
}

// distributed is that over seven processes, PostgreSQL, Valkey and S3.
func distributed(t testing.TB) *caller {
	s, password := spread(t, engines{store: servers.PostgresStore(t).App, queue: servers.Valkey(t) + "?prefix=bench", cache: servers.Valkey(t) + "?prefix=bench", bucket: servers.S3(t)})
	return s.ci(s.admin("default", password), everything...)
}

// BenchmarkSubmitted has an image scanned whose layers are known, twenty times a second, and
// says how long it takes from the submission to the completed scan, by the times that the scan
// itself has, and how long each request took, as its client sees it through the gateway. A
// client asks four times a second: asking more often would measure the asking.
func BenchmarkSubmitted(b *testing.B) {
	for name, start := range map[string]func(testing.TB) *caller{"Embedded": embedded, "PostgresValkeyS3": distributed} {
		b.Run(name, func(b *testing.B) {
			b.Setenv("STELLA_GATEWAY_RATE_PER_SECOND", "10000")
			b.Setenv("STELLA_GATEWAY_RATE_BURST", "20000")
			c := start(b)
			c.completed(c.submit("app:1")) // its layers are known from now on
			var mu sync.Mutex
			var took, calls []time.Duration
			timed := func(f func()) {
				began := time.Now()
				f()
				mu.Lock()
				defer mu.Unlock()
				calls = append(calls, time.Since(began))
			}
			var running sync.WaitGroup
			b.ResetTimer()
			tick := time.NewTicker(time.Second / time.Duration(*rate))
			defer tick.Stop()
			for range b.N {
				<-tick.C
				running.Go(func() {
					var id string
					timed(func() { id = c.submit("app:1") })
					out := map[string]any{}
					for out["status"] != "completed" {
						time.Sleep(250 * time.Millisecond)
						timed(func() { out = c.do("GET", "/api/v1/scans/"+id, nil, http.StatusOK) })
					}
					mu.Lock()
					defer mu.Unlock()
					took = append(took, at(b, out, "updated").Sub(at(b, out, "created")))
				})
			}
			running.Wait()
			b.ReportMetric(quantile(took, 0.5), "ms/scan-p50")
			b.ReportMetric(quantile(took, 0.95), "ms/scan-p95")
			b.ReportMetric(quantile(calls, 0.5), "ms/call-p50")
			b.ReportMetric(quantile(calls, 0.95), "ms/call-p95")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// at reads a time of a scan.
func at(t testing.TB, scan map[string]any, member string) time.Time {
	text, _ := scan[member].(string)
	when, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Error(err)
	}
	return when
}

// BenchmarkWorkers has images scanned that are new to the worker, from a registry that takes
// its time, by one process and by two.
func BenchmarkWorkers(b *testing.B) {
	for _, n := range []int{1, 2} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := distributedWith(b, n)
			slow, err := url.Parse("http://" + c.registry)
			if err != nil {
				b.Fatal(err)
			}
			proxy := httputil.NewSingleHostReverseProxy(slow)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(400 * time.Millisecond)
				proxy.ServeHTTP(w, r)
			}))
			defer server.Close()
			b.ResetTimer()
			var ids []string
			for range b.N {
				out := c.do("POST", "/api/v1/scans", map[string]any{"image_ref": strings.TrimPrefix(server.URL, "http://") + "/app:1", "formats": []string{"spdx-json"}}, http.StatusAccepted)
				id, _ := out["job_id"].(string)
				ids = append(ids, id)
			}
			for _, id := range ids {
				c.until("scan "+id, 5*time.Minute, func() bool { return c.do("GET", "/api/v1/scans/"+id, nil, http.StatusOK)["status"] == "completed" })
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "scans/s")
		})
	}
}

// distributedWith has so many processes of workers.
func distributedWith(t testing.TB, workers int) *caller {
	c := distributed(t)
	for i := len(c.processes) - 1; i >= 0 && workers < 2; i-- {
		if p := c.processes[i]; p.name == "worker-2" {
			c.retire(p)
		}
	}
	return c
}
