package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/stella-ops/stella/internal/imagetest"
)

// hostile are texts that want to be more than texts.
var hostile = []string{
	`<script>window.owned="script"</script>`,
	`"><img src=x onerror=window.owned="image">`,
	`'><svg onload=window.owned="svg">`,
	`</title></textarea></style><script>window.owned="break"</script>`,
	`javascript:window.owned="link"`,
	`<a href="javascript:window.owned=1">click</a>`,
	`{{.Visit}} ${window.owned="template"} {{constructor.constructor('window.owned=1')()}}`,
	`*bold* <!channel> <@U123> [x](javascript:window.owned=1)`,
	"right\u202eto\u2066left\u200b\u00ad",
	"bell\x07esc\x1b[31m",
	strings.Repeat("long", 2500),
	strings.Repeat("W ", 600),
}

// TestHostile shows what somebody put into an image and an advisory on every page that there
// is: nothing of it runs, nothing is asked from elsewhere, and the layout holds.
func TestHostile(t *testing.T) {
	browser(t)
	var secdb, apk, node []string
	var files []imagetest.File
	for i, h := range hostile {
		name := strings.NewReplacer("\n", "", "\"", `\"`, `\`, `\\`, "\x07", `\u0007`, "\x1b", `\u001b`).Replace(h)
		secdb = append(secdb, fmt.Sprintf(`{"pkg":{"name":"%s","secfixes":{"9.9-r%d":["CVE-2024-2%04d","%s"]}}}`, name, i, i, name[:min(len(name), 60)]))
		apk = append(apk, fmt.Sprintf("P:%s\nV:1.%d-r0\nA:x86_64\nL:%s\n", strings.ReplaceAll(h, "\n", ""), i, h[:min(len(h), 200)]))
		node = append(node, fmt.Sprintf(`{"name":"%s","version":"1.0.%d","license":"%s"}`, name, i, name[:min(len(name), 100)]))
		files = append(files, imagetest.File{Name: fmt.Sprintf("srv/%s/node_modules/x%d/package.json", strings.ReplaceAll(h[:min(len(h), 80)], "/", "_"), i), Data: node[i]})
	}
	s := newSite(t, strings.Join(secdb, ","), nil)
	image := s.push("hostile:1", strings.Join(apk, "\n")+"\n", imagetest.Tar(files...))
	b := s.open(1280, 900)
	b.login()
	b.informed()
	b.decides()
	first := b.scan(image)
	again := b.scan(image)
	script := audit(t)
	for _, view := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"desktop", 1280, 900, "light"}, {"phone, dark", 390, 844, "dark"}} {
		t.Run(view.name, func(t *testing.T) {
			b.run(chromedp.EmulateViewport(view.width, view.height), media("", view.scheme))
			n := 0
			visited := b.crawl([]string{"/console/", first, again + "?view=changes", "/console/scans?text=" + "%3Cscript%3Ewindow.owned%3D1%3C/script%3E"}, func(path string) {
				for _, wrong := range js[[]string](b, script) {
					if n++; n < 60 {
						t.Errorf("%s: %s", path, wrong)
					}
				}
			})
			t.Logf("%d pages: %s", len(visited), strings.Join(visited, " "))
			if len(visited) < 30 {
				t.Errorf("only %d pages were visited", len(visited))
			}
		})
	}
}
