package template

import (
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/stella-ops/stella/advisory/finding"
)

// Count is how many findings have a severity.
type Count struct {
	Severity finding.Severity
	Count    int
}

// function is one that a template may call: what it takes, what it returns, and itself.
type function struct {
	takes   []kind
	returns func(args []value) value
	do      any // nil for those of text/template
}

func gives(v value) func([]value) value { return func([]value) value { return v } }

// functions returns all of them but and, or, not, len and the comparisons, which the
// checker knows.
func functions() map[string]function {
	textual, number, yes := gives(textValue()), gives(numberValue()), gives(boolValue())
	one := func(do func(string) string) function {
		return function{[]kind{text}, textual, func(v any) string { return do(str(v)) }}
	}
	ofTime := func(layout string) function {
		return function{[]kind{moment}, textual, func(t time.Time) string { return timeText(t, layout) }}
	}
	return map[string]function{
		"upper":       one(strings.ToUpper),
		"lower":       one(strings.ToLower),
		"title":       one(titled),
		"trim":        one(strings.TrimSpace),
		"imageName":   one(imageName),
		"shortDigest": one(shortDigest),
		"host":        one(host),
		"label":       one(func(s string) string { return titled(cmp.Or(severity(s), "unknown")) }),
		"emoji":       one(func(s string) string { return pick(s, "⚪", "🟢", "🔵", "🟡", "🟠", "🔴") }),
		"icon":        one(func(s string) string { return pick(s, "○", "○", "▽", "◇", "△", "▲") }),
		"colour":      one(func(s string) string { return pick(s, "6e7781", "2da44e", "0969da", "bf8700", "bc4c00", "cf222e") }),
		"known":       one(func(s string) string { return cmp.Or(s, "unknown") }),
		"date":        ofTime("2006-01-02 15:04 UTC"),
		"day":         ofTime(time.DateOnly),
		"stamp":       ofTime(time.RFC3339),
		"trunc":       {[]kind{integer, text}, textual, func(n int, v any) string { return trunc(n, str(v)) }},
		"default":     {[]kind{text, text}, textual, func(d, v any) string { return cmp.Or(str(v), str(d)) }},
		"join":        {[]kind{text, list}, textual, join},
		"get":         {[]kind{text, table}, textual, func(name any, m map[string]string) string { return m[str(name)] }},
		"plural": {[]kind{integer, text, text}, textual, func(n int, one, many any) string {
			if n == 1 {
				return str(one)
			}
			return str(many)
		}},
		"first":     {[]kind{integer, list}, func(args []value) value { return args[1] }, first},
		"counts":    {[]kind{table}, gives(typed(reflect.TypeFor[[]Count]())), counts},
		"total":     {[]kind{table}, number, total},
		"atLeast":   {[]kind{text, text}, yes, func(s, least any) bool { return rank(str(s)) >= rank(str(least)) }},
		"hasPrefix": {[]kind{text, text}, yes, func(p, s any) bool { return strings.HasPrefix(str(s), str(p)) }},
		"contains":  {[]kind{text, text}, yes, func(p, s any) bool { return strings.Contains(str(s), str(p)) }},
	}
}

// str returns a text of any type of texts.
func str(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	if r := reflect.ValueOf(v); r.IsValid() && r.Kind() == reflect.String {
		return r.String()
	}
	return ""
}

// shown is what an action writes of a value.
func shown(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case time.Time:
		return timeText(v, time.RFC3339), nil
	case int, int64, bool:
		return fmt.Sprint(v), nil
	}
	if r := reflect.ValueOf(v); r.IsValid() && r.Kind() == reflect.String {
		return r.String(), nil
	}
	return "", fmt.Errorf("a %T is no text", v)
}

// timeText is a time in UTC, "" for none.
func timeText(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

// titled has a capital first letter.
func titled(s string) string {
	for i, r := range s {
		return string(unicode.ToUpper(r)) + s[i+len(string(r)):]
	}
	return s
}

// trunc cuts a text to n characters, of which the last is "…" where something was cut.
func trunc(n int, s string) string {
	if n <= 0 {
		return ""
	}
	last := 0
	for i := range s {
		if n--; n == 0 {
			last = i
		}
		if n < 0 {
			return s[:last] + ellipsis
		}
	}
	return s
}

func severity(s string) string {
	if sev, ok := finding.ParseSeverity(s); ok {
		return string(sev)
	}
	return ""
}

func rank(s string) int { return max(finding.Severity(severity(s)).Rank(), 0) }

func pick(s string, of ...string) string { return of[rank(s)] }

// join joins a list of texts, of which MaxList count.
func join(separator, of any) (string, error) {
	r := reflect.ValueOf(of)
	if r.Kind() != reflect.Slice {
		return "", fmt.Errorf("join: a %T is no list", of)
	}
	var parts []string
	for i := range min(r.Len(), MaxList) {
		if r.Index(i).Kind() != reflect.String {
			return "", fmt.Errorf("join: a %T is no list of texts", of)
		}
		parts = append(parts, r.Index(i).String())
	}
	return strings.Join(parts, str(separator)), nil
}

func first(n int, of any) (any, error) {
	r := reflect.ValueOf(of)
	if r.Kind() != reflect.Slice {
		return nil, fmt.Errorf("first: a %T is no list", of)
	}
	return r.Slice(0, min(max(n, 0), r.Len())).Interface(), nil
}

// counts lists findings, the worst severity first.
func counts(of map[finding.Severity]int) []Count {
	var out []Count
	for s, n := range of {
		if n > 0 {
			out = append(out, Count{s, n})
		}
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(b.Severity.Rank()-a.Severity.Rank(), cmp.Compare(a.Severity, b.Severity))
	})
	return out
}

func total(of map[finding.Severity]int) int {
	sum := 0
	for _, n := range of {
		sum += n
	}
	return sum
}

// imageName is the last element of an image's repository, with its tag.
func imageName(s string) string {
	s, _, _ = strings.Cut(s, "@")
	return s[strings.LastIndexByte(s, '/')+1:]
}

// shortDigest is the first 12 digits of a digest.
func shortDigest(s string) string {
	_, hex, found := strings.Cut(s, ":")
	if !found {
		hex = s
	}
	return cutAt(hex, 12)
}

// host is the host of a URL, "" where there is none: the text of a link.
func host(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
