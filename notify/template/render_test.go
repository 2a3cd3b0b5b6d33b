package template

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
)

const listText = "{{.Title}}\n{{range .Notices}}- {{.Image}} {{.Summary}}\n{{end}}"

// listParts are one text for each place.
func listParts(max int) []Part {
	return []Part{
		{"line", Line, max, "{{.Title}}"},
		{"plain", Plain, max, listText},
		{"mrkdwn", Mrkdwn, max, "*{{.Title}}*\n{{range .Notices}}• {{.Image}} <{{$.Link}}|{{.Vulnerability}}>\n{{end}}{{if .More}}{{.More}} more{{end}}"},
		{"markdown", Markdown, max, "**{{.Title}}**\n\n{{range .Notices}}- [{{.Vulnerability}}]({{$.Link}}) {{.Image}}\n{{end}}{{if .More}}{{.More}} more{{end}}"},
		{"html", HTML, max, `<h1>{{.Title}}</h1><ul>{{range .Notices}}<li><a href="{{$.Link}}" title="{{.Summary}}">{{.Image}}</a></li>{{end}}</ul>`},
	}
}

// TestBounds: whatever a message holds and however little room there is, the text is
// within its bound, whole, and marked.
func TestBounds(t *testing.T) {
	big := alertOfMany()
	big.Title = strings.Repeat("<&é\u202e🙂", 1<<17)
	big.Notices[0].Summary = strings.Repeat("*", 1<<20)
	big.Why = make([]string, 10_000)
	for _, max := range []int{1, 2, 3, 7, 20, 100, 256, 1000, 3000, 20_000, 1 << 20} {
		s, err := Parse(listParts(max), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range append(Samples(), big, &notify.Message{}) {
			out, notes, err := s.Render(m)
			again, notes2, _ := s.Render(m)
			if err != nil || cmp.Diff(out, again)+cmp.Diff(notes, notes2) != "" {
				t.Fatalf("sample %d: %v, or not the same twice", i, err)
			}
			for name, text := range out {
				if len(text) > max || !utf8.ValidString(text) {
					t.Errorf("sample %d, %s: %d bytes of %d", i, name, len(text), max)
				}
				if strings.Count(text, "<li>") != strings.Count(text, "</li>") || strings.HasSuffix(text, "&") || strings.HasSuffix(text, "&l") || strings.HasSuffix(text, "&am") {
					t.Errorf("sample %d, %s: cut in the middle: %q", i, name, text)
				}
				if name == "mrkdwn" && strings.Count(text, "<") != strings.Count(text, ">") {
					t.Errorf("sample %d: a link is cut: %q", i, text)
				}
				if name == "markdown" && strings.Count(text, "](") != strings.Count(text, ")\n")+strings.Count(text, ") ") && max < 3000 && i < 7 {
					t.Errorf("sample %d: a link is cut: %q", i, text)
				}
			}
		}
	}
}

func TestFewerNotices(t *testing.T) {
	s, err := Parse(listParts(3000), nil)
	if err != nil {
		t.Fatal(err)
	}
	out, notes, err := s.Render(alertOfMany())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"plain": "\n… 9954 more", "mrkdwn": "\n9977 more", "markdown": "\n9977 more", "html": "</ul><p>… 9984 more</p>"} {
		if !strings.HasSuffix(out[name], want) {
			t.Errorf("%s ends in %q", name, out[name][len(out[name])-60:])
		}
		if len(out[name]) < 2600 {
			t.Errorf("%s has %d bytes of 3000", name, len(out[name]))
		}
	}
	want := []string{"plain: lists 46 of 10000 notices", "mrkdwn: lists 23 of 10000 notices", "markdown: lists 23 of 10000 notices", "html: lists 16 of 10000 notices"}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
	// One long value does not push the others out.
	m := digest()
	m.Notices[0].Image = strings.Repeat("i", 10_000)
	out, notes, _ = s.Render(m)
	for _, name := range []string{"plain", "mrkdwn", "html"} {
		if !strings.Contains(out[name], "my_shop-2") {
			t.Errorf("%s: %q %q", name, out[name], notes)
		}
	}
}

func TestHardCut(t *testing.T) {
	s, err := Parse([]Part{{"a", Line, 20, ""}, {"b", Mrkdwn, 30, "{{.Title}} <{{.Link}}|{{.Title}}> and on"}, {"c", HTML, 40, "<p>{{.Title}}</p><p>{{.Title}}</p>"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, notes, err := s.Render(&notify.Message{Title: "& éèêëéèêëéèê", Link: "https://stella.example.com/"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "& éèêëéèê…", "b": "&amp; éèêëéèêëéè…", "c": "<p>&amp; éèêëéèêëéèê</p>"}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a: cut to 20 bytes", "b: cut to 30 bytes", "c: longer than 40 bytes, this is the title alone"}, notes); diff != "" {
		t.Error(diff)
	}
}

// TestFailure: a template that fails where nothing should loses no delivery.
func TestFailure(t *testing.T) {
	s, err := Parse([]Part{{"a", Mrkdwn, 100, "the default: {{.Title}}"}}, map[string]string{"a": "own: {{.Title}}"})
	if err != nil {
		t.Fatal(err)
	}
	part := &s.parts[0]
	broken := &program{run: brokenProgram{}}
	part.own = broken
	out, notes, err := s.Render(&notify.Message{Title: "*t*"})
	if err != nil || out["a"] != "the default: ∗t∗" || len(notes) != 1 || notes[0] != "a: the template failed, this is the default: it broke" {
		t.Error(out, notes, err)
	}
	part.standard = broken
	out, notes, err = s.Render(&notify.Message{Title: "*t*"})
	if err != nil || out["a"] != "∗t∗" || len(notes) != 1 || notes[0] != "a: the template failed, this is the title alone: it broke" {
		t.Error(out, notes, err)
	}
	if _, _, err := s.Render(nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

type brokenProgram struct{}

func (brokenProgram) Execute(io.Writer, any) error {
	return errors.New("it broke")
}

// TestUnchanged: rendering does not touch the message.
func TestUnchanged(t *testing.T) {
	s, err := Parse(listParts(500), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range Samples() {
		if _, _, err := s.Render(m); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Samples()[i], m); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFunctions(t *testing.T) {
	m := &notify.Message{
		Title: "a b", Total: 3, Why: []string{"x", "y", "z"}, At: sampleTime(), Link: "https://u.example:8443/p?q",
		Notices: []notify.Notice{
			{Image: "ghcr.io/acme/shop:1@sha256:ab", Digest: "sha256:0123456789abcdef", Severity: finding.High, Labels: map[string]string{"b.c/d": "2", "a": "1"}, Findings: map[finding.Severity]int{"low": 1, "critical": 2, "": 3, "none": 0}},
			{Exploited: notify.Yes},
		},
	}
	for text, want := range map[string]string{
		`{{upper .Title}} {{title .Title}} {{lower "É"}} {{title "éa"}} {{trim " x "}}|`:                "A B A b é Éa x|",
		`{{trunc 2 .Title}}{{trunc 3 .Title}}{{trunc 0 .Title}}{{trunc 1 "éa"}}`:                        "a…a b…",
		`{{default "n" .RuleName}} {{default "n" .Title}} {{or .RuleName .Rule "r"}}`:                   "n a b r",
		`{{join ", " .Why}} {{join "+" (first 2 .Why)}} {{len (first 9 .Why)}} {{first -1 .Why | len}}`: "x, y, z x+y 3 0",
		`{{plural .Total "one" "many"}} {{plural 1 "one" "many"}} {{.More}}`:                            "many one 1",
		`{{date .At}} {{day .At}} {{stamp .At}} {{.At}} {{date .Since}}|`:                               "2026-03-02 09:30 UTC 2026-03-02 2026-03-02T09:30:00Z 2026-03-02T09:30:00Z |",
		`{{host .Link}}{{host "x"}}`: "u.example",
		`{{range .Notices}}{{label .Severity}} {{emoji .Severity}} {{icon .Severity}} {{colour .Severity}};{{end}}`:                                "High 🟠 △ bc4c00;Unknown ⚪ ○ 6e7781;",
		`{{range first 1 .Notices}}{{imageName .Image}} {{shortDigest .Digest}} {{shortDigest "x"}}{{end}}`:                                        "shop:1 0123456789ab x",
		`{{range first 1 .Notices}}{{range $k, $v := .Labels}}{{$k}}={{$v}} {{end}}{{.Labels.a}} {{get "b.c/d" .Labels}} {{.Labels.none}}|{{end}}`: "a=1 b.c/d=2 1 2 |",
		`{{range first 1 .Notices}}{{range counts .Findings}}{{.Count}} {{known .Severity}}, {{end}}{{total .Findings}}{{end}}`:                    "2 critical, 1 low, 3 unknown, 6",
		`{{range .Notices}}{{if atLeast .Severity "high"}}!{{else}}-{{end}}{{known .Exploited}} {{end}}`:                                           "!unknown -yes ",
		`{{hasPrefix "a" .Title}} {{contains "z" .Title}} {{eq .Total 3}} {{and .Title .Link | not}} {{gt .Total 1}}`:                              "true false true false true",
		`{{define "n"}}<{{.Image}}>{{end}}{{range first 1 .Notices}}{{template "n" .}}{{end}}{{block "b" .Title}}{{.}}{{end}}`:                     "<ghcr.io/acme/shop:1@sha256:ab>a b",
		`{{range $i, $w := .Why}}{{if $i}}{{break}}{{end}}{{$w}}{{else}}none{{end}}{{with .RuleName}}x{{else with .Title}}{{.}}{{end}}`:            "xa b",
		`{{$n := 0}}{{range .Why}}{{$n = len .}}{{end}}{{$n}}{{/* c */ -}} x`:                                                                      "1x",
	} {
		s, err := Parse([]Part{{"a", Plain, 0, text}}, nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		out, notes, err := s.Render(m)
		if out["a"] != want || len(notes) > 0 || err != nil {
			t.Errorf("%s: %q, want %q; %q %v", text, out["a"], want, notes, err)
		}
	}
}

// TestSecrets: what looks like a secret in a message is masked, but its links work.
func TestSecrets(t *testing.T) {
	s, err := Parse([]Part{{"a", Plain, 0, "{{.Title}} {{.AckLink}}"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefgh"
	out, notes, _ := s.Render(&notify.Message{Title: "xoxb-1234567890-abcdef, " + token, AckLink: "https://s/ack/" + token})
	if want := "[secret], [secret] https://s/ack/" + token; out["a"] != want || fmt.Sprint(notes) != "[1 values looked like secrets and are masked]" {
		t.Error(out, notes)
	}
}

// TestPackageComment: it names all that a template may use.
func TestPackageComment(t *testing.T) {
	source, err := os.ReadFile("template.go")
	if err != nil {
		t.Fatal(err)
	}
	comment, _, _ := strings.Cut(string(source), "\npackage ")
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(comment, func(r rune) bool { return !unicode.IsLetter(r) }) {
		words[w] = true
	}
	want := slices.Collect(maps.Keys(functions()))
	for _, typ := range []reflect.Type{reflect.TypeFor[*notify.Message](), reflect.TypeFor[*notify.Notice](), reflect.TypeFor[Count]()} {
		want = append(want, names(typ)...)
	}
	for _, name := range want {
		if !words[name] {
			t.Errorf("%s is not in the comment", name)
		}
	}
}
