package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type element struct {
	ID    string   `json:"id"`
	Count int      `json:"count"`
	Score float64  `json:"score,omitempty"`
	Also  []string `json:"also,omitempty"`
}

type page struct {
	Next  string    `json:"next,omitempty"`
	Items []element `json:"items"`
}

func sample() page {
	return page{"more", []element{{"CVE-2026-0001", 3, 9.8, []string{"GHSA-1", "GHSA-2"}}, {"a<b>&\x1b[31m", 12345678901, 0, nil}}}
}

// said is what an answer says by one flag.
func said(spec string, a *Answer) (string, error) {
	out, err := Parse([]string{spec}, Table, OneOf(Table, "own"))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = out.Write(&b, func(string, []byte) error { return errors.New("there is no file") }, a)
	return b.String(), err
}

func answer() *Answer {
	return &Answer{
		Value: sample(), List: "items",
		Table: func(w io.Writer) error { _, err := io.WriteString(w, "a table\n"); return err },
		Other: func(w io.Writer, format string) error { _, err := fmt.Fprintln(w, "in format", format); return err },
	}
}

func TestFormats(t *testing.T) {
	for spec, want := range map[string]string{
		"table": "a table\n",
		"own":   "in format own\n",
		"json": "{\n  \"next\": \"more\",\n  \"items\": [\n    {\n      \"id\": \"CVE-2026-0001\",\n      \"count\": 3,\n      \"score\": 9.8,\n      \"also\": [\n        \"GHSA-1\",\n        \"GHSA-2\"\n      ]\n    },\n" +
			"    {\n      \"id\": \"a<b>&\\u001b[31m\",\n      \"count\": 12345678901\n    }\n  ]\n}\n",
		"ndjson": `{"id":"CVE-2026-0001","count":3,"score":9.8,"also":["GHSA-1","GHSA-2"]}` + "\n" + `{"id":"a<b>&\u001b[31m","count":12345678901}` + "\n",
		"template={{range .items}}{{.id}} {{.count}}\n{{end}}":                                        "CVE-2026-0001 3\na<b>&\ufffd[31m 12345678901\n",
		`template={{with index .items 0}}{{upper (join .also "+")}} {{json .also}}{{end}}`:            "GHSA-1+GHSA-2 [\"GHSA-1\",\"GHSA-2\"]\n",
		`template={{range .items}}{{if index . "also"}}{{lower .id}}{{else}}none{{end}},{{end}}`:      "cve-2026-0001,none,\n",
		`template={{range .items}}{{if and (gt .count 5) (lt .count 12345678902)}}many{{end}}{{end}}`: "many\n",
		`template={{with index .items 0}}{{if gt .score 7.0}}{{printf "%.2f" .score}}{{end}}{{end}}`:  "9.80\n",
		`template={{join (index (index .items 1) "also") ","}}`:                                       "",
		`template={{json .items}}`: `[{"also":["GHSA-1","GHSA-2"],"count":3,"id":"CVE-2026-0001","score":9.8},{"count":12345678901,"id":"a<b>&` + "\ufffd" + `[31m"}]` + "\n",
	} {
		got, err := said(spec, answer())
		if err != nil || got != want {
			t.Errorf("%s: %q, %v\nwant %q", spec, got, err, want)
		}
	}
}

// TestLists: a list of its own, one object, a list that is null or missing.
func TestLists(t *testing.T) {
	for _, c := range []struct {
		a    *Answer
		want string
	}{
		{&Answer{Value: []element{{ID: "x"}}}, "{\"id\":\"x\",\"count\":0}\n"},
		{&Answer{Value: []element{}}, ""},
		{&Answer{Value: []element(nil)}, ""},
		{&Answer{Value: element{ID: "x"}}, "{\"id\":\"x\",\"count\":0}\n"},
		{&Answer{Value: page{}, List: "items"}, ""},
		{&Answer{Value: page{}, List: "others"}, ""},
		{&Answer{Encode: func(w io.Writer) error { _, err := io.WriteString(w, `{"items": [1, {"a" : [ ]}]}`); return err }, List: "items"}, "1\n{\"a\":[]}\n"},
		{&Answer{Lines: func(w io.Writer) error { _, err := io.WriteString(w, "as it likes\n"); return err }}, "as it likes\n"},
	} {
		if got, err := said(NDJSON, c.a); err != nil || got != c.want {
			t.Errorf("%+v: %q, %v, want %q", c.a, got, err, c.want)
		}
	}
	if got, err := said(Table, &Answer{Value: element{ID: "x"}}); err != nil || !strings.HasPrefix(got, "{\n  \"id\": \"x\"") {
		t.Errorf("without a table: %q, %v, want JSON", got, err)
	}
}

// TestTemplateFails: an error names the template and the place, and nothing is written.
func TestTemplateFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cves.tmpl")
	if err := os.WriteFile(file, []byte("first {{.next}}\n{{.nxet}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]string{
		"template=@" + file:              "cves.tmpl:2:2: executing",
		"template={{.items.id}}":         "-o template:1:8: executing",
		"template=a{{join .next \",\"}}": "want a list, got string",
		"template={{upper .items}}":      "-o template:1:",
		"template={{.next":               "-o template:1: unclosed action",
		"template={{nothing}}":           `-o template:1: function "nothing" not defined`,
		"template=@" + file + ".none":    "no such file",
		"template":                       "which one?",
		"template=":                      "which one?",
		`template={{define "a"}}{{template "a"}}{{end}}{{template "a"}}`: "exceeded maximum template depth",
	} {
		got, err := said(spec, answer())
		if err == nil || !strings.Contains(err.Error(), want) || got != "" {
			t.Errorf("%s: %q, %v\nwant %q", spec, got, err, want)
		}
	}
}

func TestParse(t *testing.T) {
	known := OneOf(Table, "own")
	out, err := Parse(nil, "own", known)
	if err != nil || len(out) != 1 || out[0].Format != "own" || out[0].File != "" {
		t.Errorf("without a flag: %+v, %v", out, err)
	}
	out, err = Parse([]string{"json=a=b.json", "own=x", "ndjson=l", "template={{.}}"}, Table, known)
	if err != nil || len(out) != 4 || out[0].File != "a=b.json" || out[3].File != "" {
		t.Errorf("%+v, %v", out, err)
	}
	if !out.Has(Table, "own") || out.Has(Table) || len(out.Programs()) != 2 {
		t.Errorf("%+v", out)
	}
	for _, c := range []struct {
		specs []string
		want  string
	}{
		{[]string{"yaml"}, `output format "yaml": want own, table, json, ndjson, template`},
		{[]string{"out.json"}, "(a file is -o table=out.json)"},
		{[]string{"json", "table"}, "2 formats for standard output: give all but one a file, as in -o json=FILE"},
		{[]string{"template={{.}}", "ndjson"}, "as in -o ndjson=FILE"},
	} {
		if _, err := Parse(c.specs, Table, known); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.specs, err, c.want)
		}
	}
}

// TestFiles: each file is put whole; one that fails is not put at all.
func TestFiles(t *testing.T) {
	out, err := Parse([]string{"json=a", "ndjson=b", "own=c", "table"}, Table, OneOf(Table, "own"))
	if err != nil {
		t.Fatal(err)
	}
	put := map[string]string{}
	keep := func(name string, content []byte) error { put[name] = string(content); return nil }
	var b bytes.Buffer
	if err := out.Write(&b, keep, answer()); err != nil || len(put) != 3 || !strings.HasPrefix(put["b"], `{"id":"CVE`) || put["c"] != "in format own\n" || b.String() != "a table\n" {
		t.Errorf("%q, %q, %v", put, b.String(), err)
	}
	broken := answer()
	broken.Other = func(w io.Writer, _ string) error { io.WriteString(w, "half"); return io.ErrUnexpectedEOF }
	put = map[string]string{}
	if err := out.Write(&b, keep, broken); !errors.Is(err, io.ErrUnexpectedEOF) || put["c"] != "" {
		t.Errorf("%q, %v", put, err)
	}
}

// FuzzTemplate: no template makes the program panic, and one that fails writes nothing.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{{.next}}", "{{range .items}}{{.id}}{{end}}", "{{join .a 1}}", "{{json .}}", "{{index .items 9}}", "{{", "{{upper nil}}", "@", "{{slice .next 3 1}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "@") || strings.Contains(text, "printf") { // a file, and a width of a thousand million
			t.Skip()
		}
		got, err := said("template="+text, answer())
		if err != nil && got != "" {
			t.Errorf("%q: it failed with %v, and wrote %q", text, err, got)
		}
	})
}
