package template

import (
	"fmt"
	"strings"
	"testing"
	"text/template/parse"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/notify"
)

// genValue draws texts of pieces that matter somewhere, and of anything.
func genValue() *rapid.Generator[string] {
	pieces := []string{
		"<", ">", "&", "!", "channel", "@", "here", "#", "general", "*", "_", "~", "`", "```", ":", "smile", "|", "[", "]", "(", ")", "{", "}", "\\", "\"", "'",
		"https://evil.example", "www.", "evil.example", "mailto:", "a@b.example", "javascript:", "//", " ", "  ", "\n", "\r\n", "\t", "\u2028", "\u202e", "\u200b", "\u200d",
		"\x1b[31m", "\x02", "\x03", "\xff", "x", "my_pkg", "1.", "-", "+", "=", "$", "{{.ID}}", "<script>", "&lt;", "é", "🙂", "a", "1", ":30:",
	}
	return rapid.OneOf(rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces"), "")
	}), rapid.String())
}

// genText draws templates that are all right, of literal text without markup of its own.
func genText() *rapid.Generator[string] {
	exprs := []string{
		".Title", "upper .Title", ".RuleName | lower", "trunc 7 .Title", "default \"none\" .RuleName", "or .RuleName .Title", "join \"; \" .Why", "title .Title", "\"lit*eral\"", "`<b>`",
		".At", ".Total", "len .Title", "trim .Title", "imageName .Title", "host .Link", "label .Severity", "known .Title", "eq .Title .RuleName", "and .Title .RuleName", "$.Title", "(upper (lower .Title))",
	}
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for range rapid.IntRange(1, 6).Draw(t, "n") {
			e := rapid.SampledFrom(exprs).Draw(t, "expr")
			switch rapid.IntRange(0, 7).Draw(t, "form") {
			case 0:
				fmt.Fprintf(&b, "{{if %s}}{{%s}}{{else}}{{.Title}}{{end}}", e, e)
			case 1:
				fmt.Fprintf(&b, "{{with $x := %s}}{{$x}} {{.}}{{end}}", e)
			case 2:
				fmt.Fprintf(&b, "{{range .Why}}{{.}}{{$.Title}}{{end}}")
			case 3:
				fmt.Fprintf(&b, "{{range $n := .Notices}}{{.Image}} {{$n.Summary | upper}}{{range $k, $v := .Labels}}{{$k}}{{$v}}{{end}}{{else}}{{%s}}{{end}}", e)
			case 4:
				b.WriteString(rapid.SampledFrom([]string{"words ", "\n", " a.b ", "1", ". "}).Draw(t, "literal"))
			case 5:
				fmt.Fprintf(&b, "{{block \"b%d\" .}}{{%s}}{{end}}", b.Len(), e)
			default:
				fmt.Fprintf(&b, "{{%s}}", e)
			}
		}
		return b.String()
	})
}

func genMessage() *rapid.Generator[*notify.Message] {
	return rapid.Custom(func(t *rapid.T) *notify.Message {
		v := genValue()
		m := &notify.Message{
			Title: v.Draw(t, "title"), RuleName: v.Draw(t, "rule"), Why: rapid.SliceOfN(v, 0, 3).Draw(t, "why"), Link: "https://stella.example.com/x",
			Total: rapid.IntRange(-1, 5).Draw(t, "total"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "notices") {
			m.Notices = append(m.Notices, notify.Notice{
				Image: v.Draw(t, "image"), Summary: v.Draw(t, "summary"), Labels: map[string]string{v.Draw(t, "label"): v.Draw(t, "value")},
			})
		}
		return m
	})
}

// TestNothingFromData: whatever the template and the message, Slack finds no markup but
// the template's, of which these have none.
func TestNothingFromData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genText().Draw(t, "text")
		s, err := Parse([]Part{{"m", Mrkdwn, 5000, text}, {"l", Line, 300, text}, {"p", Plain, 3000, text}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := s.Render(genMessage().Draw(t, "message"))
		if err != nil {
			t.Fatal(err)
		}
		for kind, n := range slackMarkup(out["m"]) {
			if n > 0 && kind != "line" {
				t.Fatalf("%s in %q of %q", kind, out["m"], text)
			}
		}
		if strings.Contains(out["l"], "\n") || len(out["l"]) > 300 {
			t.Fatalf("no line: %q", out["l"])
		}
		for kind, n := range slackMarkup(out["p"]) {
			if n > 0 && strings.HasPrefix(kind, "hidden") {
				t.Fatalf("%s in %q", kind, out["p"])
			}
		}
	})
}

// TestEveryActionIsGuarded: after the tree is rewritten nothing writes without the last
// word of the function that cleans.
func TestEveryActionIsGuarded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genText().Draw(t, "text")
		trees := map[string]*parse.Tree{}
		tree := parse.New(mainName)
		tree.Mode = parse.SkipFuncCheck
		if _, err := tree.Parse(text, "{{", "}}", trees); err != nil {
			t.Fatal(err)
		}
		for _, tree := range trees {
			guard(tree.Root)
			// The printed form is read again, by the parser and not by what rewrote it.
			printed := tree.Root.String()
			for _, action := range strings.Split(printed, "{{")[1:] {
				inner, _, _ := strings.Cut(action, "}}")
				word, _, _ := strings.Cut(inner, " ")
				switch word {
				case "if", "range", "with", "else", "end", "template", "define", "break", "continue", "block":
					continue
				}
				if !strings.HasSuffix(inner, "| "+showName) {
					t.Fatalf("%q writes unguarded in %q", inner, printed)
				}
			}
		}
	})
}

// TestOnlyValuesAreMarked: what a program writes outside of marks is the template's own.
func TestOnlyValuesAreMarked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genText().Draw(t, "text")
		s, err := Parse([]Part{{"m", Plain, 0, text}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := &bounded{left: 1 << 20}
		m := genMessage().Draw(t, "message")
		if err := s.parts[0].standard.run.Execute(w, (&views{message: m}).view(9, MaxValue)); err != nil {
			t.Fatal(err)
		}
		for _, seg := range segments(string(w.text)) {
			if !seg.value && strings.Trim(seg.text, "words \na.b1") != "" {
				t.Fatalf("%q is no value and not of %q", seg.text, text)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, tt := range wrongTexts() {
		if len(tt.text) < 300 {
			f.Add(tt.text)
		}
	}
	for _, text := range slackTemplates() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range []Escape{Mrkdwn, Markdown, HTML} {
			s, err := Parse([]Part{{"p", e, 2000, ""}}, map[string]string{"p": text})
			if err != nil {
				if strings.Contains(err.Error(), "\x1b") || len(err.(*Error).Problems) == 0 {
					t.Fatalf("%q", err)
				}
				continue
			}
			for _, m := range []*notify.Message{hostile(), {}} {
				out, notes, err := s.Render(m)
				if err != nil || len(out["p"]) > 2000 {
					t.Fatalf("%v, %d bytes", err, len(out["p"]))
				}
				for _, n := range notes {
					if strings.Contains(n, "failed") {
						t.Fatalf("the checks let %q through: %s", text, n)
					}
				}
			}
		}
	})
}

func FuzzRender(f *testing.F) {
	for _, v := range hostileValues(f) {
		if len(v.text) < 300 {
			f.Add(v.text, v.text)
		}
	}
	s, err := Parse([]Part{{"m", Mrkdwn, 900, "{{.Title}} {{.RuleName}}{{.Title}}\n{{.RuleName}}"}, {"l", Line, 50, "{{.Title}}: {{.RuleName}}"}, {"d", Markdown, 900, "{{.Title}}[{{.RuleName}}]({{.Title}})"}, {"h", HTML, 900, "<p title='{{.Title}}'>{{.RuleName}}</p>"}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		out, _, err := s.Render(&notify.Message{Title: a, RuleName: b})
		if err != nil {
			t.Fatal(err)
		}
		for kind, n := range slackMarkup(out["m"]) {
			if n > 0 && kind != "line" {
				t.Fatalf("%s in %q", kind, out["m"])
			}
		}
		if strings.Count(out["m"], "\n") > 1 || strings.Contains(out["l"], "\n") || strings.Count(out["d"], "\n") > 0 {
			t.Fatalf("a line break in %q", out)
		}
		if strings.Count(out["h"], "<")+strings.Count(out["h"], ">") != 4 {
			t.Fatalf("markup in %q", out["h"])
		}
		if len(out["m"]) > 900 || len(out["l"]) > 50 || len(out["d"]) > 900 || len(out["h"]) > 900 {
			t.Fatal("too long")
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for _, p := range []Part{
		{"mrkdwn", Mrkdwn, 0, "*{{.Title}}*\n{{range .Notices}}• `{{.Image}}` {{.Vulnerability}} {{label .Severity}} {{.Summary}}\n{{end}}"},
		{"markdown", Markdown, 0, "**{{.Title}}**\n\n{{range .Notices}}- {{.Image}} {{.Vulnerability}} {{label .Severity}} {{.Summary}}\n{{end}}"},
		{"html", HTML, 0, "<h1>{{.Title}}</h1><ul>{{range .Notices}}<li>{{.Image}} {{.Vulnerability}} {{label .Severity}} {{.Summary}}</li>{{end}}</ul>"},
		{"cut", Mrkdwn, 3000, "*{{.Title}}*\n{{range .Notices}}• `{{.Image}}` {{.Vulnerability}} {{label .Severity}} {{.Summary}}\n{{end}}"},
	} {
		s, err := Parse([]Part{p}, nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range []*notify.Message{alert(), alertOfMany()} {
			b.Run(fmt.Sprintf("%s/%d", p.Name, len(m.Notices)), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := s.Render(m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	text := "<h1>{{.Title}}</h1><ul>{{range .Notices}}<li>{{.Image}} {{.Vulnerability}} {{label .Severity}} {{.Summary}}</li>{{end}}</ul>"
	for _, own := range []map[string]string{nil, {"html": text}} {
		b.Run(fmt.Sprintf("own=%d", len(own)), func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse([]Part{{"html", HTML, 0, text}}, own); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
