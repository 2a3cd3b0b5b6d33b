package sarif

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stella-ops/stella/internal/testdata"
)

// The rules of the SARIF validator that apply to what is written here, by their ids.
var checks = map[string]func(doc any, bad func(string, ...any)){
	"SARIF1001": func(doc any, bad func(string, ...any)) {
		each(doc, "rules", func(r map[string]any) {
			if strings.EqualFold(text(r["id"]), text(r["name"])) {
				bad("id and name are the same: %v", r["id"])
			}
		})
	},
	"SARIF1002": func(doc any, bad func(string, ...any)) { // and GH1005 below
		uris(doc, func(name, u string) {
			if _, err := url.Parse(u); err != nil || strings.ContainsAny(u, " \\<>") {
				bad("%s is no URI: %q", name, u)
			}
		})
	},
	"SARIF1005": func(doc any, bad func(string, ...any)) {
		uris(doc, func(name, u string) {
			if p, err := url.Parse(u); name != "uri" && err == nil && !p.IsAbs() {
				bad("%s is relative: %q", name, u)
			}
		})
	},
	"SARIF1007": func(doc any, bad func(string, ...any)) {
		each(doc, "region", func(r map[string]any) {
			line, end := number(r["startLine"]), number(r["endLine"])
			if _, has := r["endLine"]; has && end < line || end == line && number(r["endColumn"]) < number(r["startColumn"]) {
				bad("region %v", r)
			}
		})
	},
	"SARIF1010": func(doc any, bad func(string, ...any)) {
		each(doc, "results", func(r map[string]any) {
			rule, _ := r["rule"].(map[string]any)
			if r["ruleId"] == nil && rule["id"] == nil || r["ruleId"] != nil && rule["id"] != nil && r["ruleId"] != rule["id"] {
				bad("result without a rule")
			}
		})
	},
	"SARIF1011": func(doc any, bad func(string, ...any)) {
		if m, _ := doc.(map[string]any); !regexp.MustCompile(`/sarif(-schema)?-2\.1\.0\.json$`).MatchString(text(m["$schema"])) {
			bad("schema %v", m["$schema"])
		}
	},
	"SARIF2001": func(doc any, bad func(string, ...any)) {
		for _, name := range []string{"message", "shortDescription", "fullDescription", "messageStrings"} {
			walk(doc, func(key string, v any) {
				if m, ok := v.(map[string]any); ok && key == name {
					if key == "messageStrings" {
						for _, x := range m {
							m = x.(map[string]any)
						}
					}
					if s := text(m["text"]); s != "" && !strings.HasSuffix(s, ".") {
						bad("no period: %q", s)
					}
				}
			})
		}
	},
	"SARIF2005": func(doc any, bad func(string, ...any)) {
		each(doc, "driver", func(d map[string]any) {
			version := text(d["version"]) + text(d["semanticVersion"])
			if version == "" || !strings.ContainsAny(version[:1], "0123456789") || d["informationUri"] == nil || len(strings.Fields(text(d["name"]))) > 3 {
				bad("tool %v", d["name"])
			}
		})
	},
	"SARIF2012": func(doc any, bad func(string, ...any)) {
		each(doc, "rules", func(r map[string]any) {
			if r["helpUri"] == nil || !regexp.MustCompile(`^([A-Z][a-z0-9]*)+$`).MatchString(text(r["name"])) {
				bad("rule %v", r["id"])
			}
		})
	},
	"GH1003": func(doc any, bad func(string, ...any)) {
		each(doc, "region", func(r map[string]any) {
			if number(r["startLine"]) < 1 || number(r["endLine"]) < 1 || number(r["startColumn"]) < 1 || number(r["endColumn"]) < 1 {
				bad("region %v", r)
			}
		})
	},
	"GH1005": func(doc any, bad func(string, ...any)) {
		uris(doc, func(name, u string) {
			if p, err := url.Parse(u); name == "uri" && (err != nil || p.IsAbs() && p.Scheme != "file" || strings.HasPrefix(u, "/")) {
				bad("location %q", u)
			}
		})
	},
}

func text(v any) string { s, _ := v.(string); return s }

func number(v any) int {
	n := 0
	_, _ = fmt.Sscan(fmt.Sprint(v), &n)
	return n
}

func walk(v any, f func(key string, v any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			f(key, x)
			walk(x, f)
		}
	case []any:
		for _, x := range v {
			walk(x, f)
		}
	}
}

// each calls f for every object of a name, or every element of a list of that name.
func each(doc any, name string, f func(map[string]any)) {
	walk(doc, func(key string, v any) {
		if key != name {
			return
		}
		if m, ok := v.(map[string]any); ok {
			f(m)
		}
		list, _ := v.([]any)
		for _, x := range list {
			if m, ok := x.(map[string]any); ok {
				f(m)
			}
		}
	})
}

func uris(doc any, f func(name, uri string)) {
	walk(doc, func(key string, v any) {
		if s, ok := v.(string); ok && (key == "uri" || strings.HasSuffix(key, "Uri")) {
			f(key, s)
		}
	})
}

// check returns why each rule that is broken is.
func check(doc any) map[string]string {
	out := map[string]string{}
	for rule, f := range checks {
		f(doc, func(format string, args ...any) { out[rule] = fmt.Sprintf(format, args...) })
	}
	return out
}

// TestRulesSeeWhatTheyShould holds the rules above against the validator's own files:
// each finds something in the files that break it, and nothing in those that keep it.
func TestRulesSeeWhatTheyShould(t *testing.T) {
	seen := 0
	for name, b := range testdata.Open(t, "conformance/sarif-validate.tar.gz") {
		rule, rest, _ := strings.Cut(path.Base(name), ".")
		if checks[rule] == nil || !strings.Contains(name, "/Inputs/") {
			continue
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		why := check(doc)[rule]
		switch {
		case strings.Contains(rest, "_Invalid") && why == "":
			t.Errorf("%s breaks %s, and nothing was seen", rest, rule)
		case strings.Contains(rest, "_Valid") && why != "":
			t.Errorf("%s keeps %s: %s", rest, rule, why)
		default:
			seen++
		}
	}
	if seen < 10 {
		t.Errorf("%d files only", seen)
	}
}
