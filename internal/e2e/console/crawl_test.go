package console

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// audit is the script that says what is wrong with a page.
func audit(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/audit.js")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// links are the pages that a page leads to, in the order of the page. Those that only give
// out files or go on for ever are left out.
func (t *tab) links() (out []string) {
	t.Helper()
	skip := regexp.MustCompile(`/(login|events|static|trace)\b|/console/verdicts/|/scans/[^/]+/documents/`)
	for _, l := range js[[]string](t, `[...document.querySelectorAll("a[href]")].filter((a) => a.origin === location.origin && !a.hasAttribute("download")).map((a) => a.pathname + a.search)`) {
		if strings.HasPrefix(l, "/console/") && !skip.MatchString(l) {
			out = append(out, l)
		}
	}
	return out
}

var numbers = regexp.MustCompile(`[0-9a-zA-Z%:.]{16,}|\d+`)

// crawl visits pages from the first one on, of each kind a few, and calls look on each.
func (t *tab) crawl(start []string, look func(path string)) (visited []string) {
	t.Helper()
	queue, seen, kinds := slices.Clone(start), map[string]bool{}, map[string]int{}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		kind := numbers.ReplaceAllString(path, "*")
		if seen[path] || kinds[kind] >= 3 || len(visited) >= 200 {
			continue
		}
		seen[path] = true
		kinds[kind]++
		t.at = path
		if _, err := chromedp.Run(t.ctx, chromedp.Navigate(t.url+path)); err != nil {
			if !strings.Contains(err.Error(), "ERR_ABORTED") { // a file that is given out
				t.Fatalf("%s: %v", path, err)
			}
			continue
		}
		if !js[bool](t, `!!document.getElementById("main")`) {
			t.Errorf("%s is no page: %.300s", path, js[string](t, "document.body.innerText"))
			continue
		}
		visited = append(visited, path)
		look(path)
		queue = append(queue, t.links()...)
	}
	return visited
}
