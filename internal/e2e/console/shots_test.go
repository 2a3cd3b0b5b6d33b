package console

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stella-ops/stella/internal/imagetest"
)

// repairs is a policy that has something to say about records without a severity.
const repairs = `id: shop
version: 1
title: Blocks what an update repairs
evidence: {gaps: warn, unknown: warn}
rules:
  - id: repairable
    match: {fix: available}
    action: block
    because: an update repairs it
`

var shots = flag.String("screens", "", "folder for a picture of each page, for people to look at")

// TestScreens makes pictures of pages with plausible data.
func TestScreens(t *testing.T) {
	if *shots == "" {
		t.Skip("-screens names no folder")
	}
	browser(t)
	if err := os.MkdirAll(*shots, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, `{"pkg":{"name":"openssl","secfixes":{"3.3.2-r1":["CVE-2024-9143"],"3.2.1-r0":["CVE-2024-0727"]}}},{"pkg":{"name":"curl","secfixes":{"8.9.1-r0":["CVE-2024-7264"],"8.6.0-r2":["CVE-2024-2398"]}}},{"pkg":{"name":"busybox","secfixes":{"1.36.1-r6":["CVE-2023-42363"]}}}`, nil)
	base := "P:musl\nV:1.2.5-r1\nA:x86_64\nL:MIT\n\nP:busybox\nV:1.36.1-r5\nA:x86_64\nL:GPL-2.0-only\n\nP:openssl\nV:3.3.1-r0\nA:x86_64\nL:Apache-2.0\n\nP:ca-certificates\nV:20240705-r0\nA:x86_64\nL:MPL-2.0 AND MIT\n\n"
	var files []imagetest.File
	for _, p := range []string{"express 4.19.2", "lodash 4.17.20", "react 18.2.0", "left-pad 1.3.0", "ws 8.17.0", "axios 1.7.2"} {
		name, version, _ := strings.Cut(p, " ")
		files = append(files, imagetest.File{Name: "srv/app/node_modules/" + name + "/package.json", Data: `{"name":"` + name + `","version":"` + version + `","license":"MIT"}`})
	}
	app := imagetest.Tar(files...)
	b := s.open(1280, 900)
	b.login()
	b.informed()
	b.form("/console/policies", map[string]string{"text": repairs})
	b.form("/console/policies/shop/1/activate", map[string]string{"reason": "the first"})
	b.scan(s.push("shop/web:1.4", base+"P:curl\nV:8.5.0-r0\nA:x86_64\nL:curl\n\n", app))
	b.scan(s.push("shop/worker:1.4", base))
	b.scan(s.push("shop/docs:1.4", "P:ca-certificates\nV:20240705-r0\nA:x86_64\nL:MPL-2.0 AND MIT\n\n", app))
	b.scan(s.push("tools/fetch:2", "P:curl\nV:8.9.1-r0\nA:x86_64\nL:curl\n\n"))
	s.push("shop/web:1.4", base+"P:curl\nV:8.9.1-r0\nA:x86_64\nL:curl\n\n", app)
	scan := b.scan(s.registry + "/shop/web:1.4")
	b.until("a sample of the posture", func() bool {
		b.run(chromedp.Navigate(s.url+"/console/"), chromedp.WaitVisible("#main"))
		return js[bool](b, `!!document.querySelector(".tiles") && document.body.innerText.includes("4 images")`)
	})
	pages := map[string]string{
		"overview": "/console/", "images": "/console/images", "scans": "/console/scans", "scan": scan, "packages": scan + "?view=packages", "layers": scan + "?view=layers",
		"changes": scan + "?view=changes", "why": scan + "/finding?vulnerability=CVE-2024-9143", "advisories": "/console/advisories", "vex": "/console/vex", "policies": "/console/policies",
		"exceptions": "/console/exceptions?new=1", "notifications": "/console/notifications", "timeline": "/console/timeline", "schedules": "/console/schedules",
		"proofs": "/console/proofs", "verify": "/console/proofs/verify", "settings": "/console/settings",
	}
	for _, view := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"light", 1280, 900, "light"}, {"dark", 1280, 900, "dark"}, {"phone", 390, 844, "light"}} {
		b.run(chromedp.EmulateViewport(view.width, view.height), media("", view.scheme))
		for name, path := range pages {
			b.run(chromedp.Navigate(s.url+path), chromedp.WaitReady("body"))
			if err := os.WriteFile(filepath.Join(*shots, name+"-"+view.name+".png"), value(b, chromedp.FullScreenshot(100)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
