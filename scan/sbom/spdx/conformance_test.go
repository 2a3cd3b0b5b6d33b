package spdx

import (
	"bytes"
	"compress/bzip2"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom"
)

// A realDocument is one of the shared data, decoded once for all tests.
type realDocument struct {
	text []byte
	once sync.Once
	doc  *sbom.Document
	err  error
}

// decoded returns what Decode makes of it, which tests must not change.
func (r *realDocument) decoded(t testing.TB) *sbom.Document {
	t.Helper()
	r.once.Do(func() { r.doc, r.err = Decode(bytes.NewReader(r.text), nil) })
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.doc
}

// shared is what several tests read of the shared data.
var shared struct {
	sync.Mutex
	documents map[string]*realDocument
	model     *model3
	schemas   map[string]*jsonschema.Schema
}

// realDocuments returns the SPDX JSON documents of the shared data by name;
// without the largest in short mode.
func realDocuments(t testing.TB) map[string]*realDocument {
	shared.Lock()
	defer shared.Unlock()
	if shared.documents == nil {
		docs := map[string]*realDocument{}
		for name, text := range readDocuments(t) {
			docs[name] = &realDocument{text: text}
		}
		shared.documents = docs
	}
	return shared.documents
}

func readDocuments(t testing.TB) map[string][]byte {
	docs := map[string][]byte{}
	for _, pack := range []string{"sbom/guac-top-images.tar.gz", "sbom/guac-docs.tar.gz", "sbom/redhat-trustify.tar.gz",
		"conformance/spdx-examples.tar.gz", "conformance/spdx-tools-golang.tar.gz"} {
		for name, data := range testdata.Open(t, pack) {
			if strings.HasSuffix(name, ".bz2") {
				var err error
				if data, err = io.ReadAll(bzip2.NewReader(bytes.NewReader(data))); err != nil {
					t.Fatal(name, err)
				}
				name = strings.TrimSuffix(name, ".bz2")
			}
			if testing.Short() && len(data) > 256<<10 {
				continue
			}
			if strings.HasSuffix(name, ".json") && bytes.Contains(data, []byte(`"spdxVersion"`)) && !bytes.Contains(data, []byte(`"@context"`)) {
				docs[path.Base(path.Dir(name))+"/"+path.Base(name)] = data
			}
		}
	}
	return docs
}

// Every real document must decode, come back equal, and be as valid as it was.
func TestRoundTripOfRealDocuments(t *testing.T) {
	t.Parallel()
	docs := realDocuments(t)
	if len(docs) < 30 {
		t.Fatalf("only %d documents", len(docs))
	}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		t.Run(name, func(t *testing.T) {
			source, d := docs[name].text, docs[name].decoded(t)
			version := strings.TrimPrefix(member(t, source, "spdxVersion"), "SPDX-")
			out, losses := encoded(t, d, &EncodeOptions{Version: version})
			if len(losses) > 0 {
				t.Errorf("losses: %v", losses)
			}
			if strings.Contains(name, "null_package") {
				return // the null cannot come back
			}
			if diff := changes(unordered(t, source), unordered(t, out)); diff != "" {
				t.Errorf("comes back changed (-was +is):\n%.2000s", diff)
			}
			if err := validate(t, version, source); err == nil {
				if err := validate(t, version, out); err != nil {
					t.Errorf("was valid and is not: %v", err)
				}
			}
			again, err := Decode(bytes.NewReader(out), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := changes(d, again); diff != "" {
				t.Errorf("the model changes on the second reading:\n%.2000s", diff)
			}
		})
	}
}

// member returns a top-level string of a JSON object.
func member(t testing.TB, doc []byte, name string) string {
	t.Helper()
	var m map[string]json.RawMessage
	var s string
	if err := json.Unmarshal(doc, &m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m[name], &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func encoded(t testing.TB, d *sbom.Document, opt *EncodeOptions) ([]byte, []sbom.Loss) {
	t.Helper()
	var b bytes.Buffer
	losses, err := Encode(&b, d, opt)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), losses
}

// changes is cmp.Diff, which takes its time, where there is a difference.
func changes(was, is any, opt ...cmp.Option) string {
	if reflect.DeepEqual(was, is) {
		return ""
	}
	return cmp.Diff(was, is, opt...)
}

// unordered returns JSON as a value in which the order of arrays is gone: SPDX
// gives it no meaning.
func unordered(t testing.TB, doc []byte) any {
	t.Helper()
	var v any
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	sortArrays(v)
	return v
}

// sortArrays sorts the arrays in v and returns a text that equal values share.
func sortArrays(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(&b, "%q:%s,", k, sortArrays(v[k]))
		}
		return "{" + b.String() + "}"
	case []any:
		keys := make([]string, len(v))
		for i := range v {
			keys[i] = sortArrays(v[i])
		}
		sort.Sort(byKey{v, keys})
		return "[" + strings.Join(keys, ",") + "]"
	}
	return fmt.Sprintf("%T %v", v, v)
}

type byKey struct {
	values []any
	keys   []string
}

func (b byKey) Len() int           { return len(b.keys) }
func (b byKey) Less(i, j int) bool { return b.keys[i] < b.keys[j] }
func (b byKey) Swap(i, j int) {
	b.keys[i], b.keys[j] = b.keys[j], b.keys[i]
	b.values[i], b.values[j] = b.values[j], b.values[i]
}

// validate checks a document against the published schema of its version.
func validate(t testing.TB, version string, doc []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return err
	}
	return schema(t, version).Validate(v)
}

// schema returns the published schema of a version.
func schema(t testing.TB, version string) *jsonschema.Schema {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if s := shared.schemas[version]; s != nil {
		return s
	}
	pack := "conformance/spdx-schema" + strings.ReplaceAll(version, ".", "") + ".tar.gz"
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(testdata.Open(t, pack)["schemas/spdx-schema.json"]))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("spdx-"+version+".json", text); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("spdx-" + version + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if shared.schemas == nil {
		shared.schemas = map[string]*jsonschema.Schema{}
	}
	shared.schemas[version] = s
	return s
}
