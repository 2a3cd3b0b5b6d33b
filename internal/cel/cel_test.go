package cel

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/fault"
)

func testEnv(t testing.TB) *Env {
	t.Helper()
	e, err := New([]Var{
		{"severity", Int}, {"cvss", Int}, {"kev", Bool}, {"product", String}, {"path", Strings}, {"label", Map}, {"huge", Strings},
	}, []Const{{"LOW", 2}, {"HIGH", 4}, {"CRITICAL", 5}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var testLabels = map[string]string{"team": "payments", "tier": "1"}

func facts(name string) (any, bool) {
	switch name {
	case "severity":
		return int64(4), true
	case "cvss":
		return int64(75), true
	case "kev":
		return true, true
	case "product":
		return "openssl", true
	case "path":
		return []string{"/usr/lib/libssl.so", "/opt/a"}, true
	case "label":
		return testLabels, true
	case "huge":
		return make([]string, 2000), true
	}
	return nil, false
}

func TestEval(t *testing.T) {
	e := testEnv(t)
	for _, tt := range []struct {
		text  string
		want  bool
		reads []string
	}{
		{`severity >= HIGH`, true, []string{"severity"}},
		{`cvss > 75 || kev`, true, []string{"cvss", "kev"}},
		{`severity==HIGH&&!(kev)`, false, []string{"kev", "severity"}},
		{`product.startsWith("open") && product.matches("^open(ssl|ssh)$")`, true, []string{"product"}},
		{`path.exists(p, p.startsWith("/opt/"))`, true, []string{"path"}},
		{`path.all(p, p.startsWith("/opt/"))`, false, []string{"path"}},
		{`path.exists_one(p, p == "/opt/a")`, true, []string{"path"}},
		{`path.filter(p, p.endsWith(".so")).size() == 1`, true, []string{"path"}},
		{`path.map(p, size(p)).exists(n, n > 17)`, true, []string{"path"}},
		{`"team" in label && label.team == "payments"`, true, []string{"label"}},
		{`label["team"] == "fraud" ? false : "x" in ["x", "y"]`, true, []string{"label"}},
		{`int(label.tier) + 1 == 2 && string(cvss) == "75"`, true, []string{"cvss", "label"}},
		{`cvss / 10 * 10 + cvss % 10 - 75 == 0 && -cvss < 0`, true, []string{"cvss"}},
		{`{"a": 1, "b": 2}["b"] == 2`, true, nil},
		{`false && label.nothing == "x"`, false, []string{"label"}},
		{`label.nothing == "x" && false`, false, []string{"label"}},
		{`"日本" < "日本語"`, true, nil},
	} {
		p, err := e.Compile(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got, err := p.Eval(facts); err != nil || got != tt.want {
			t.Errorf("%s = %v, %v; want %v", tt.text, got, err, tt.want)
		}
		if diff := cmp.Diff(tt.reads, p.Reads()); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", tt.text, diff)
		}
		again, err := e.Compile(p.Text())
		if err != nil || again.Text() != p.Text() {
			t.Errorf("%s: the canonical form %s is not canonical: %v", tt.text, p.Text(), err)
		}
	}
}

func TestCanonical(t *testing.T) {
	e := testEnv(t)
	for _, tt := range []struct {
		want  []string
		texts []string
	}{
		{[]string{`severity >= HIGH`, `kev`}, []string{"severity>=HIGH&&kev", "(severity >= HIGH) && (kev)", "severity >= HIGH // a comment\n\t&& kev\n", "((severity >= HIGH && kev))"}},
		{[]string{`kev || cvss > 7 && severity == LOW`}, []string{"kev||(cvss>7&&severity==LOW)", "kev || cvss > 7 && severity == LOW"}},
		{[]string{`path.exists(p, p == "a" && p != "b")`, `kev`, `!kev`}, []string{`path.exists( p , p == 'a' && p != 'b') && (kev && !kev)`}},
	} {
		for _, text := range tt.texts {
			got, err := e.Split(text)
			if err != nil {
				t.Errorf("%q: %v", text, err)
			} else if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", text, diff)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	e := testEnv(t)
	for _, tt := range []struct{ text, want string }{
		{`severity >=`, "1:12: "},
		{"kev &&\n  sverity > 2", `2:3: "sverity" is unknown; did you mean "severity"?`},
		{`cvss >= 7.5`, "1:9: floating-point number: want an integer in the scale"},
		{`double(cvss) > 7`, "1:1: function double is not there: floating-point numbers"},
		{`cvss % 0 == 1`, "1:6: division by zero"},
		{`kev || now() > 5`, "1:8: function now"},
		{`now() > 5`, "function now is not there: the answer would depend on a clock"},
		{`timestamp("2026-01-01T00:00:00Z") < timestamp("2027-01-01T00:00:00Z")`, "function timestamp is not there"},
		{`has(label.team)`, `function has is not there: ask "key" in map instead`},
		{`product.contain("x")`, `function "contain" is not there; did you mean "contains"?`},
		{`label.exists(k, k == "team")`, "a macro goes over a list, not over a map(string, string), whose order is not defined"},
		{`{"a": 1}.all(k, k == "a")`, "a macro goes over a list"},
		{`product > 5`, "1:9: > does not go with these types: (string, int)"},
		{`cvss`, "the expression is of type int, want bool"},
		{`dyn(cvss) == 1`, "function dyn is not there"},
		{`[1, "a"].size() == 2`, "expected type 'int' but found 'string'"},
		{`b"x" == b"x"`, "a literal of type bytes"},
		{`1u == 1u`, "a literal of type uint"},
		{`type(cvss) == int`, "function type is not there"},
		{`int == int`, `"int" is a type, not a value`},
		{`product.matches("(")`, "1:17: pattern: missing closing )"},
		{`product.matches("(a{500}){500}")`, "pattern: "},
		{`product.matches("a{999}b{999}")`, "pattern: it has"},
		{`product.matches(product)`, "want the pattern as a literal text"},
		{`path.exists(kev, kev == "x")`, `variable "kev" hides what has that name`},
		{`google.protobuf.Duration{seconds: 1} == google.protobuf.Duration{seconds: 1}`, "messages are not there"},
		{``, "it is empty"},
		{strings.Repeat("(", 60) + "kev" + strings.Repeat(")", 60), "1:51: it is nested deeper than 50 levels"},
		{strings.Repeat("kev ? kev : ", 300) + "kev", ""},
		{strings.Repeat("[", 49) + "\"[\x1b[31m", ""},
	} {
		_, err := e.Compile(tt.text)
		var wrong *Error
		switch {
		case err == nil:
			t.Errorf("%.60q is taken", tt.text)
		case !errors.As(err, &wrong) || !errors.Is(err, fault.Invalid):
			t.Errorf("%.60q: %v is no *Error", tt.text, err)
		case !strings.Contains(err.Error(), tt.want):
			t.Errorf("%.60q: %v, want %q", tt.text, err, tt.want)
		case strings.ContainsAny(err.Error(), "\x1b"):
			t.Errorf("%.60q: the message could command a terminal: %q", tt.text, err)
		}
	}
	if _, err := e.Compile(strings.Repeat("kev || ", 700) + "kev"); !errors.Is(err, fault.Limit) {
		t.Errorf("a long text: %v, want a limit", err)
	}
}

func TestErrorMarksThePlace(t *testing.T) {
	_, err := testEnv(t).Compile("kev &&\n\tsverity > 2")
	want := "expression:2:2: \"sverity\" is unknown; did you mean \"severity\"?\n  |  sverity > 2\n  |  ^"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestEvalFails(t *testing.T) {
	e := testEnv(t)
	for _, tt := range []struct {
		text string
		want error
	}{
		{`cvss / (severity - 4) == 1`, fault.Invalid},
		{`cvss % (severity - 4) == 1`, fault.Invalid},
		{`cvss + 9223372036854775807 > 0`, fault.Invalid},
		{`cvss * 9223372036854775807 > 0`, fault.Invalid},
		{`label.nothing == "x"`, fault.Invalid},
		{`path[7] == "x"`, fault.Invalid},
		{`int(product) == 1`, fault.Invalid},
		{`huge.all(a, huge.all(b, a == b))`, fault.Limit},
		{`huge.exists(a, huge.map(b, b + a).size() > 2000)`, fault.Limit},
	} {
		p, err := e.Compile(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got, err := p.Eval(facts); !errors.Is(err, tt.want) || got {
			t.Errorf("%s = %v, %v; want %v", tt.text, got, err, tt.want)
		}
	}
	p, err := e.Compile("kev")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{nil, "true", 1, int64(1)} {
		if got, err := p.Eval(func(string) (any, bool) { return v, v != nil }); err == nil || got {
			t.Errorf("kev of type %T: %v, %v; want an error", v, got, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, vars := range [][]Var{{{"a", Int}, {"a", Bool}}, {{"", Int}}, {{"a-b", Int}}, {{"1a", Int}}, {{"a", 9}}, {{"C", Int}}} {
		if _, err := New(vars, []Const{{"C", 1}}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%v: %v, want an error", vars, err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`severity >= HIGH && kev`, `path.exists(p, p.matches("^/opt/.*$"))`, `label["a"] + "b" == string(cvss / 0)`, `path.map(p, p + p).filter(p, p != "").size() > 1 ? kev : !kev`, "kev // x\n && 'a' in label", `[[1]].all(x, x.exists(y, y == 1))`} {
		f.Add(s)
	}
	e := testEnv(f)
	f.Fuzz(func(t *testing.T, text string) {
		parts, _ := e.Split(text)
		p, err := e.Compile(text)
		if err != nil {
			_ = err.Error()
			return
		}
		first, err1 := p.Eval(facts)
		second, err2 := p.evalLibrary(facts)
		if first != second || fmt.Sprint(err1) != fmt.Sprint(err2) {
			t.Fatalf("%q: %v %v, then %v %v", text, first, err1, second, err2)
		}
		if len(p.Text()) > MaxText { // escapes are longer than what they stand for
			return
		}
		again, err := e.Compile(p.Text())
		if err != nil {
			t.Fatalf("%q: the canonical form %q: %v", text, p.Text(), err)
		}
		third, err3 := again.Eval(facts)
		if third != first || (err3 == nil) != (err1 == nil) || again.Text() != p.Text() {
			t.Fatalf("%q: %v %v, but its canonical form %q: %v %v", text, first, err1, p.Text(), third, err3)
		}
		if len(parts) == 0 {
			t.Fatalf("%q compiles and is not split", text)
		}
	})
}

// TestDirect: what the closures answer, the library answers, whatever the variables are
// and whichever are missing.
func TestDirect(t *testing.T) {
	e := testEnv(t)
	direct := 0
	rapid.Check(t, func(t *rapid.T) {
		atom := rapid.SampledFrom([]string{
			"kev", "true", "false", "severity >= HIGH", "cvss < 75", "cvss != 75", "severity == 4", "cvss <= CRITICAL", "cvss > -1", `product == "openssl"`, `product != ""`, `product < "p"`, `product >= "openssl"`,
			`product in ["a", "openssl"]`, `product in []`, `"/opt/a" in path`, `product.startsWith("open")`, `product.endsWith("x")`, `product.contains("ssl")`, `"team" in label`, `path.size() > 1`, `cvss / severity == 18`, `label.nothing == "x"`,
		})
		var draw func(depth int) string
		draw = func(depth int) string {
			switch rapid.IntRange(0, 3).Draw(t, "kind") * min(depth, 1) {
			case 1:
				return "!(" + draw(depth-1) + ")"
			case 2:
				return "(" + draw(depth-1) + " && " + draw(depth-1) + ")"
			case 3:
				return "(" + draw(depth-1) + " || " + draw(depth-1) + ")"
			}
			return atom.Draw(t, "atom")
		}
		text := draw(3)
		p, err := e.Compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if p.direct != nil {
			direct++
		}
		missing := rapid.SampledFrom([]string{"", "kev", "severity", "cvss", "product", "path"}).Draw(t, "missing")
		wrong := rapid.SampledFrom([]string{"", "kev", "severity", "cvss", "product", "path"}).Draw(t, "wrong")
		n := rapid.Int64Range(-2, 80).Draw(t, "n")
		lookup := func(name string) (any, bool) {
			switch {
			case name == missing:
				return nil, false
			case name == wrong:
				return 7, true
			case name == "cvss" || name == "severity":
				return n, true
			case name == "kev":
				return n%2 == 0, true
			}
			return facts(name)
		}
		got, err1 := p.Eval(lookup)
		want, err2 := p.evalLibrary(lookup)
		if got != want || fmt.Sprint(err1) != fmt.Sprint(err2) {
			t.Fatalf("%s without %q and with a wrong %q: %v %v, the library says %v %v", text, missing, wrong, got, err1, want, err2)
		}
	})
	if direct < 10 {
		t.Errorf("%d expressions were answered by closures", direct)
	}
}

func BenchmarkEval(b *testing.B) {
	e := testEnv(b)
	for _, text := range []string{`severity >= HIGH && kev`, `cvss >= 75 || product == "openssl"`, `"team" in label && label.team == "payments"`, `path.exists(p, p.startsWith("/opt/"))`, `product.matches("^open(ssl|ssh)$")`} {
		p, err := e.Compile(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(facts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
