package console

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestAudit: the script that looks at pages finds what it is for.
func TestAudit(t *testing.T) {
	browser(t)
	s := newSite(t, "", nil)
	b := s.open(800, 600)
	b.login()
	script := audit(t)
	if wrong := js[[]string](b, script); len(wrong) > 0 {
		t.Errorf("the first page: %q", wrong)
	}
	for fault, want := range map[string]string{
		`main.innerHTML += "<h1>x</h1>"`:                         "headings of the first level",
		`main.innerHTML += "<h5>x</h5>"`:                         "a heading of level 5",
		`main.innerHTML += "<input id=q>"`:                       "a field without a label",
		`main.innerHTML += "<table><tr><th>x</th></tr></table>"`: "without a scope",
		`main.innerHTML += "<img src=x>"`:                        "an element that pages do not have",
		`main.innerHTML += "<p onclick=x>x</p>"`:                 "an event handler",
		`main.innerHTML += "<a href=javascript:x>x</a>"`:         "an address that runs something",
		`main.insertAdjacentHTML("beforeend", "<div id=wide>wide</div>"); document.getElementById("wide").style.width = "3000px"`: "in a window of 800",
		`main.insertAdjacentHTML("beforeend", "<p id=pale>pale</p>"); document.getElementById("pale").style.color = "#aab"`:       "contrast",
		`window.owned = 1`:                                  "a script of others ran",
		`document.documentElement.lang = ""`:                "names no language",
		`main.innerHTML += "<p id=a></p><p id=a></p>"`:      "there twice",
		`main.innerHTML += "<nav>x</nav>"`:                  "a navigation without a name",
		`main.innerHTML += "<svg viewBox='0 0 1 1'></svg>"`: "a picture without a name",
	} {
		b.run(chromedp.Navigate(s.url+"/console/scans"), chromedp.WaitVisible("#main"))
		js[bool](b, `(() => { const main = document.getElementById("main"); `+fault+`; return true })()`)
		if got := strings.Join(js[[]string](b, script), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: found %q, want %q", fault, got, want)
		}
	}
}
