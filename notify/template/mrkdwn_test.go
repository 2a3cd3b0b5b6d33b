package template

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/notify"
)

// hostileValue is one of testdata/hostile.txt.
type hostileValue struct{ class, text string }

func hostileValues(t testing.TB) []hostileValue {
	t.Helper()
	f, err := os.Open("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []hostileValue
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		class, rest, _ := strings.Cut(lines.Text(), " ")
		number, quoted, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		text, err2 := strconv.Unquote(quoted)
		if err != nil || err2 != nil {
			t.Fatalf("%s: %v %v", lines.Text(), err, err2)
		}
		out = append(out, hostileValue{class, strings.Repeat(text, n)})
	}
	if len(out) < 120 {
		t.Fatalf("%d values", len(out))
	}
	return out
}

// slackMarkup counts what Slack would make of a text, by a reading of its own that is
// wider than Slack's: whatever might be markup is. Written from Slack's "Formatting
// message text", not from the escaper.
func slackMarkup(text string) map[string]int {
	out := map[string]int{}
	rest := angle.ReplaceAllStringFunc(text, func(s string) string {
		switch s[1] {
		case '!', '@', '#':
			out["mention "+s]++
		default:
			address, label, _ := strings.Cut(s[1:len(s)-1], "|")
			out["link "+strings.ToLower(scheme1.FindString(address))]++
			return " " + label + " "
		}
		return " "
	})
	for _, line := range strings.Split(rest, "\n") {
		out["line"]++
		if quoted.MatchString(line) {
			out["quote"]++
		}
		out["link"] += len(autolink.FindAllString(line, -1))
		out["name"] += len(named.FindAllString(line, -1))
		for at := 0; ; {
			m := emojiName.FindStringIndex(line[at:])
			if m == nil {
				break
			}
			if !clockTime.MatchString(line[max(at+m[0]-1, 0):]) || at+m[0] == 0 {
				out["emoji"]++
			}
			at += m[1] - 1
		}
		out["code"] += strings.Count(line, "`")
		for _, c := range []byte("*_~") {
			out["run "+string(c)] += runs(line, c)
		}
	}
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029) {
			out[fmt.Sprintf("hidden %U", r)]++
		}
	}
	return out
}

var (
	angle     = regexp.MustCompile(`<[^<>\n]+>`)
	scheme1   = regexp.MustCompile(`^[A-Za-z]*`)
	quoted    = regexp.MustCompile(`^[\pZ\s]*(?:>|&gt;)`)
	autolink  = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://|\bwww\.|\b(?:mailto|tel|sms):|[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z][\w-]*`)
	named     = regexp.MustCompile(`(?:^|[^A-Za-z0-9])[@#][\pL\pN_]|(?:^|[^A-Za-z0-9/])[#@][-_.]?[a-z]`)
	emojiName = regexp.MustCompile(`:[\pL\pN_+'-]+:`)
	clockTime = regexp.MustCompile(`^\d:\d\d:\d`)
)

// runs counts the pairs of a mark that could format.
func runs(line string, mark byte) int {
	n := 0
	for i := 0; i < len(line); i++ {
		if line[i] != mark || i > 0 && alnum(line[i-1]) || i+1 == len(line) || line[i+1] == ' ' {
			continue
		}
		for j := i + 2; j < len(line); j++ {
			if line[j] == mark && line[j-1] != ' ' && (j+1 == len(line) || !alnum(line[j+1])) {
				n, i = n+1, j
				break
			}
		}
	}
	return n
}

// TestSlackMarkup holds the model itself against what is markup.
func TestSlackMarkup(t *testing.T) {
	for text, want := range map[string]string{
		"<!channel>": "mention <!channel>", "a <@U1|x>": "mention <@U1|x>", "<https://a|b>": "link https", "https://a": "link",
		"*b*": "run *", "x _i_.": "run _", "~s~": "run ~", "a `c` b": "code", ":x:": "emoji", "&gt; q": "quote", "@here": "name", "a #general": "name",
		"a@b.example": "link", "\u202ex": "hidden U+202E",
	} {
		if slackMarkup(text)[want] == 0 {
			t.Errorf("%q: %v lacks %s", text, slackMarkup(text), want)
		}
	}
	for _, text := range []string{"my_pkg_x", "a*b*c", "10:30:00", "x@sha256:ab", "a & b"} {
		for kind, n := range slackMarkup(text) {
			if n > 0 && kind != "line" {
				t.Errorf("%q: %s", text, kind)
			}
		}
	}
}

// slackTemplates put a value where templates put it.
func slackTemplates() []string {
	return []string{
		"{{.Title}}", "*{{.Title}}*", "_{{.Title}}_", "~{{.Title}}~", "`{{.Title}}`", "```{{.Title}}```", "*a {{.Title}} b* c", "> {{.Title}}",
		"• {{.Title}}: x", "a{{.Title}}b", "{{.Title}}{{.RuleName}}", "{{.Title}} {{.RuleName}}", ":{{.Title}}:", "a :{{.Title}} b: c", "@{{.Title}}", "#{{.Title}}",
		"<{{.Link}}|{{.Title}}>", "<{{.Title}}|x>", "<{{.Title}}>", "<https://h/{{.Title}}|x>", "<{{.Title}}{{.RuleName}}|x>", "<@{{.Title}}>", "<!{{.Title}}>", "<!subteam^{{.Title}}>",
		"x\n{{.Title}}\ny", "x < {{.Title}}", "{{.Title}} > y", "&{{.Title}};", "{{if .Title}}{{.Title}}{{end}}*", "{{with .Title}}{{.}}{{end}}", "{{upper .Title}}", "{{title .Title}}",
		"{{range .Why}}{{.}}\n{{end}}", "{{join \"\" .Why}}", "{{trunc 9 .Title}}", "{{default .Title \"\"}}", "{{/* c */}}{{.Title}}",
	}
}

// spread puts a value into the fields that the templates show.
func spread(v string) *notify.Message {
	return &notify.Message{Title: v, RuleName: v, Why: []string{v, v}, Link: "https://stella.example.com/x", Total: 1}
}

// TestMrkdwnInjection: whatever a value is, Slack finds no more in a message than it does
// for a harmless one.
func TestMrkdwnInjection(t *testing.T) {
	values := hostileValues(t)
	cases := 0
	for _, text := range slackTemplates() {
		s, err := Parse([]Part{{Name: "t", Escape: Mrkdwn, Max: 20_000, Text: text}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		render := func(v string) string {
			out, _, err := s.Render(spread(v))
			if err != nil {
				t.Fatal(err)
			}
			return out["t"]
		}
		harmless := map[string]int{}
		for _, v := range []string{"x", "", "https://stella.example.com/"} {
			for kind, n := range slackMarkup(render(v)) {
				if kind != "link" && kind != "link x" {
					harmless[kind] = max(harmless[kind], n)
				}
			}
		}
		harmless["link http"] = harmless["link https"]
		for _, v := range values {
			got := render(v.text)
			cases++
			if !utf8.ValidString(got) || len(got) > 20_000 {
				t.Errorf("%s of %.60q: %d bytes", text, v.text, len(got))
			}
			for kind, n := range slackMarkup(got) {
				if n > harmless[kind] {
					t.Errorf("%s of %s %.60q: %d of %s: %.200q", text, v.class, v.text, n, kind, got)
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

// TestNames: what people copy stays as it is.
func TestNames(t *testing.T) {
	for _, name := range []string{
		"my_pkg", "CVE-2026-1234", "GHSA-jfh8-c2jp-5v3q", "ghcr.io/acme/my_shop:1.4", "alpine@sha256:9f86d081884c7d65", "localhost:5000/a/b:v1_2",
		"pkg:npm/lodash@4.17.21", "pkg:deb/debian/openssl@1.1.1n-0+deb11u5?arch=amd64", "python3.11-minimal", "Scan of x completed: 2 high, 5 medium", "2026-03-02T09:30:00Z", "libstdc++6", "a-b_c.d/e", "RHSA-2026:1234", "C:1", "1.2-3", "-1",
	} {
		for _, e := range []Escape{Line, Plain, Mrkdwn, Markdown} {
			if got := e.Value(name, 1000); got != strings.ReplaceAll(name, "&", "&amp;") {
				t.Errorf("%s of %q is %q", e, name, got)
			}
		}
	}
	if got := Mrkdwn.Value("1.2~rc1 a*b", 100); got != "1.2~rc1 a*b" {
		t.Error(got)
	}
}
