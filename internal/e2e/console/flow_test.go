package console

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestFlow goes the way of a newcomer: log in, submit a scan, watch it, and read why.
func TestFlow(t *testing.T) {
	browser(t)
	s := newSite(t, `{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}}`, nil)
	image := s.push("app:1", "P:bolt\nV:1.8-r0\nA:x86_64\n\nP:nut\nV:2.0-r0\nA:x86_64\n\n")
	b := s.open(1280, 900)
	b.login()
	b.run(chromedp.Navigate(s.url+"/console/scans"), chromedp.WaitVisible("#image"), chromedp.SetValue("#image", image), chromedp.Click("details.form button"),
		chromedp.WaitVisible("nav.tabs"))
	os.WriteFile("/tmp/shot.png", value(b, chromedp.FullScreenshot(100)), 0o644)
}
