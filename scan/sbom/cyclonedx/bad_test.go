package cyclonedx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
)

const head = `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,`

func xmlDoc(body string) string {
	return `<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.6" version="1">` + body + `</bom>`
}

// refusedInput lists input that is an error: its kind, and what the error says.
var refusedInput = []struct {
	name, in string
	kind     fault.Kind
	says     string
}{
	{"empty", "", fault.Invalid, "the input is empty"},
	{"only space", " \n", fault.Invalid, "the input is empty"},
	{"tag-value", "SPDXVersion: SPDX-2.3\n", fault.Unsupported, "neither JSON nor XML"},
	{"UTF-16", "\xff\xfe{\x00}\x00", fault.Unsupported, "neither JSON nor XML"},
	{"SPDX JSON", `{"spdxVersion":"SPDX-2.3"}`, fault.Unsupported, "not a CycloneDX document"},
	{"other format", `{"bomFormat":"Foo","specVersion":"1.6"}`, fault.Unsupported, `/bomFormat is "Foo"`},
	{"no version", `{"bomFormat":"CycloneDX"}`, fault.Invalid, "no /specVersion"},
	{"version 1.8", `{"bomFormat":"CycloneDX","specVersion":"1.8"}`, fault.Unsupported, `"1.8"`},
	{"version 2", `{"bomFormat":"CycloneDX","specVersion":"2.0"}`, fault.Unsupported, `"2.0"`},
	{"version as number", `{"bomFormat":"CycloneDX","specVersion":1.6}`, fault.Invalid, "/specVersion: a number instead of a string"},
	{"JSON of 1.1", `{"bomFormat":"CycloneDX","specVersion":"1.1"}`, fault.Unsupported, "no JSON form"},
	{"cut", head + `"components":[{"name":"a"`, fault.Invalid, "/components/0"},
	{"duplicate member", head + `"version":2}`, fault.Invalid, "/version"},
	{"duplicate member, escaped", head + `"metadata":{"\u0061":1,"a":2}}`, fault.Invalid, "/metadata/a"},
	{"trailing data", `{"bomFormat":"CycloneDX","specVersion":"1.6"} x`, fault.Invalid, "after the document"},
	{"second document", `{"bomFormat":"CycloneDX","specVersion":"1.6"}{}`, fault.Invalid, "after the document"},
	{"invalid UTF-8", head + "\"components\":[{\"name\":\"a\xff\"}]}", fault.Invalid, "UTF-8"},
	{"lone surrogate", head + `"components":[{"name":"\ud800"}]}`, fault.Invalid, "/components/0"},
	{"NaN", head + `"x":NaN}`, fault.Invalid, "NaN"[:1]},
	{"components an object", head + `"components":{}}`, fault.Invalid, "/components: an object instead of an array"},
	{"component a string", head + `"components":["a"]}`, fault.Invalid, "/components/0: a string instead of an object"},
	{"name a number", head + `"components":[{"type":"library","name":3}]}`, fault.Invalid, "/components/0/name: a number instead of a string"},
	{"name missing", head + `"components":[{"type":"library"}]}`, fault.Invalid, "/components/0: the component has no name"},
	{"licenses an object", head + `"components":[{"name":"a","licenses":{}}]}`, fault.Invalid, "/components/0/licenses"},
	{"dependsOn of numbers", head + `"dependencies":[{"ref":"a","dependsOn":[1]}]}`, fault.Invalid, "/dependencies/0/dependsOn/0"},
	{"deep JSON", deepComponents(), fault.Limit, "nesting depth"},
	{"deep extension", head + `"x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + "}", fault.Limit, "nesting depth"},
	{"very deep extension", head + `"x":` + strings.Repeat("[", 100_000), fault.Invalid, "byte"},
	{"deep XML", deepElements(), fault.Limit, "nesting depth"},
	{"deep foreign XML", xmlDoc(strings.Repeat(`<a xmlns="x">`, 1000) + strings.Repeat(`</a>`, 1000)), fault.Limit, "nesting depth"},
	{"many attributes", xmlDoc("<components " + manyAttributes(1001) + "/>"), fault.Limit, "attributes of one element"},
	{"DTD", `<!DOCTYPE bom [<!ENTITY a "b">]>` + xmlDoc(""), fault.Invalid, "document type declarations"},
	{"DTD inside", xmlDoc(`<!DOCTYPE x>`), fault.Invalid, "document type declarations"},
	{"entity", xmlDoc(`<components><component type="library"><name>&xxe;</name></component></components>`), fault.Invalid, "line 1: invalid character entity &xxe;"},
	{"other root", `<html/>`, fault.Unsupported, `root element is "html"`},
	{"other namespace", `<bom xmlns="http://example.org/"/>`, fault.Unsupported, "not a CycloneDX bom"},
	{"XML of 1.9", `<bom xmlns="http://cyclonedx.org/schema/bom/1.9"/>`, fault.Unsupported, `"1.9"`},
	{"not closed", "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\">\n<components>", fault.Invalid, "line 2"},
	{"wrongly closed", xmlDoc("<components></component>"), fault.Invalid, "line 1"},
	{"two roots", xmlDoc("") + "<bom/>", fault.Invalid, "content after the root element"},
	{"text before", "<?xml version=\"1.0\"?>x<bom/>", fault.Invalid, "text before the root element"},
	{"only a comment", "<!-- -->", fault.Invalid, "no root element"},
	{"Latin 1", `<?xml version="1.0" encoding="ISO-8859-1"?>` + xmlDoc("")[21:], fault.Invalid, "encoding"},
	{"invalid UTF-8 in XML", xmlDoc("<components><component type=\"library\"><name>\xff</name></component></components>"), fault.Invalid, "UTF-8"},
	{"element twice", xmlDoc("<components/><components/>"), fault.Invalid, `element "components" appears twice`},
	{"attribute twice", xmlDoc(`<components><component type="a" type="b"/></components>`), fault.Invalid, `attribute "type" appears twice`},
}

func deepComponents() string {
	return head + `"components":` + strings.Repeat(`[{"name":"a","type":"library","components":`, 10_000) + `[]` + strings.Repeat("}]", 10_000) + "}"
}

func deepElements() string {
	return xmlDoc(strings.Repeat(`<components><component type="library"><name>a</name>`, 10_000) + strings.Repeat(`</component></components>`, 10_000))
}

func TestRefused(t *testing.T) {
	for _, c := range refusedInput {
		t.Run(c.name, func(t *testing.T) {
			d, err := Decode(strings.NewReader(c.in), nil)
			if err == nil {
				t.Fatalf("no error, %d packages", len(d.Packages))
			}
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "decode CycloneDX: ") {
				t.Errorf("kind %q, error %.300v\nwant kind %q and %q", fault.KindOf(err), err, c.kind, c.says)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `a%d="" `, i)
	}
	return b.String()
}

func TestLimits(t *testing.T) {
	in := head + `"components":[{"name":"a","components":[{"name":"b"}]}]}`
	for _, c := range []struct {
		name string
		opt  DecodeOptions
		ok   bool
	}{
		{"enough bytes", DecodeOptions{MaxBytes: int64(len(in))}, true},
		{"too many bytes", DecodeOptions{MaxBytes: int64(len(in)) - 1}, false},
		{"enough components", DecodeOptions{MaxComponents: 2}, true},
		{"too many components", DecodeOptions{MaxComponents: 1}, false},
		{"deep enough", DecodeOptions{MaxDepth: 5}, true},
		{"too deep", DecodeOptions{MaxDepth: 4}, false},
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			_, err := Decode(r, &c.opt)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, fault.Limit) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	broken := errors.New("broken pipe")
	if _, err := Decode(iotest.ErrReader(broken), nil); !errors.Is(err, broken) {
		t.Errorf("a reader's error is lost: %v", err)
	}
	if _, err := Decode(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken)), nil); !errors.Is(err, broken) {
		t.Errorf("a reader's error in the middle is lost: %v", err)
	}
}

// What Decode does with an invalid document.
const (
	refused = "refused"
	noted   = "noted"     // read, with a gap that says what is odd
	passed  = "passed on" // not part of the model: kept and written as it is
	mended  = "mended"    // read, and written as the version allows it, which is told as a loss
)

// invalidKinds says for every kind of invalid document of the CycloneDX project
// what Decode does with it, and why.
var invalidKinds = map[string]struct{ answer, why string }{
	"bomformat":                      {refused, "another format"},
	"namespace":                      {refused, "another format"},
	"empty-component":                {refused, "a component without a name is nothing to look for"},
	"license-id-count":               {refused, "an element twice is what a member twice is"},
	"license-name-count":             {refused, "an element twice is what a member twice is"},
	"component-ref":                  {noted, "a bom-ref twice: references mean the first, and no component is lost"},
	"component-ref 1.6 json":         {noted, "an empty bom-ref: the component is read as one without"},
	"component-type":                 {noted, "the type decides nothing; later versions have more types"},
	"missing-component-type":         {noted, "the type decides nothing"},
	"dependency":                     {noted, "an edge from nowhere says nothing, the others hold"},
	"hash-alg":                       {noted, "the hash is not compared"},
	"hash-md5":                       {noted, "the hash is not compared"},
	"hash-sha1":                      {noted, "the hash is not compared"},
	"hash-sha256":                    {noted, "the hash is not compared"},
	"hash-sha512":                    {noted, "the hash is not compared"},
	"license-choice":                 {mended, "expressions beside others, as 1.7 has them"},
	"license-choice 1.4 json":        {noted, "one entry with two statements"},
	"license-choice 1.2 json":        {noted, "one entry with two statements"},
	"license-choice 1.6 json":        {noted, "one entry with two statements"},
	"license-id":                     {noted, "the SPDX list grows faster than this program"},
	"license-missing-id-and-name":    {noted, "the licence says nothing, the package is good"},
	"license-declared-concluded-mix": {mended, "expressions beside others, as 1.7 has them"},
	"license-encoding":               {passed, "the text of a licence is not read"},
	"metadata-license":               {passed, "the licence of the document is not part of the model"},
	"metadata-timestamp":             {noted, "Created stays empty"},
	"serialnumber":                   {noted, "the Namespace is taken as it is"},
	"scope":                          {noted, "counts as runtime, the careful reading"},
	"properties":                     {noted, "a property without a name says nothing"},
	"component-swid":                 {passed, "SWID tags are not part of the model"},
	"issue-type":                     {passed, "pedigree is not part of the model"},
	"patch-type":                     {passed, "pedigree is not part of the model"},
	"service-data":                   {passed, "services are not part of the model"},
}

// TestInvalidDocuments holds the table against the documents. (The schemas
// refuse all of them, see TestSchemasRefuse.)
func TestInvalidDocuments(t *testing.T) {
	seen := map[string]bool{}
	docs := conformanceDocs(t, "invalid-")
	for _, name := range testdata.Names(docs) {
		version, file, _ := strings.Cut(name, "/invalid-")
		topic, format, _ := strings.Cut(file, "-"+version+".")
		row, ok := invalidKinds[topic+" "+version+" "+format]
		if ok {
			seen[topic+" "+version+" "+format] = true
		} else if row, ok = invalidKinds[topic]; !ok {
			t.Errorf("%s: no row in the table", name)
			continue
		}
		seen[topic] = true
		d, err := Decode(bytes.NewReader(docs[name]), nil)
		answer := passed
		if err != nil {
			answer = refused
		} else if len(d.Gaps) > 0 {
			answer = noted
		}
		if answer == passed {
			var out bytes.Buffer
			losses, err := Encode(&out, d, optionsFor(name, max(version, "1.4")))
			if err != nil {
				t.Error(name, err)
			} else if len(losses) > 0 {
				answer = mended
			} else if diff := changed(t, format, docs[name], out.Bytes()); diff != "" {
				t.Errorf("%s: not passed on as it is (-in +out):\n%s", name, diff)
			}
		}
		if answer != row.answer {
			t.Errorf("%s: %s (%v), want %s: %s", name, answer, err, row.answer, row.why)
		}
	}
	for topic := range invalidKinds {
		if !seen[topic] {
			t.Errorf("no document for the row %q", topic)
		}
	}
}

func changed(t *testing.T, format string, in, out []byte) string {
	if format == "json" {
		return cmp.Diff(comparable(t, in), comparable(t, out))
	}
	return cmp.Diff(flatXML(t, in), flatXML(t, out))
}

// TestSchemasRefuse is the control of the other tests: the schemas as they are
// used here do refuse what is invalid.
func TestSchemasRefuse(t *testing.T) {
	v := newValidator(t)
	docs := conformanceDocs(t, "invalid-")
	xmlDocs := map[string]map[string][]byte{}
	for name, doc := range docs {
		version, _, _ := strings.Cut(name, "/")
		if strings.HasSuffix(name, ".json") {
			if v.checkJSON(t, version, doc) == nil {
				t.Errorf("%s passes", name)
			}
			continue
		}
		if xmlDocs[version] == nil {
			xmlDocs[version] = map[string][]byte{}
		}
		xmlDocs[version][name] = doc
	}
	for version, docs := range xmlDocs {
		failed := v.checkXML(t, version, docs)
		for name := range docs {
			if failed[name] == "" {
				t.Errorf("%s passes", name)
			}
		}
	}
}

func TestSniff(t *testing.T) {
	for in, want := range map[string]bool{
		"":                         false,
		"{":                        false,
		`{"bomFormat":"CycloneDX"`: true,
		`{"bomFormat":"CycloneD`:   false,
		"\xEF\xBB\xBF \n" + head:   true,
		`{"$schema":"x","specVersion":"1.4","bomFormat":"CycloneDX","components":[{"na`: true,
		`{"spdxVersion":"SPDX-2.3"}`:     false,
		`{"x":{"bomFormat":"CycloneDX"}`: false,
		xmlDoc(""):                       true,
		"<html/>":                        false,
		"SPDXVersion: SPDX-2.3":          false,
	} {
		if got := Sniff([]byte(in)); got != want {
			t.Errorf("Sniff(%.40q) = %v", in, got)
		}
	}
}
