package attestation_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/attestation"
	"github.com/stella-ops/stella/vex/ingest"
	"github.com/stella-ops/stella/vex/trust"
	"github.com/stella-ops/stella/vex/vextest"
)

var at = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// registry is a small one: it has the referrers API, and no rules.
type registry struct {
	files map[string][]byte // by path below /v2/
	refer map[string][]any  // descriptors, by subject
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	path := strings.TrimPrefix(q.URL.Path, "/v2/")
	if repository, subject, ok := strings.Cut(path, "/referrers/"); ok {
		list := r.refer[repository+"@"+subject]
		if list == nil {
			list = []any{}
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		json.NewEncoder(w).Encode(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": list})
		return
	}
	b, ok := r.files[path]
	if !ok && path != "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if strings.Contains(path, "/manifests/") {
		w.Header().Set("Content-Type", manifestType)
	}
	w.Write(b)
}

// put stores a manifest of layers and returns its descriptor.
func (r *registry) put(repository, tag, subject string, layers map[string][]byte) map[string]any {
	list := []any{}
	for mediaType, b := range layers {
		r.files[repository+"/blobs/"+digestOf(b)] = b
		list = append(list, map[string]any{"mediaType": mediaType, "digest": digestOf(b), "size": len(b)})
	}
	r.files[repository+"/blobs/"+digestOf([]byte("{}"))] = []byte("{}")
	m := map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "layers": list,
		"config": map[string]any{"mediaType": "application/vnd.oci.empty.v1+json", "digest": digestOf([]byte("{}")), "size": 2},
	}
	if subject != "" {
		m["subject"] = map[string]any{"mediaType": manifestType, "digest": subject, "size": 1}
	}
	b, _ := json.Marshal(m)
	r.files[repository+"/manifests/"+digestOf(b)] = b
	if tag != "" {
		r.files[repository+"/manifests/"+tag] = b
	}
	d := map[string]any{"mediaType": manifestType, "digest": digestOf(b), "size": len(b)}
	if subject != "" {
		r.refer[repository+"@"+subject] = append(r.refer[repository+"@"+subject], d)
	}
	return d
}

type kit struct {
	*registry
	host   string
	image  string // digest of team/app:1, which other/copy:1 has too
	vendor *dsse.PrivateKey
	other  *dsse.PrivateKey
	trust  *trust.Document
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{registry: &registry{files: map[string][]byte{}, refer: map[string][]any{}}}
	s := httptest.NewServer(k.registry)
	t.Cleanup(s.Close)
	k.host = strings.TrimPrefix(s.URL, "http://")
	layer := map[string][]byte{"application/vnd.oci.image.layer.v1.tar": []byte("layer")}
	k.image = k.put("team/app", "1", "", layer)["digest"].(string)
	k.put("other/copy", "1", "", layer)
	key := func(n byte) *dsse.PrivateKey {
		seed := make([]byte, ed25519.SeedSize)
		seed[0] = n
		private, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(seed))
		if err != nil {
			t.Fatal(err)
		}
		return private
	}
	k.vendor, k.other = key(1), key(2)
	pem := func(p *dsse.PrivateKey) string { return strings.ReplaceAll(string(p.Public().PEM()), "\n", "\n      ") }
	text := fmt.Sprintf(`issuers:
  - {id: vendor, tier: 1, products: ["pkg:oci/*?repository_url=%[1]s/team/**"]}
  - {id: other, tier: 1, products: ["pkg:oci/*?repository_url=%[1]s/other/**"]}
keys:
  - name: vendor
    issuer: vendor
    pem: |
      %[2]s
  - name: other
    issuer: other
    pem: |
      %[3]s
`, k.host, pem(k.vendor), pem(k.other))
	var err error
	if k.trust, err = trust.Parse("trust.yaml", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return k
}

func openVEX(products string) string {
	if products != "" {
		products = `"products":` + products + ","
	}
	return `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.com/1","author":"Vendor","timestamp":"2026-01-01T00:00:00Z","version":1,
		"statements":[{"vulnerability":{"name":"CVE-2026-1"},` + products + `"status":"not_affected","justification":"component_not_present"}]}`
}

// attested is a signed in-toto statement about a digest.
func (k *kit) attested(t *testing.T, key *dsse.PrivateKey, subject, products string) map[string][]byte {
	t.Helper()
	payload := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"app","digest":{"sha256":%q}}],"predicateType":"https://openvex.dev/ns/v0.2.0","predicate":%s}`,
		strings.TrimPrefix(subject, "sha256:"), openVEX(products))
	e, err := dsse.Sign(context.Background(), intoto.PayloadType, []byte(payload), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"application/vnd.dsse.envelope.v1+json": text}
}

func (k *kit) source(images ...string) *attestation.Source {
	for i := range images {
		images[i] = k.host + "/" + images[i]
	}
	return attestation.New(attestation.Config{Images: images, Registry: &image.Options{Credentials: image.NoCredentials}})
}

// status fetches, verifies, reads, selects and resolves.
func (k *kit) status(t *testing.T, s *attestation.Source, where string) vex.Status {
	t.Helper()
	var all []*vex.Statement
	_, err := s.Fetch(t.Context(), nil, nil, func(d *vex.Document) error {
		o, err := ingest.Read(t.Context(), s, s.Describe().Name, k.trust.Verifier(&trust.Options{At: at}), d)
		all = append(all, o.Statements...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	j, err := k.trust.Trust().Judge()
	if err != nil {
		t.Fatal(err)
	}
	q := vex.Query{
		Vulnerabilities: []string{"CVE-2026-1"}, Package: vex.Part{PURL: "pkg:npm/foo@1"},
		Image: vex.Image{Digests: []string{k.image}, Names: []string{k.host + "/" + where}},
	}
	return j.Resolve(q.Select(all).Claims, at).Status
}

// TestEndToEnd: from a registry to a decision.
func TestEndToEnd(t *testing.T) {
	for name, products := range map[string]string{
		"no product": "", "the package": `[{"@id":"pkg:npm/foo@1"}]`, "the package in the image": `[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:npm/foo@1"}]}]`,
	} {
		k := newKit(t)
		k.put("team/app", "", k.image, k.attested(t, k.vendor, k.image, products))
		if got := k.status(t, k.source("team/app:1"), "team/app:1"); got != vex.NotAffected {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestAttacks: what may not be suppressed.
func TestAttacks(t *testing.T) {
	for _, tc := range []struct {
		name, images, where string
		attach              func(t *testing.T, k *kit)
	}{
		{"another repository's key, here", "team/app:1", "team/app:1", func(t *testing.T, k *kit) {
			k.put("team/app", "", k.image, k.attested(t, k.other, k.image, ""))
		}},
		{"another repository's key, at its copy of the image", "other/copy:1", "team/app:1", func(t *testing.T, k *kit) {
			k.put("other/copy", "", k.image, k.attested(t, k.other, k.image, ""))
		}},
		{"another repository's key, in the name of this one", "other/copy:1", "team/app:1", func(t *testing.T, k *kit) {
			k.put("other/copy", "", k.image, k.attested(t, k.other, k.image, `[{"@id":"pkg:oci/app?repository_url=`+k.host+`/team/app"}]`))
		}},
		{"the vendor's, carried to a copy", "other/copy:1", "other/copy:1", func(t *testing.T, k *kit) {
			k.put("other/copy", "", k.image, k.attested(t, k.vendor, k.image, ""))
		}},
		{"the vendor's about an older image", "team/app:1", "team/app:1", func(t *testing.T, k *kit) {
			k.put("team/app", "", k.image, k.attested(t, k.vendor, digestOf([]byte("older")), ""))
		}},
		{"the vendor's about another package", "team/app:1", "team/app:1", func(t *testing.T, k *kit) {
			k.put("team/app", "", k.image, k.attested(t, k.vendor, k.image, `[{"@id":"pkg:npm/bar@1"}]`))
		}},
		{"unsigned, as it is", "team/app:1", "team/app:1", func(t *testing.T, k *kit) {
			k.put("team/app", "", k.image, map[string][]byte{"application/vnd.openvex+json": []byte(openVEX(""))})
		}},
		{"changed after it was signed", "team/app:1", "team/app:1", func(t *testing.T, k *kit) {
			layers := k.attested(t, k.vendor, k.image, "")
			var e map[string]any
			json.Unmarshal(layers["application/vnd.dsse.envelope.v1+json"], &e)
			e["payloadType"] = "text/vex"
			layers["application/vnd.dsse.envelope.v1+json"], _ = json.Marshal(e)
			k.put("team/app", "", k.image, layers)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			tc.attach(t, k)
			if got := k.status(t, k.source(tc.images), tc.where); got == vex.NotAffected || got == vex.Fixed {
				t.Errorf("suppressed: %q", got)
			}
		})
	}
}

func TestSource(t *testing.T) {
	k := newKit(t)
	k.put("team/app", "", k.image, k.attested(t, k.vendor, k.image, ""))
	k.put("team/app", "", k.image, map[string][]byte{"application/vnd.openvex+json": []byte(openVEX(`[{"@id":"pkg:npm/foo@1"}]`))})
	k.put("team/app", "", k.image, map[string][]byte{"application/spdx+json": []byte("{}")})
	s := k.source("team/app:1")
	vextest.TestDescription(t, s)
	var docs []*vex.Document
	collect := func(d *vex.Document) error { docs = append(docs, d); return nil }
	out, err := s.Fetch(t.Context(), nil, nil, collect)
	if err != nil || !out.Complete || len(docs) != 2 {
		t.Fatalf("%+v, %d documents, %v", out, len(docs), err)
	}
	vextest.CheckDocuments(t, s, docs)
	var payloads []*vex.Document
	v := k.trust.Verifier(&trust.Options{At: at})
	for _, d := range docs {
		got, err := v.Verify(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		c := *d
		if got.Payload != nil {
			c.Content = got.Payload
		}
		payloads = append(payloads, &c)
		for st, err := range s.Parse(&c) {
			if err != nil || len(st.Products) != 1 || len(st.Products[0].Digests) != 1 || st.Products[0].Digests[0] != k.image {
				t.Errorf("%s: %+v, %v", d.Name, st, err)
			}
		}
	}
	vextest.TestParse(t, s, payloads)

	// What is broken leaves the rest, and the outcome open.
	for _, b := range []string{"team/app/blobs/" + digestOf(docs[0].Content)} {
		k.files[b] = []byte("x")
	}
	broken := 0
	s = attestation.New(attestation.Config{
		Images: []string{k.host + "/team/app:1"}, Registry: &image.Options{Credentials: image.NoCredentials}, Broken: func(string, error) { broken++ },
	})
	docs = nil
	if out, err = s.Fetch(t.Context(), nil, nil, collect); err != nil || out.Complete || len(docs) != 1 || broken != 1 {
		t.Errorf("%+v, %d documents, %d broken, %v", out, len(docs), broken, err)
	}
	if _, err := k.source("team/none").Fetch(t.Context(), nil, nil, collect); !errors.Is(err, attestation.ErrNotFound) {
		t.Errorf("no image: %v", err)
	}
	enough := errors.New("enough")
	if _, err := s.Fetch(t.Context(), nil, nil, func(*vex.Document) error { return enough }); err != enough {
		t.Errorf("emit's error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Fetch(ctx, nil, nil, collect); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, name := range []string{"x", "a/b/c", "r/a/sha256/x.json", "r/a/md5-00/x.json", "r/a/sha256-zz/x.json"} {
		for st, err := range s.Parse(&vex.Document{Name: name, Content: []byte(openVEX(""))}) {
			if st != nil || !errors.Is(err, attestation.ErrInvalid) {
				t.Errorf("%s: %v, %v", name, st, err)
			}
		}
	}
}

func ExampleNew() {
	s := attestation.New(attestation.Config{Images: []string{"registry.example.com/team/app:1.2.3"}})
	digest := "sha256-" + strings.Repeat("a", 64)
	doc := &vex.Document{
		Name: "registry.example.com/team/app/" + digest + "/" + digest + ".json",
		Content: []byte(`{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/1", "author": "Team", "timestamp": "2026-01-01T00:00:00Z", "version": 1,
			"statements": [{"vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:npm/foo@1"}], "status": "affected", "action_statement": "update"}]}`),
	}
	for st, err := range s.Parse(doc) {
		if err != nil {
			fmt.Println(err)
			return
		}
		p := st.Products[0]
		fmt.Println(p.PURL, p.Digests[0][:12], p.Subcomponents[0].PURL)
	}
	// Output:
	// pkg:oci/app?repository_url=registry.example.com%2Fteam%2Fapp sha256:aaaaa pkg:npm/foo@1
}
