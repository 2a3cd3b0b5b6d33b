package console

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/scan/sbom"
)

// functions are what templates may call.
var functions = template.FuncMap{
	"when": when, "ago": ago, "day": func(t time.Time) string { return stamp(t, "2006-01-02") },
	"digest": shortDigest, "clean": visible, "clip": func(n int, s string) string { return clip(visible(s), n) },
	"path": link, "short": short, "words": words, "layer": shortLayer, "bytes": byteCount,
	"percent": percent, "join": strings.Join, "add": func(a, b int) int { return a + b }, "text": func(v any) string { return visible(fmt.Sprint(v)) },
	"sev": severityName, "asset": func(name string) string { return assets().path(name) }, "unique": newID, "groups": groups, "lines": func(s string) []string { return strings.Split(s, "\n") }, "web": webAddress,
}

// when writes a time in UTC.
func when(t time.Time) string { return stamp(t, "2006-01-02 15:04:05 UTC") }

func stamp(t time.Time, layout string) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(layout)
}

// ago says how long before now a time is.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	ahead := d < 0
	d = d.Abs()
	text := ""
	switch {
	case d < time.Minute:
		text = fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		text = fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		text = fmt.Sprintf("%d h", int(d.Hours()))
	default:
		text = fmt.Sprintf("%d days", int(d.Hours()/24))
	}
	if ahead {
		return "in " + text
	}
	return text + " ago"
}

// shortDigest is as much of a digest as people compare.
func shortDigest(s string) string {
	if algorithm, hex, ok := strings.Cut(s, ":"); ok && len(hex) > 16 {
		return visible(algorithm + ":" + hex[:16] + "…")
	}
	return visible(s)
}

func shortLayer(s string) string {
	if _, hex, ok := strings.Cut(s, ":"); ok && len(hex) > 12 {
		return hex[:12]
	}
	return visible(s)
}

// visible makes a text of others harmless to read: signs that turn the direction of what
// follows, hide it, or are no text, are written as their numbers.
func visible(s string) string {
	bad := func(r rune) bool {
		return r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r) || unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r)
	}
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if bad(r) {
			fmt.Fprintf(&b, "\\u{%x}", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// link makes a path of the console of its parts, each escaped.
func link(parts ...any) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = url.PathEscape(fmt.Sprint(p))
	}
	return Root + strings.Join(out, "/")
}

// webAddress is an address that a browser may open, "" for any other: those of records come
// from whoever wrote them.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return ""
	}
	return u.String()
}

func byteCount(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

func percent(part, whole int64) int {
	if whole <= 0 {
		return 0
	}
	return int(min(100*part/whole, 100))
}

// severityName is a severity as a class and a word.
func severityName(s any) string {
	if text := fmt.Sprint(s); text != "" {
		return text
	}
	return "unknown"
}

// builtBy maps layers to the steps of the build that made them.
func builtBy(d *sbom.Document) map[string]string {
	out := map[string]string{}
	for _, l := range d.Subject.Layers {
		out[l.DiffID] = l.CreatedBy
	}
	return out
}
