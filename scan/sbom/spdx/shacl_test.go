package spdx

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
)

// model3 is the published model of SPDX 3.0.1: its JSON-LD context and the shapes
// of its classes, read from the Turtle file as far as this test needs.
type model3 struct {
	terms   map[string]string            // IRI by term of the context
	vocab   map[string]string            // prefix of a term's values
	parents map[string][]string          // superclasses by class
	shapes  map[string]map[string]shape3 // properties by class
	all     map[string]map[string]shape3 // the same with those of superclasses
}

type shape3 struct {
	min, max int // max 0 means any number
	in       []string
	pattern  *regexp.Regexp
}

func loadModel3(t testing.TB) *model3 {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.model == nil {
		shared.model = readModel3(t)
	}
	return shared.model
}

func readModel3(t testing.TB) *model3 {
	t.Helper()
	files := testdata.Open(t, "conformance/spdx3-model.tar.gz")
	m := &model3{terms: map[string]string{}, vocab: map[string]string{}, parents: map[string][]string{}, shapes: map[string]map[string]shape3{}}
	var doc struct {
		Context map[string]any `json:"@context"`
	}
	if err := json.Unmarshal(files["rdf/spdx-context.jsonld"], &doc); err != nil {
		t.Fatal(err)
	}
	for term, v := range doc.Context {
		switch v := v.(type) {
		case string:
			m.terms[term] = v
		case map[string]any:
			m.terms[term], _ = v["@id"].(string)
			if c, ok := v["@context"].(map[string]any); ok {
				m.vocab[term], _ = c["@vocab"].(string)
			}
		}
	}
	m.turtle(string(files["rdf/spdx-model.ttl"]))
	if len(m.shapes) < 30 {
		t.Fatalf("only %d shapes", len(m.shapes))
	}
	all := map[string]map[string]shape3{}
	for class := range m.shapes {
		all[class] = m.properties(class)
	}
	m.all = all
	return m
}

var (
	prefixLine = regexp.MustCompile(`(?m)^@prefix (\S+): <([^>]*)> \.`)
	subclass   = regexp.MustCompile(`rdfs:subClassOf (\S+)`)
	propertyOf = regexp.MustCompile(`(?s)\[ (.*?) \]`)
	pathOf     = regexp.MustCompile(`sh:path (\S+?)\s*;?\s*(?:\n|$)`)
	countOf    = regexp.MustCompile(`sh:(min|max)Count (\d+)`)
	inOf       = regexp.MustCompile(`sh:in \(([^)]*)\)`)
	patternOf  = regexp.MustCompile(`sh:pattern "((?:[^"\\]|\\.)*)"`)
)

func (m *model3) turtle(text string) {
	prefixes := map[string]string{}
	for _, p := range prefixLine.FindAllStringSubmatch(text, -1) {
		prefixes[p[1]] = p[2]
	}
	iri := func(s string) string {
		if s, ok := strings.CutPrefix(s, "<"); ok {
			return strings.TrimSuffix(s, ">")
		}
		prefix, name, _ := strings.Cut(s, ":")
		return prefixes[prefix] + name
	}
	for block := range strings.SplitSeq(text, "\n\n") {
		head, _, _ := strings.Cut(block, " ")
		if !strings.Contains(block, "a owl:Class") {
			continue
		}
		class := iri(strings.TrimSpace(head))
		m.shapes[class] = map[string]shape3{}
		for _, s := range subclass.FindAllStringSubmatch(block, -1) {
			m.parents[class] = append(m.parents[class], iri(s[1]))
		}
		for _, p := range propertyOf.FindAllStringSubmatch(block, -1) {
			path := pathOf.FindStringSubmatch(p[1] + "\n")
			if path == nil {
				continue
			}
			var s shape3
			for _, c := range countOf.FindAllStringSubmatch(p[1], -1) {
				if c[1] == "min" {
					fmt.Sscan(c[2], &s.min)
				} else {
					fmt.Sscan(c[2], &s.max)
				}
			}
			if in := inOf.FindStringSubmatch(p[1]); in != nil {
				for _, v := range strings.Fields(in[1]) {
					s.in = append(s.in, iri(v))
				}
			}
			if pat := patternOf.FindStringSubmatch(p[1]); pat != nil {
				s.pattern = regexp.MustCompile(strings.ReplaceAll(pat[1], `\\`, `\`))
			}
			m.shapes[class][iri(path[1])] = s
		}
	}
}

// properties returns the shapes of a class and its superclasses.
func (m *model3) properties(class string) map[string]shape3 {
	all := map[string]shape3{}
	for p, s := range m.shapes[class] {
		all[p] = s
	}
	for _, parent := range m.parents[class] {
		for p, s := range m.properties(parent) {
			if _, own := all[p]; !own {
				all[p] = s
			}
		}
	}
	return all
}

// check returns what is wrong with one object of the graph.
func (m *model3) check(o map[string]any) []string {
	var problems []string
	name, _ := o["type"].(string)
	class := m.terms[name]
	if m.shapes[class] == nil {
		return []string{fmt.Sprintf("unknown class %q", name)}
	}
	shapes := m.all[class]
	seen := map[string]int{}
	for key, v := range o {
		if key == "type" || key == "spdxId" || key == "@id" {
			continue
		}
		path := m.terms[key]
		s, ok := shapes[path]
		if path == "" || !ok {
			problems = append(problems, fmt.Sprintf("%s has no property %q", name, key))
			continue
		}
		values, isList := v.([]any)
		if !isList {
			values = []any{v}
		}
		if isList == (s.max == 1) {
			problems = append(problems, fmt.Sprintf("%s.%s: list is %v, at most %d", name, key, isList, s.max))
		}
		seen[path] = len(values)
		for _, v := range values {
			problems = append(problems, m.value(name+"."+key, key, v, s)...)
		}
	}
	for path, s := range shapes {
		if n := seen[path]; n < s.min || s.max > 0 && n > s.max {
			problems = append(problems, fmt.Sprintf("%s: %d of %s, want %d to %d", name, n, path, s.min, s.max))
		}
	}
	return problems
}

func (m *model3) value(where, key string, v any, s shape3) []string {
	switch v := v.(type) {
	case map[string]any:
		return m.check(v)
	case string:
		if s.in != nil && !slices.Contains(s.in, m.vocab[key]+v) {
			return []string{fmt.Sprintf("%s: %q is not allowed", where, v)}
		}
		if s.pattern != nil && !s.pattern.MatchString(v) {
			return []string{fmt.Sprintf("%s: %q does not match %s", where, v, s.pattern)}
		}
		if v == "" {
			return []string{where + " is empty"}
		}
	}
	return nil
}

// checkGraph checks a whole document: every object, unique identifiers, and that
// every reference leads to an element, an import or an individual.
func (m *model3) checkGraph(doc []byte) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var g struct {
		Context string           `json:"@context"`
		Graph   []map[string]any `json:"@graph"`
	}
	if err := json.Unmarshal(doc, &g); err != nil {
		return []string{err.Error()}
	}
	if g.Context != "https://spdx.org/rdf/3.0.1/spdx-context.jsonld" {
		wrong("context %q", g.Context)
	}
	known := map[string]bool{"NoneElement": true, "NoAssertionElement": true, "expandedlicensing_NoneLicense": true, "expandedlicensing_NoAssertionLicense": true}
	documents := 0
	for _, o := range g.Graph {
		for _, key := range []string{"spdxId", "@id"} {
			if id, ok := o[key].(string); ok {
				if known[id] {
					wrong("identifier %q occurs twice", id)
				}
				known[id] = true
			}
		}
		if o["type"] == "SpdxDocument" {
			documents++
			imports, _ := o["import"].([]any)
			for _, i := range imports {
				known[i.(map[string]any)["externalSpdxId"].(string)] = true
			}
		}
	}
	if documents != 1 {
		wrong("%d documents", documents)
	}
	for _, o := range g.Graph {
		for _, p := range m.check(o) {
			wrong("%v: %s", o["spdxId"], p)
		}
		for _, key := range []string{"creationInfo", "createdBy", "createdUsing", "from", "to", "subject", "element", "rootElement", "dataLicense", "suppliedBy", "originatedBy"} {
			refs, isList := o[key].([]any)
			if s, ok := o[key].(string); ok && !isList {
				refs = []any{s}
			}
			for _, r := range refs {
				if !known[r.(string)] {
					wrong("%v: %s refers to unknown %v", o["spdxId"], key, r)
				}
			}
		}
	}
	return problems
}
