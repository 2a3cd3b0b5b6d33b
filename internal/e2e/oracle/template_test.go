package oracle

import (
	"bufio"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/template"
)

// hostileValues reads the corpus of notify/template.
func hostileValues(t *testing.T) []string {
	t.Helper()
	f, err := os.Open("../../../notify/template/testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		_, rest, _ := strings.Cut(lines.Text(), " ")
		number, quoted, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		value, err2 := strconv.Unquote(quoted)
		if err != nil || err2 != nil {
			t.Fatal(lines.Text(), err, err2)
		}
		out = append(out, strings.Repeat(value, n))
	}
	if len(out) < 120 {
		t.Fatalf("%d values", len(out))
	}
	return out
}

// renderer renders a value by a template in all the fields that it shows.
func renderer(t *testing.T, e template.Escape, source string) func(string) string {
	t.Helper()
	s, err := template.Parse([]template.Part{{Name: "t", Escape: e, Max: 20_000, Text: source}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(v string) string {
		m := &notify.Message{Title: v, RuleName: v, Why: []string{v, v}, Total: 1, Link: "https://stella.example.com/x"}
		out, _, err := s.Render(m)
		if err != nil || len(out["t"]) > 20_000 {
			t.Fatalf("%d bytes, %v", len(out["t"]), err)
		}
		return out["t"]
	}
}

// cards counts what a Markdown parser finds, and collects the addresses.
func cards(md goldmark.Markdown, source string) (map[string]int, []string) {
	kinds := map[string]int{}
	var addresses []string
	_ = ast.Walk(md.Parser().Parse(text.NewReader([]byte(source))), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			if n.SoftLineBreak() || n.HardLineBreak() {
				kinds["break"]++
			}
			return ast.WalkContinue, nil
		case *ast.Link:
			addresses = append(addresses, string(n.Destination))
		case *ast.Image:
			addresses = append(addresses, string(n.Destination))
		case *ast.AutoLink:
			addresses = append(addresses, string(n.URL([]byte(source))))
		}
		kinds[n.Kind().String()]++
		return ast.WalkContinue, nil
	})
	return kinds, addresses
}

// TestMarkdownInjection: goldmark, with all that GitHub adds, finds no more in a message
// than in one with harmless values, and no address that is not of the web.
func TestMarkdownInjection(t *testing.T) {
	md := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList))
	values := hostileValues(t)
	cases := 0
	for _, source := range []string{
		"{{.Title}}", "a {{.Title}} b", "**{{.Title}}**", "*{{.Title}}*", "_{{.Title}}_ c", "~~{{.Title}}~~", "`{{.Title}}`", "```\n{{.Title}}\n```\nx", "- {{.Title}}\n- b", "1. {{.Title}}", "> {{.Title}}", "# {{.Title}}",
		"a\n{{.Title}}\nb", "a\n\n{{.Title}}\n\nb", "{{.Title}}{{.RuleName}}", "{{.Title}} {{.RuleName}}", "[{{.Title}}]({{.Link}})", "[x]({{.Title}})", "[x]({{.Title}} \"{{.RuleName}}\")", "[x](<{{.Title}}>)", "[x](https://h.example/{{.Title}})",
		"<https://h.example/{{.Title}}>", "[x]: {{.Title}}\n\n[x] y", "[HIGH]: {{.Title}}", "[{{.Title}}] y", "![{{.Title}}](https://h.example/i.png)", "| a | b |\n|---|---|\n| {{.Title}} | c |\n", "{{.Title}}(x)", "!{{.Title}}", "{{.Title}}[x](https://h.example)",
		"<b>{{.Title}}</b>", "<div>\n{{.Title}}\n</div>", "a < {{.Title}}", "&{{.Title}};", "\\{{.Title}}", "x{{.Title}}y", "{{range .Why}}- {{.}}\n{{end}}", "{{upper .Title}}: {{trunc 9 .Title}}", "{{.Title}}\nb | c",
	} {
		render := renderer(t, template.Markdown, source)
		harmless := map[string]int{}
		for _, v := range []string{"x", "", "x y", "https://h.example/"} {
			kinds, _ := cards(md, render(v))
			for kind, n := range kinds {
				harmless[kind] = max(harmless[kind], n)
			}
		}
		for _, v := range values {
			cases++
			got := render(v)
			kinds, addresses := cards(md, got)
			for kind, n := range kinds {
				if n > harmless[kind] {
					t.Errorf("%q of %.60q: %d of %s, not %d: %.200q", source, v, n, kind, harmless[kind], got)
				}
			}
			for _, a := range addresses {
				if u, err := url.Parse(a); err != nil || u.Scheme != "http" && u.Scheme != "https" && (u.Scheme != "" || strings.Contains(source, "](")) {
					t.Errorf("%q of %.60q: address %.100q, %v", source, v, a, err)
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

// TestMarkdownNames: what people copy reads the same when the page is shown.
func TestMarkdownNames(t *testing.T) {
	md := goldmark.New(goldmark.WithExtensions(extension.GFM))
	for _, name := range []string{
		"my_pkg", "CVE-2026-1234", "ghcr.io/acme/my_shop:1.4", "alpine@sha256:9f86d081884c7d65", "1.1.1n-0+deb11u5~bpo", "C:\\new\\*", "a & b < c", "say \"it\"", "pkg:npm/lodash@4.17.21", "5 of 10 (50 %)", "#1 fix", "libstdc++6",
	} {
		want := strings.NewReplacer("*", "\u2217").Replace(name)
		if strings.HasPrefix(want, "#") {
			want = "\uff03" + want[1:]
		}
		var b strings.Builder
		if err := md.Convert([]byte(template.Markdown.Value(name, 1000)), &b); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(html.UnescapeString(strings.NewReplacer("<p>", "", "</p>", "").Replace(b.String()))); got != want {
			t.Errorf("%q reads %q", name, got)
		}
	}
}

// page counts elements and attributes by their names, and collects addresses and text.
func page(t *testing.T, source string) (names map[string]int, addresses []string, shown string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	names = map[string]int{}
	var b strings.Builder
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			names[n.Data]++
		case html.CommentNode:
			names["comment"]++
		case html.TextNode:
			b.WriteString(n.Data)
		}
		for _, a := range n.Attr {
			names[n.Data+" "+a.Key]++
			if a.Key == "href" || a.Key == "src" {
				addresses = append(addresses, a.Val)
			}
		}
	}
	return names, addresses, b.String()
}

// TestHTMLInjection: a parser of pages finds the elements and attributes of the template
// and no others, no address that is not of the web, and the value as text.
func TestHTMLInjection(t *testing.T) {
	values := hostileValues(t)
	cases := 0
	for _, source := range []string{
		"<p>{{.Title}}</p>", "<p title=\"{{.Title}}\">x</p>", "<p title='{{.Title}}'>x</p>", "<p title={{.Title}}>x</p>", "<a href=\"{{.Title}}\">x</a>", "<a href='https://h.example/{{.Title}}'>x</a>", "<a href=\"https://h.example/?q={{.Title}}&r={{.RuleName}}\">x</a>",
		"<img src=\"{{.Title}}\" alt=\"{{.Title}}\">", "<p style=\"color: {{.Title}}\">x</p>", "<p style=\"color:#{{.Title}}\">x</p>", "<style>p { color: {{.Title}} }</style>", "<script>var x = {{.Title}};</script>", "<script>var x = '{{.Title}}';</script>", "<p onclick=\"f({{.Title}})\">x</p>",
		"<title>{{.Title}}</title>", "<textarea>{{.Title}}</textarea>", "<!-- {{.Title}} --><p>x</p>", "<p>{{.Title}}{{.RuleName}}</p>", "<ul>{{range .Why}}<li>{{.}}</li>{{end}}</ul>", "<table><tr><td>{{upper .Title}}</td></tr></table>", "{{.Title}}", "<p>{{trunc 9 .Title}}</p>",
	} {
		render := renderer(t, template.HTML, source)
		harmless, _, _ := page(t, render("x"))
		for _, v := range values {
			cases++
			got := render(v)
			names, addresses, shown := page(t, got)
			for name, n := range names {
				if n > harmless[name] {
					t.Errorf("%q of %.60q: %d of %s: %.200q", source, v, n, name, got)
				}
			}
			for _, a := range addresses {
				u, err := url.Parse(a)
				if err != nil && (strings.HasPrefix(a, "http://") || strings.HasPrefix(a, "https://")) {
					continue // a host that is none
				}
				if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" {
					t.Errorf("%q of %.60q: address %.100q", source, v, a)
				}
			}
			if source == "<p>{{.Title}}</p>" && shown != template.Plain.Value(v, 1<<20) && !strings.Contains(v, "user:pass@") {
				t.Errorf("%.60q reads %.100q", v, shown)
			}
		}
	}
	t.Logf("%d cases", cases)
}
