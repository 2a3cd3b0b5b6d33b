package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

var at = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world is a cluster with images, each under a name that documents use in place of its
// digest, and what lies about them.
type world struct {
	digests map[string]string // by name
	dir     string            // of bundles
	handler *Handler
}

func digest(name string) string { return policy.ContentDigest([]byte(name)) }

func newWorld(t *testing.T) *world {
	t.Helper()
	trusted, stranger := newKey(t), newKey(t)
	w := &world{dir: t.TempDir(), digests: map[string]string{}}
	for _, c := range []struct {
		name    string
		bundles [][]byte
	}{
		{"PASSES", [][]byte{signed(t, trusted, "PASSES", true, at.Add(-time.Hour))}},
		{"SECOND", [][]byte{[]byte("{}"), signed(t, stranger, "SECOND", false, at.Add(-time.Minute)), signed(t, trusted, "SECOND", true, at.Add(-time.Hour))}},
		{"BLOCKED", [][]byte{signed(t, trusted, "BLOCKED", false, at.Add(-time.Hour))}},
		{"LATER", [][]byte{signed(t, trusted, "LATER", true, at.Add(-2*time.Hour)), signed(t, trusted, "LATER", false, at.Add(-time.Hour))}},
		{"OLD", [][]byte{signed(t, trusted, "OLD", true, at.Add(-30*24*time.Hour))}},
		{"STRANGER", [][]byte{signed(t, stranger, "STRANGER", true, at.Add(-time.Hour))}},
		{"ANOTHER", [][]byte{signed(t, trusted, "PASSES", true, at.Add(-time.Hour))}}, // a good bundle, of another image
		{"CHANGED", [][]byte{changed(t, signed(t, trusted, "CHANGED", true, at.Add(-time.Hour)))}},
		{"EMPTY", [][]byte{}},
		{"NOTHING", nil},
	} {
		w.digests[c.name] = digest(c.name)
		if c.bundles == nil {
			continue
		}
		file := filepath.Join(w.dir, strings.Replace(digest(c.name), ":", "-", 1)+".jsonl")
		if err := os.WriteFile(file, append(bytes.Join(c.bundles, []byte("\n")), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.handler = &Handler{
		Requirement: requirement(engine(t).Digest(), "production", 7*24*time.Hour),
		Bundles:     folder(w.dir), Now: func() time.Time { return at },
	}
	w.trust(trusted)
	return w
}

// trust believes one key about verdicts, and nobody else.
func (w *world) trust(k *dsse.PrivateKey) {
	ring := key.Ring{Members: []key.Member{{Key: k.Public(), From: at.AddDate(-1, 0, 0), Purposes: []string{intoto.PredicateVerdict}}}}
	w.handler.Verifier.Trust = *(&attest.Root{Keys: ring}).Trust(nil)
}

func newKey(t *testing.T) *dsse.PrivateKey {
	k, err := key.Generate(key.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func engine(t *testing.T) *policy.Engine {
	e, err := policy.Compile(&policy.Policy{ID: "release", Version: 3, Semantics: policy.Semantics}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func signed(t *testing.T, k *dsse.PrivateKey, name string, passes bool, when time.Time) []byte {
	return signedAbout(t, k, digest(name), passes, when)
}

// signedAbout decides about an image and signs that. What nobody assessed is no pass: where
// it is not to pass there is such a gap.
func signedAbout(t *testing.T, k *dsse.PrivateKey, about string, passes bool, when time.Time) []byte {
	t.Helper()
	in := &policy.Inputs{Subject: policy.Subject{Image: vex.Image{Digests: []string{about}}}, Environment: "production", At: when,
		Digests: policy.Digests{Advisories: digest("advisories")}}
	if !passes {
		in.Gaps = []sbom.Gap{{Code: "no-data", Blocking: true, Where: "npm", What: "no data"}}
	}
	decided, err := engine(t).Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	s, err := verdict.New(decided.Body, about)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := dsse.Sign(t.Context(), intoto.PayloadType, payload, k)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bundle.New(envelope, nil).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// changed has another character in the middle of the signature.
func changed(t *testing.T, text []byte) []byte {
	before, after, ok := bytes.Cut(text, []byte(`"sig":"`))
	if !ok {
		t.Fatalf("no signature in %s", text)
	}
	after = bytes.Clone(after)
	if after[20] == 'A' {
		after[20] = 'B'
	} else {
		after[20] = 'A'
	}
	return slices.Concat(before, []byte(`"sig":"`), after)
}

// document reads a document of testdata and puts digests in place of names. replace are
// pairs of texts, each of which must be there.
func (w *world) document(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	out := string(text)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(out, replace[i]) {
			t.Fatalf("%s does not have %q", name, replace[i])
		}
		out = strings.ReplaceAll(out, replace[i], replace[i+1])
	}
	for _, name := range slices.Sorted(maps.Keys(w.digests)) {
		out = strings.ReplaceAll(out, "@"+name, "@"+w.digests[name])
	}
	return out
}

// ask sends a document as the API server does.
func (w *world) ask(t *testing.T, text string) (*review, int) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?timeout=10s", strings.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		return nil, rec.Code
	}
	var out review
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if out.Kind != "AdmissionReview" || out.APIVersion != "admission.k8s.io/v1" || out.Request != nil || out.Response == nil {
		t.Errorf("the answer is %s", rec.Body)
	}
	return &out, rec.Code
}

const web = "registry.example/team/web:1.4@PASSES"

// TestReviews: who gets in, who does not, and why.
func TestReviews(t *testing.T) {
	w := newWorld(t)
	containers := `"containers": [`
	more := func(list, image string) []string {
		return []string{containers, `"` + list + `": [{"name": "more", "image": "` + image + `"}], ` + containers}
	}
	for _, c := range []struct {
		name    string
		file    string
		replace []string
		refused string // "" admits
	}{
		{"a verdict that passes", "create.json", nil, ""},
		{"strangers' and broken bundles beside a good one", "create.json", []string{"@PASSES", "@SECOND"}, ""},
		{"an init container too", "create.json", more("initContainers", "registry.example/init@SECOND"), ""},
		{"a verdict that does not allow", "create.json", []string{"@PASSES", "@BLOCKED"}, "outcome"},
		{"a later verdict that does not", "create.json", []string{"@PASSES", "@LATER"}, "not_assessed"},
		{"a verdict that is too old", "create.json", []string{"@PASSES", "@OLD"}, "age"},
		{"a stranger's verdict", "create.json", []string{"@PASSES", "@STRANGER"}, "not signed by whom it must be"},
		{"a verdict about another image", "create.json", []string{"@PASSES", "@ANOTHER"}, "subject"},
		{"a signature that was changed", "create.json", []string{"@PASSES", "@CHANGED"}, "not signed by whom it must be"},
		{"no bundle", "create.json", []string{"@PASSES", "@EMPTY"}, "nobody has signed anything"},
		{"no file", "create.json", []string{"@PASSES", "@NOTHING"}, "cannot be read"},
		{"a tag", "create.json", []string{web, "registry.example/team/web:1.4"}, "named by a tag"},
		{"no tag", "create.json", []string{web, "nginx"}, "named by a tag"},
		{"a digest of another kind", "create.json", []string{"@PASSES", "@sha512:" + strings.Repeat("0", 128)}, "sha512"},
		{"a digest that is cut", "create.json", []string{"@PASSES", "@sha256:00"}, "registry.example/team/web"},
		{"a path for an image", "create.json", []string{web, "../../etc/passwd"}, "passwd"},
		{"an init container that is blocked", "create.json", more("initContainers", "registry.example/init@BLOCKED"), "init"},
		{"a debug container in a new pod", "create.json", more("ephemeralContainers", "registry.example/debug@BLOCKED"), "debug"},
		{"an image as a volume", "create.json", []string{`"volumes": [`, `"volumes": [{"name": "model", "image": {"reference": "registry.example/model@BLOCKED"}}, `}, "model"},
		{"an image as a volume, without a name", "create.json", []string{`"volumes": [`, `"volumes": [{"name": "model", "image": {}}, `}, "names none"},
		{"an image that is empty", "create.json", []string{web, ""}, "has no image"},
		{"no containers", "create.json", []string{containers, `"containers": [], "others": [`}, "has no images"},
		{"containers that are none", "create.json", []string{containers, `"containers": 7, "others": [`}, "cannot be read"},
		{"containers twice", "create.json", []string{containers, containers + `{"name": "x", "image": "registry.example/team/web@PASSES"}], ` + containers}, "cannot"},
		{"another kind", "create.json", []string{`"kind": {"group": "", "version": "v1", "kind": "Pod"},`, `"kind": {"group": "apps", "version": "v1", "kind": "Deployment"},`}, "judges pods"},
		{"another version", "create.json", []string{`"kind": {"group": "", "version": "v1", "kind": "Pod"},`, `"kind": {"group": "", "version": "v2", "kind": "Pod"},`}, "judges pods"},
		{"another operation", "create.json", []string{`"CREATE"`, `"CONNECT"`}, "CONNECT"},
		{"no pod", "create.json", []string{`"object": {`, `"thing": {`}, "cannot be read"},
		{"many images", "create.json", []string{containers, containers + strings.Repeat(`{"name": "x", "image": "a@PASSES"}, `, 1) + manyContainers(100)}, "at most 64"},
		{"a debug container that is blocked", "debug.json", nil, "tools"},
		{"a debug container that passes", "debug.json", []string{"@BLOCKED", "@PASSES"}, ""},
		{"what runs already, by a tag", "debug.json", []string{`,
        "ephemeralContainers": [{"name": "debugger-8xzrl", "image": "registry.example/team/tools@BLOCKED", "stdin": true, "tty": true, "targetContainerName": "web"}]`, ""}, ""},
		{"an update without what it was", "debug.json", []string{`"oldObject": {`, `"older": {`}, "what it was"},
		{"a pod that is deleted", "debug.json", []string{`"UPDATE"`, `"DELETE"`}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := w.document(t, c.file, c.replace...)
			out, code := w.ask(t, text)
			if out == nil {
				if c.refused != "cannot" { // a document that is not JSON is no review
					t.Fatalf("status %d", code)
				}
				return
			}
			switch r := out.Response; {
			case r.UID != "705ab4f5-6393-11e8-b7cc-42010a800002" && r.UID != "1f0c3b62-3d77-4ad2-8f2b-2f4f5b2f3c11":
				t.Errorf("uid %q", r.UID)
			case r.Allowed != (c.refused == ""):
				t.Errorf("allowed: %t, %+v", r.Allowed, r.Status)
			case !r.Allowed && (r.Status.Code != 403 || !strings.Contains(r.Status.Message, c.refused)):
				t.Errorf("refused by %d %q, want %q", r.Status.Code, r.Status.Message, c.refused)
			case r.Allowed && c.file == "create.json" && !strings.Contains(r.Annotations["verdicts"], "pass by policy release version 3"):
				t.Errorf("annotations %q", r.Annotations)
			}
		})
	}
}

func manyContainers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"name": "c%d", "image": "registry.example/c%d@PASSES"}, `, i, i)
	}
	return b.String()
}

// TestRequests: what is no review gets no answer that could be taken for one.
func TestRequests(t *testing.T) {
	w := newWorld(t)
	good := w.document(t, "create.json")
	for _, c := range []struct {
		name, method, mediaType, body string
		code                          int
	}{
		{"a review", "POST", "application/json; charset=utf-8", good, 200},
		{"a question", "GET", "application/json", "", 405},
		{"a form", "POST", "application/x-www-form-urlencoded", good, 415},
		{"no media type", "POST", "", good, 415},
		{"nothing", "POST", "application/json", "", 400},
		{"no JSON", "POST", "application/json", "pods: yes", 400},
		{"two reviews", "POST", "application/json", good + good, 400},
		{"a huge one", "POST", "application/json", good[:len(good)-2] + `, "padding": "` + strings.Repeat("x", 9<<20) + `"}`, 413},
		{"deep", "POST", "application/json", strings.Repeat("[", 1<<20), 400},
		{"no request", "POST", "application/json", `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}`, 400},
		{"no uid", "POST", "application/json", strings.Replace(good, `"705ab4f5-6393-11e8-b7cc-42010a800002"`, `""`, 1), 400},
		{"an older version", "POST", "application/json", strings.Replace(good, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1), 400},
		{"an uid twice", "POST", "application/json", strings.Replace(good, `"uid": "705`, `"uid": "x", "uid": "705`, 1), 400},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.mediaType)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != c.code || c.code != 200 && strings.Contains(rec.Body.String(), "allowed") {
			t.Errorf("%s: status %d, want %d: %.200s", c.name, rec.Code, c.code, rec.Body)
		}
	}
}

// TestSources: a source that hangs, fails, panics or floods admits nobody.
func TestSources(t *testing.T) {
	for name, source := range map[string]Source{
		"it hangs and heeds nobody": func(context.Context, image.Reference) (*Found, error) { select {} },
		"it waits for the context":  func(ctx context.Context, _ image.Reference) (*Found, error) { <-ctx.Done(); return nil, ctx.Err() },
		"it fails":                  func(context.Context, image.Reference) (*Found, error) { return nil, errors.New("away") },
		"it panics":                 func(context.Context, image.Reference) (*Found, error) { panic("a defect") },
		"it has nothing":            func(context.Context, image.Reference) (*Found, error) { return &Found{}, nil },
		"it has no subject": func(_ context.Context, ref image.Reference) (*Found, error) {
			return &Found{Bundles: [][]byte{[]byte("{}")}}, nil
		},
		"it has very many": func(_ context.Context, ref image.Reference) (*Found, error) {
			return &Found{Subject: ref.Digest, Bundles: slices.Repeat([][]byte{[]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`)}, 5000)}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.handler.Bundles, w.handler.Timeout = source, time.Second
			began := time.Now()
			out, _ := w.ask(t, w.document(t, "create.json"))
			if out == nil || out.Response.Allowed || out.Response.Status.Message == "" {
				t.Errorf("the answer is %+v", out)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestTrust: nobody is believed by default, and a policy of somebody else does not count.
func TestTrust(t *testing.T) {
	w := newWorld(t)
	w.handler.Verifier = attest.Verifier{}
	if out, _ := w.ask(t, w.document(t, "create.json")); out.Response.Allowed {
		t.Error("without a trust root somebody is believed")
	}
	for _, r := range []attest.Requirement{requirement(digest("another policy"), "production", 0), requirement("", "staging", 0)} {
		w := newWorld(t)
		w.handler.Requirement = r
		if out, _ := w.ask(t, w.document(t, "create.json")); out.Response.Allowed {
			t.Errorf("admitted by %+v", r.Decision)
		}
	}
}

// TestServe: mistakes in the settings are told at the start, and none lets it run open.
func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	bad := filepath.Join(t.TempDir(), "trust.json")
	if err := os.WriteFile(bad, []byte(`{"schema":"none"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-trust", filepath.Join(t.TempDir(), "absent.json")}, {"-trust", bad}} {
		if err := serve(ctx, args); err == nil {
			t.Errorf("%q: it serves", args)
		}
	}
}

// TestManifests reads what is applied to the cluster.
func TestManifests(t *testing.T) {
	f, err := os.Open("webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type rule struct {
		Operations, Resources []string
	}
	var kinds []string
	for d := yaml.NewDecoder(f); ; {
		var doc struct {
			Kind     string
			Webhooks []struct {
				Reviews  []string `yaml:"admissionReviewVersions"`
				Policy   string   `yaml:"failurePolicy"`
				Effects  string   `yaml:"sideEffects"`
				Timeout  int      `yaml:"timeoutSeconds"`
				Rules    []rule
				Selector map[string]any `yaml:"namespaceSelector"`
			}
		}
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, doc.Kind)
		for _, hook := range doc.Webhooks {
			if fmt.Sprint(hook.Reviews) != "[v1]" || hook.Policy != "Fail" || hook.Effects != "None" || time.Duration(hook.Timeout)*time.Second <= maxTimeout {
				t.Errorf("the webhook is %+v", hook)
			}
			if len(hook.Rules) != 1 || fmt.Sprint(hook.Rules[0]) != "{[CREATE UPDATE] [pods pods/ephemeralcontainers]}" {
				t.Errorf("its rules are %v", hook.Rules)
			}
		}
	}
	if fmt.Sprint(kinds) != "[ValidatingWebhookConfiguration Service Deployment]" {
		t.Errorf("there are %v", kinds)
	}
}
