package provider_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/testdata"
)

const root = "https://provider.example"

// published reads a file of the provider trees, which are templates.
func published(t testing.TB, name string) []byte {
	t.Helper()
	text := testdata.Open(t, "vex/csaf-provider-trees.tar.gz")["testdata/"+name]
	tmpl, err := template.New(name).Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, map[string]any{"URL": root, "EnableSha256": true, "EnableSha512": true}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func example(t testing.TB, name string) []byte {
	t.Helper()
	text := testdata.Open(t, "vex/csaf-examples.tar.gz")["csaf_2.0/examples/"+name]
	if text == nil {
		t.Fatal("no example", name)
	}
	return text
}

// TestROLIEProvider follows a provider of feeds from its metadata to a
// document.
func TestROLIEProvider(t *testing.T) {
	m, err := provider.ParseMetadata(published(t, "simple-rolie-provider/provider-metadata.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	feeds := m.Feeds()
	if len(feeds) != 1 || feeds[0].Label != "WHITE" || feeds[0].URL != root+"/white/white-feed.json" || !m.Trusted() || m.CheckCanonical(root+"/provider-metadata.json") != nil {
		t.Errorf("%+v", m)
	}
	services, err := provider.ParseService(published(t, "simple-rolie-provider/service.json"), nil)
	if err != nil || !slices.Equal(services, []string{feeds[0].URL}) {
		t.Error(services, err)
	}
	feed, err := provider.ParseFeed(published(t, "simple-rolie-provider/white/white-feed.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	e := feed.Entries[0]
	if e.Name() != "avendor-advisory-0004.json" || len(e.Hashes()) != 2 || len(e.Signatures()) != 1 {
		t.Errorf("%+v", e)
	}
	text := testdata.Open(t, "vex/csaf-provider-trees.tar.gz")["testdata/simple-rolie-provider/white/"+e.Name()]
	for _, u := range e.Hashes() {
		name := path.Base(u)
		h, err := provider.ParseHash(name, published(t, "simple-rolie-provider/white/"+name))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Verify(e.Name(), text); err != nil {
			t.Error(err)
		}
		if err := h.Verify(e.Name(), append(bytes.Clone(text), ' ')); !errors.Is(err, provider.ErrMismatch) {
			t.Error(err)
		}
		if err := h.Verify("other.json", text); !errors.Is(err, provider.ErrMismatch) {
			t.Error(err)
		}
	}
	doc, err := csaf.Decode(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.CheckName(e.URL(), doc); err != nil {
		t.Error(err)
	}
	if err := provider.CheckLabel(doc.Label(), feeds[0].Label, true); err != nil {
		t.Error(err)
	}
	if err := provider.CheckFolder(root+"/white/2019/x.json", doc); !errors.Is(err, provider.ErrMismatch) {
		t.Error(err)
	}
}

func TestDirectoryProvider(t *testing.T) {
	const folder = "simple-directory-provider/"
	m, err := provider.ParseMetadata(published(t, folder+"provider-metadata.json"), nil)
	if err != nil || !slices.Equal(m.Directories(), []string{root + "/white/"}) {
		t.Fatal(m, err)
	}
	index, err := provider.ParseIndex(published(t, folder+"white/index.txt"), nil)
	if err != nil || !slices.Equal(index, []string{"avendor-advisory-0004.json"}) {
		t.Error(index, err)
	}
	changes, err := provider.ParseChanges(published(t, folder+"white/changes.csv"), nil)
	if err != nil || len(changes) != 1 || changes[0].Path != index[0] || changes[0].Time.Year() != 2020 || !provider.NewestFirst(changes) {
		t.Error(changes, err)
	}
	if u, err := provider.Join(root+"/white/index.txt", index[0]); err != nil || u != root+"/white/avendor-advisory-0004.json" {
		t.Error(u, err)
	}
}

func TestExamples(t *testing.T) {
	if _, err := provider.ParseMetadata(example(t, "provider-metadata/example-01-provider-metadata.json"), nil); err != nil {
		t.Error(err)
	}
	if _, err := provider.ParseFeed(example(t, "ROLIE/example-01-feed-tlp-white.json"), nil); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"ROLIE/example-01-service.json", "ROLIE/example-02-service.json"} {
		if _, err := provider.ParseService(example(t, name), nil); err != nil {
			t.Error(err)
		}
	}
	for name, mirrors := range map[string]int{"aggregator/example-01-aggregator.json": 0, "aggregator/example-02-aggregator.json": 2, "aggregator/example-03-aggregator.json": 3} {
		a, err := provider.ParseAggregator(example(t, name), nil)
		if err != nil {
			t.Fatal(name, err)
		}
		n := 0
		for _, p := range slices.Concat(a.Providers, a.Publishers) {
			n += len(p.Mirrors)
		}
		if n != mirrors {
			t.Errorf("%s: %d mirrors", name, n)
		}
	}
}

func compile(t testing.TB, id string) *jsonschema.Schema {
	t.Helper()
	files := testdata.Open(t, "conformance/csaf-schema.tar.gz")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const at = "https://docs.oasis-open.org/csaf/csaf/v2.0/"
	for url, name := range map[string]string{
		at + "csaf_json_schema.json": "json_schema/csaf_json_schema.json", at + "provider_json_schema.json": "json_schema/provider_json_schema.json",
		at + "aggregator_json_schema.json":          "json_schema/aggregator_json_schema.json",
		"https://www.first.org/cvss/cvss-v2.0.json": "referenced_schema/first/cvss-v2.0.json", "https://www.first.org/cvss/cvss-v3.0.json": "referenced_schema/first/cvss-v3.0.json",
		"https://www.first.org/cvss/cvss-v3.1.json": "referenced_schema/first/cvss-v3.1.json",
	} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(files["csaf_2.0/"+name]))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(url, doc); err != nil {
			t.Fatal(err)
		}
	}
	return c.MustCompile(at + id)
}

// TestSchemas compares our verdict with the published schemas on every document
// with one value removed or replaced.
func TestSchemas(t *testing.T) {
	metadata := func(text []byte) error { _, err := provider.ParseMetadata(text, nil); return err }
	aggregator := func(text []byte) error { _, err := provider.ParseAggregator(text, nil); return err }
	for _, c := range []struct {
		schema string
		text   []byte
		parse  func([]byte) error
	}{
		{"provider_json_schema.json", example(t, "provider-metadata/example-01-provider-metadata.json"), metadata},
		{"provider_json_schema.json", published(t, "simple-directory-provider/provider-metadata.json"), metadata},
		{"aggregator_json_schema.json", example(t, "aggregator/example-03-aggregator.json"), aggregator},
	} {
		schema := compile(t, c.schema)
		n, invalid := 0, 0
		variants(t, c.text, func(text []byte) {
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			n++
			want := schema.Validate(value)
			if want != nil {
				invalid++
			}
			if got := c.parse(text); (got == nil) != (want == nil) {
				t.Errorf("%s\n%v, the published schema says %v", text, got, want)
			}
		})
		t.Logf("%s: %d variants, %d invalid", c.schema, n, invalid)
	}
}

// variants calls fn for the document with each of its values removed, and
// replaced by each of some others.
func variants(t *testing.T, text []byte, fn func([]byte)) {
	fn(text)
	others := []string{`""`, `"x"`, `1`, `null`, `[]`, `{}`, `true`, `"2021-01-01"`, `"https://example.com/x.json"`, `"https://example.com/provider-metadata.json"`, `"lister"`, `"2.0"`, `[1]`}
	for i := 0; ; i++ {
		for _, other := range append(others, "") {
			var doc any
			if err := json.Unmarshal(text, &doc); err != nil {
				t.Fatal(err)
			}
			n := 0
			if !replace(doc, i, &n, other) {
				return
			}
			out, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			fn(out)
		}
	}
}

// replace changes the i-th value below v.
func replace(v any, i int, n *int, other string) bool {
	var value any
	if other != "" {
		json.Unmarshal([]byte(other), &value)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if *n == i {
				if v[k] = value; other == "" {
					delete(v, k)
				}
				return true
			}
			*n++
			if replace(v[k], i, n, other) {
				return true
			}
		}
	case []any:
		for k := range v {
			if *n == i {
				v[k] = value
				return true
			}
			*n++
			if replace(v[k], i, n, other) {
				return true
			}
		}
	}
	return false
}

func TestMetadata21(t *testing.T) {
	m, err := provider.ParseMetadata([]byte(`{"$schema":"x","canonical_url":"https://a.example/provider-metadata.json","distributions":[
		{"directory":{"tlp_label":"CLEAR","url":"https://a.example/clear/"}},{"rolie":{"feeds":[{"last_updated":"2025-01-01T00:00:00Z","tlp_label":"AMBER+STRICT","url":"https://a.example/f.json"}]}}],
		"last_updated":"2025-01-01T00:00:00Z","list_on_CSAF_aggregators":true,"mirror_on_CSAF_aggregators":false,"metadata_version":"2.1",
		"publisher":{"category":"multiplier","name":"A","namespace":"https://a.example"},"role":"csaf_provider"}`), nil)
	if err != nil || m.Directories()[0] != "https://a.example/clear/" || m.Feeds()[0].Label != "AMBER+STRICT" || m.Trusted() {
		t.Error(m, err)
	}
	if _, err := provider.ParseMetadata([]byte(`{"metadata_version":"3"}`), nil); !errors.Is(err, provider.ErrUnsupported) {
		t.Error(err)
	}
}

func TestLists(t *testing.T) {
	for text, want := range map[string]string{
		"2020/a.json\r\n\r\n2020/a.json\n2019/b.json": "2020/a.json 2019/b.json", "": "",
	} {
		got, err := provider.ParseIndex([]byte(text), nil)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	for _, name := range []string{"/a.json", "../a.json", "a/../b.json", "a//b.json", "./a.json", "..", "a.json?x", "a%2f.json", `a\b.json`, "https://x/a.json", "a.txt", "a\x00.json", "\xff.json", " "} {
		if _, err := provider.ParseIndex([]byte("2020/ok.json\n"+name+"\n"), nil); !errors.Is(err, provider.ErrInvalid) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := provider.ParseChanges([]byte(`"`+name+`","2020-01-01T00:00:00Z"`), nil); !errors.Is(err, provider.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := provider.Join(root+"/index.txt", name); !errors.Is(err, provider.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, text := range []string{`"a.json"`, `"a.json","2020"`, `"a.json","2020-01-01T00:00:00Z","x"`, "\"a.json\"x,2020", `"a.json`} {
		if _, err := provider.ParseChanges([]byte(text), nil); !errors.Is(err, provider.ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
	changes, err := provider.ParseChanges([]byte("2020/a.json,2020-01-01T00:00:00Z\n\"2019/b.json\",\"2020-01-01T02:00:00+01:00\"\n"), nil)
	if err != nil || len(changes) != 2 || provider.NewestFirst(changes) {
		t.Error(changes, err)
	}
	small := &provider.Limits{Entries: 1}
	if _, err := provider.ParseIndex([]byte("a.json\nb.json"), small); !errors.Is(err, provider.ErrLimit) {
		t.Error(err)
	}
	if _, err := provider.ParseChanges([]byte("a.json,2020-01-01T00:00:00Z\nb.json,2020-01-01T00:00:00Z"), small); !errors.Is(err, provider.ErrLimit) {
		t.Error(err)
	}
	if _, err := provider.ParseFeed([]byte(`{}`), &provider.Limits{Bytes: 1}); !errors.Is(err, provider.ErrLimit) {
		t.Error(err)
	}
}

func TestParseHash(t *testing.T) {
	hex := strings.Repeat("Ab", 32)
	for text, want := range map[string]string{hex: "", hex + "\n": "", hex + "  a.json\n": "a.json", hex + " *a.json\r\n": "a.json"} {
		h, err := provider.ParseHash("a.json.sha256", []byte(text))
		if err != nil || h.Name != want || h.Value != strings.ToLower(hex) || h.Algorithm != "sha256" {
			t.Errorf("%q: %v %v", text, h, err)
		}
	}
	for _, c := range []struct {
		name, text string
		kind       error
	}{
		{"a.json.sha256", " " + hex, provider.ErrInvalid}, {"a.json.sha256", hex + "ab", provider.ErrInvalid}, {"a.json.sha512", hex, provider.ErrInvalid},
		{"a.json.md5", hex, provider.ErrUnsupported}, {"a.json.sha256", hex + strings.Repeat(" ", 5000), provider.ErrLimit}, {"a.json.sha256", hex + "\ta", provider.ErrInvalid},
	} {
		if _, err := provider.ParseHash(c.name, []byte(c.text)); !errors.Is(err, c.kind) {
			t.Errorf("%s %.80q: %v", c.name, c.text, err)
		}
	}
}

func TestParseSecurityTxt(t *testing.T) {
	got, err := provider.ParseSecurityTxt([]byte("Contact: mailto:a@b.example\ncsaf: https://a.example/.well-known/csaf/provider-metadata.json\r\nCSAF: http://b.example/x\nCSAF: /provider-metadata.json\n# CSAF: https://c.example/\n"), nil)
	if d := cmp.Diff([]string{"https://a.example/.well-known/csaf/provider-metadata.json"}, got); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestCheckLabel(t *testing.T) {
	for _, c := range []struct {
		document, place string
		public          bool
		kind            error
	}{
		{"WHITE", "WHITE", true, nil}, {"CLEAR", "WHITE", true, nil}, {"", "UNLABELED", true, nil}, {"GREEN", "GREEN", true, nil}, {"AMBER", "", false, nil}, {"RED", "RED", false, nil},
		{"RED", "RED", true, provider.ErrForbidden}, {"AMBER", "", true, provider.ErrForbidden}, {"AMBER+STRICT", "AMBER+STRICT", true, provider.ErrForbidden},
		{"RED", "AMBER", false, provider.ErrForbidden}, {"GREEN", "WHITE", true, provider.ErrForbidden}, {"AMBER", "UNLABELED", false, provider.ErrForbidden},
		{"WHITE", "GREEN", true, provider.ErrMismatch}, {"", "WHITE", true, provider.ErrMismatch}, {"WHITE", "UNLABELED", true, provider.ErrMismatch},
		{"white", "WHITE", true, provider.ErrInvalid}, {"WHITE", "BLUE", true, provider.ErrInvalid},
	} {
		if err := provider.CheckLabel(c.document, c.place, c.public); !errors.Is(err, c.kind) || c.kind == nil && err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestCheckPublisher(t *testing.T) {
	m := &provider.Metadata{Publisher: csaf.Publisher{Name: "A", Namespace: "https://a.example"}, CanonicalURL: "https://a.example/provider-metadata.json"}
	doc := &csaf.Document{Head: csaf.Head{Publisher: m.Publisher, Tracking: csaf.Tracking{ID: "A:1", InitialReleaseDate: "2020-12-31T23:59:59Z"}}}
	if err := m.CheckPublisher(doc); err != nil {
		t.Error(err)
	}
	if provider.CheckFolder("https://a.example/2020/a_1.json", doc) != nil || provider.CheckName("https://a.example/2020/a_1.json?x=y", doc) != nil || provider.CheckName("2020/a_1.json", doc) != nil {
		t.Error("folder or name")
	}
	for _, at := range []string{"https://a.example/2021/a_1.json", "a_1.json"} {
		if err := provider.CheckFolder(at, doc); !errors.Is(err, provider.ErrMismatch) {
			t.Error(at, err)
		}
	}
	if err := provider.CheckName("https://a.example/2020/A_1.json", doc); !errors.Is(err, provider.ErrMismatch) {
		t.Error(err)
	}
	doc.Head.Publisher.Namespace = "https://b.example"
	if err := m.CheckPublisher(doc); !errors.Is(err, provider.ErrMismatch) {
		t.Error(err)
	}
	if err := m.CheckCanonical("https://b.example/provider-metadata.json"); !errors.Is(err, provider.ErrMismatch) {
		t.Error(err)
	}
}
