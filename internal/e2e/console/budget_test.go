package console

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

// TestBudget weighs the first page of a tenant with many scans, and says how long it takes:
// 100,000 scans of 10,000 images with STELLA_LONG, else a tenth. The aims are 100 KB with all
// that it loads, and 300 ms.
func TestBudget(t *testing.T) {
	browser(t)
	fleet := storetest.Fleet{Images: 1_000, Scans: 10_000}
	if os.Getenv("STELLA_LONG") != "" {
		fleet = storetest.Fleet{Images: 10_000, Scans: 100_000}
	}
	s := newSite(t, wolfi, func(data string) {
		if err := os.MkdirAll(data, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(data, "stella.db")
		root, err := sqlite.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		storetest.FillFleet(t, root, db, "_", "", fleet)
	})
	b := s.open(1280, 900)
	b.login()
	b.until("a sample of the posture", func() bool {
		b.run(chromedp.Navigate(s.url+"/console/"), chromedp.WaitVisible("#main"))
		return js[bool](b, `!!document.querySelector(".tiles")`)
	})
	for _, page := range []string{"/console/", "/console/images", "/console/images?outcome=block", "/console/scans", "/console/scans?text=image-77", "/console/scans?state=failed"} {
		var took []float64
		var bytes int
		for range 7 {
			b.run(chromedp.Navigate(s.url + page))
			m := js[[]float64](b, `(() => { const n = performance.getEntriesByType("navigation")[0], all = [n, ...performance.getEntriesByType("resource")];
				return [n.loadEventEnd - n.startTime, n.responseStart - n.requestStart, all.reduce((s, e) => s + (e.transferSize || e.encodedBodySize), 0)] })()`)
			took, bytes = append(took, m[0]), max(bytes, int(m[2]))
		}
		text := strings.Trim(fmt.Sprintf("%.0f", took), "[]")
		t.Logf("%s of %d scans: %d bytes with all that it loads, ms to the end of loading: %s", page, fleet.Scans, bytes, text)
		if bytes > 100_000 && page == "/console/" {
			t.Errorf("%s has %d bytes with all that it loads: want 100,000 at most", page, bytes)
		}
	}
}
