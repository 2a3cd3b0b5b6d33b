package console

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// media has pages shown for a kind of medium, "" for a screen, and light or dark.
func media(kind, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: kind, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// informed waits until advisories are there.
func (t *tab) informed() {
	t.Helper()
	t.until("advisories", func() bool {
		t.run(chromedp.Navigate(t.url+"/console/"), chromedp.WaitVisible("#main"))
		return js[bool](t, `[...document.querySelectorAll("main a[href='/console/advisories']")].some((a) => a.textContent.startsWith("head "))`)
	})
}

// form sends a form as a page does, and says where it led to.
func (t *tab) form(path string, fields map[string]string) string {
	t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	at := value(t, chromedp.Evaluate[string](`fetch("`+path+`", {method: "POST", body: new URLSearchParams(`+string(text)+`)}).then((r) => r.ok ? r.url : r.text().then((x) => r.status + " " + x))`, chromedp.EvalAwaitPromise))
	if !strings.HasPrefix(at, t.url) {
		t.Fatalf("form %s: %s", path, at)
	}
	return strings.TrimPrefix(at, t.url)
}

// decides puts the default policy in force.
func (t *tab) decides() {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(program, "policy", "default").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.form("/console/policies", map[string]string{"text": string(text)})
	t.form("/console/policies/default/1/activate", map[string]string{"reason": "the first"})
}

// scan submits a scan and waits until it was decided about; it returns the path of its page.
func (t *tab) scan(image string) string {
	t.Helper()
	at := t.form("/console/scans", map[string]string{"image": image})
	at, _, _ = strings.Cut(at, "?")
	t.until("the scan of "+image, func() bool {
		t.run(chromedp.Navigate(t.url+at), chromedp.WaitVisible("#main"))
		return js[bool](t, `!document.getElementById("live") && !!document.querySelector(".lead .tag")`)
	})
	return at
}
