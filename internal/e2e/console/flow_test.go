package console

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const wolfi = `{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}}`

// TestFlow goes the way of a newcomer: log in, submit a scan, watch it, and read why.
func TestFlow(t *testing.T) {
	browser(t)
	s := newSite(t, wolfi, nil)
	image := s.push("app:1", "P:bolt\nV:1.8-r0\nA:x86_64\n\nP:nut\nV:2.0-r0\nA:x86_64\n\n")
	b := s.open(1280, 900)
	b.login()
	b.informed()
	b.decides()
	t.Run("watch", func(t *testing.T) {
		b.run(chromedp.Navigate(s.url+"/console/scans"), chromedp.WaitVisible("#image"), chromedp.SetValue("#image", image), chromedp.Click("details.form button"), chromedp.WaitVisible("nav.tabs"))
		if text := js[string](b, "document.body.innerText"); !strings.Contains(text, "CVE-2024-10001") {
			t.Errorf("the page of the scan, which loads itself again at its end:\n%s", text)
		}
	})
	t.Run("why, from the overview", func(t *testing.T) {
		b.until("the overview has the image", func() bool {
			b.run(chromedp.Navigate(s.url+"/console/"), chromedp.WaitVisible("#main"))
			return js[bool](b, `!!document.querySelector("a[href$='/why']")`)
		})
		clicks := 1
		b.run(chromedp.Click("a[href$='/why']"), chromedp.WaitVisible("article.story"))
		text := js[string](b, `document.querySelector("article.story").innerText`)
		for _, want := range []string{"CVE-2024-10001", "bolt 1.8-r0", "1.9-r3"} {
			if !strings.Contains(text, want) {
				t.Errorf("after %d click the story has no %q:\n%s", clicks, want, text)
			}
		}
	})
	t.Run("keys", func(t *testing.T) {
		b.run(chromedp.Navigate(s.url+"/console/images"), chromedp.WaitVisible("#main"), chromedp.KeyEvent("/"))
		if at := js[string](b, "document.activeElement.id"); at != "text" {
			t.Errorf("/ goes to %q", at)
		}
		b.run(chromedp.Evaluate[chromedp.Void]("document.activeElement.blur()"), chromedp.KeyEvent("j"))
		if at := js[string](b, "document.activeElement.textContent"); at != image {
			t.Errorf("j goes to %q", at)
		}
		b.run(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("nav.tabs"), chromedp.Click("details.account summary"), chromedp.WaitVisible("details.account .menu"), chromedp.KeyEvent(kb.Escape))
		if js[bool](b, `document.querySelector("details.account").open`) {
			t.Error("the menu is still open after Escape")
		}
		// All that can be focused is reached by the tabulator, in the order of the page, and is seen to be.
		b.run(chromedp.Navigate(s.url+"/console/scans"), chromedp.WaitVisible("#main"))
		want := js[int](b, `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter((e) => e.checkVisibility()).length`)
		for i := range want {
			b.run(chromedp.KeyEvent(kb.Tab))
			if ring := js[string](b, `(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + " " + s.outlineWidth })()`); strings.HasPrefix(ring, "none") || strings.HasSuffix(ring, " 0px") {
				t.Errorf("what the %d. press of the tabulator leads to, %s, is not seen to have the focus: outline %s", i+1, js[string](b, "document.activeElement.outerHTML.slice(0, 100)"), ring)
			}
		}
		if last := js[bool](b, `document.activeElement === [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter((e) => e.checkVisibility()).pop()`); !last {
			t.Errorf("after %d presses the focus is at %s", want, js[string](b, "document.activeElement.outerHTML.slice(0, 100)"))
		}
	})
	t.Run("print", func(t *testing.T) {
		b.run(media("print", "light"))
		if shown := js[[]string](b, `[...document.querySelectorAll("nav, header.top, .filter, footer")].filter((e) => e.checkVisibility()).map((e) => e.className || e.tagName)`); len(shown) > 0 {
			t.Errorf("on paper there are %q", shown)
		}
		b.run(media("", "light"))
	})
	t.Run("policy", func(t *testing.T) { policyHolds(t, b) })
	t.Run("log out", func(t *testing.T) {
		b.run(chromedp.Navigate(s.url+"/console/"), chromedp.WaitVisible("#main"), chromedp.Click("details.account summary"), chromedp.Click("form[action='/console/logout'] button"), chromedp.WaitVisible("a.button"))
		b.run(chromedp.Navigate(s.url+"/console/"), chromedp.WaitVisible("#password"))
	})
}

// policyHolds tries what a page's policy forbids: a script and a style in the page, one from
// elsewhere, and a form to another site.
func policyHolds(t *testing.T, b *tab) {
	for name, try := range map[string]string{
		"script":  `document.body.append(Object.assign(document.createElement("script"), {textContent: "window.owned = 1"}))`,
		"handler": `(() => { const e = document.createElement("button"); e.setAttribute("onclick", "window.owned = 1"); document.body.append(e); e.click(); })()`,
		"eval":    `(() => { try { window.setTimeout("window.owned = 1", 0) } catch {} })()`,
		"far":     `document.body.append(Object.assign(document.createElement("script"), {src: "https://evil.example/x.js"}))`,
		"picture": `document.body.append(Object.assign(document.createElement("img"), {src: "https://evil.example/x.png"}))`,
		"fetch":   `fetch("https://evil.example/").catch(() => {})`,
		"form":    `(() => { const f = Object.assign(document.createElement("form"), {action: "https://evil.example/", method: "post"}); document.body.append(f); f.submit(); })()`,
		"base":    `document.head.append(Object.assign(document.createElement("base"), {href: "https://evil.example/"}))`,
		"frame":   `document.body.append(Object.assign(document.createElement("iframe"), {src: "/console/"}))`,
	} {
		b.run(chromedp.Navigate(b.url+"/console/scans"), chromedp.WaitVisible("#main"))
		refused := value(b, chromedp.Evaluate[string](`new Promise((done) => {
			document.addEventListener("securitypolicyviolation", (e) => done(e.effectiveDirective));
			`+try+`;
			setTimeout(() => done("nothing was refused"), 3000);
		})`, chromedp.EvalAwaitPromise))
		if refused == "nothing was refused" || js[bool](b, "window.owned !== undefined") {
			t.Errorf("%s: %s", name, refused)
		}
	}
}
