package scan_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/pullsecret"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
)

// uploading is a site whose worker reads SBOMs.
func uploading(t *testing.T) *site {
	s := newSite(t)
	s.worker.Decode = format.Decode
	s.worker.MediaType = func(name string) (string, string) { return format.MediaType(name), format.Suffix(name) }
	return s
}

func (s *site) upload(text string) *scan.Job {
	s.Helper()
	ref, err := s.bucket.Put(s.Context(), strings.NewReader(text))
	if err != nil {
		s.Fatal(err)
	}
	return s.submit(scan.Request{Image: "shop@1.4", SBOM: scan.ObjectOf(ref)})
}

// neutral reads the document of a scan.
func (s *site) neutral(id string) *sbom.Document {
	s.Helper()
	docs, err := s.scans.Documents(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	for _, d := range docs {
		if d.Format == scan.Neutral {
			doc, _, err := format.Decode(bytes.NewReader(d.Content))
			if err != nil {
				s.Fatal(err)
			}
			return doc
		}
	}
	s.Fatal("no neutral document")
	return nil
}

// TestWorkerReadsSBOM: an SBOM that says to be of an image is not taken for the image.
func TestWorkerReadsSBOM(t *testing.T) {
	s := uploading(t)
	claim := "sha256:" + strings.Repeat("ab", 32)
	doc := &sbom.Document{
		Subject:  sbom.Subject{ID: "app", Kind: sbom.SubjectImage, Name: "app", ConfigDigest: claim, Platform: "linux/amd64", Labels: []sbom.Property{{Name: "cpe", Value: "cpe:/o:x"}}, Layers: []sbom.Layer{{DiffID: claim}}},
		Packages: []sbom.Package{{ID: "p1", Name: "zlib"}},
		Source:   &sbom.Source{Reference: "registry.example/app:1", Manifest: claim}, Composition: &sbom.Composition{Root: claim},
	}
	doc.Normalize()
	var b bytes.Buffer
	if _, err := format.Encode(&b, doc, format.StellaJSON, nil); err != nil {
		t.Fatal(err)
	}
	j := s.upload(b.String())
	s.work(t.Context(), j, 1)
	got := s.job(j.ID)
	if got.State != scan.Evaluating || got.Image != "shop@1.4" || got.Summary.ImageDigest != "" || got.Summary.Packages != 1 || got.Summary.Gaps != 2 {
		t.Fatalf("%+v, %+v", got, got.Summary)
	}
	read := s.neutral(j.ID)
	if read.Subject.ConfigDigest != "" || read.Subject.Platform != "" || read.Subject.Labels != nil || read.Subject.Layers != nil || read.Source != nil || read.Composition != nil || read.Subject.Name != "app" {
		t.Errorf("the document has what only the image can say: %+v, %+v", read.Subject, read.Source)
	}
	if len(read.Gaps) != 2 || read.Blocked() || !strings.Contains(read.Gaps[0].What+read.Gaps[1].What, claim) {
		t.Errorf("gaps: %+v", read.Gaps)
	}
	docs, err := s.scans.Documents(t.Context(), j.ID)
	if err != nil || len(docs) != 3 || docs[2].Format != scan.Uploaded || docs[2].Name != "uploaded.stella-1.json" && !strings.HasPrefix(docs[2].Name, "uploaded.stella") {
		t.Errorf("documents: %+v %v", docs, err)
	}
	again := s.upload(b.String())
	s.work(t.Context(), again, 1)
	if a, b := got.Summary.SBOMDigest, s.job(again.ID).Summary.SBOMDigest; a != b {
		t.Errorf("one SBOM is %s and %s", a, b)
	}
	if len(s.opened) != 0 {
		t.Errorf("images were opened: %v", s.opened)
	}
}

func TestWorkerRefusesSBOM(t *testing.T) {
	s := uploading(t)
	for text, want := range map[string]string{
		"hello": "neither CycloneDX", `{"bomFormat":"CycloneDX","specVersion":"9.9"}`: "9.9", `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{]}`: "invalid",
	} {
		j := s.upload(text)
		s.work(t.Context(), j, 1)
		if got := s.job(j.ID); got.State != scan.Failed || !strings.Contains(got.Reason, want) || !strings.Contains(got.Reason, "sbom:sha256:") {
			t.Errorf("%s: %s: %s", text, got.State, got.Reason)
		}
	}
	j := s.upload(`{"bomFormat":"CycloneDX","specVersion":"1.5"}`)
	s.work(t.Context(), j, 1)
	if got := s.job(j.ID); got.State != scan.Evaluating || !got.Summary.Blocked || !s.neutral(j.ID).Blocked() {
		t.Errorf("nothing in it: %+v", got)
	}
	for name, r := range map[string]scan.Request{
		"digest": {Image: "a", SBOM: &scan.Object{Digest: "sha256:0", Size: 1}}, "size": {Image: "a", SBOM: &scan.Object{Digest: "sha256:" + strings.Repeat("0", 64), Size: scan.MaxUpload + 1}},
		"platform": {Image: "a", Platform: "linux/amd64", SBOM: &scan.Object{Digest: "sha256:" + strings.Repeat("0", 64), Size: 1}},
		"secret":   {Image: "a", Authorization: "Basic x", SBOM: &scan.Object{Digest: "sha256:" + strings.Repeat("0", 64), Size: 1}},
		"name":     {Image: " a", SBOM: &scan.Object{Digest: "sha256:" + strings.Repeat("0", 64), Size: 1}}, "project": {Image: "a", Project: &scan.ProjectName{Name: "a"}},
		"layers": {Image: "a", Authorization: "Basic x", StoreLayers: true}, "header": {Image: "a", Authorization: "Basic canary\r\nX: y"}, "long": {Image: "a", Authorization: scan.Secret(strings.Repeat("canary", 4000))},
	} {
		if err := r.Normalize(); !errors.Is(err, scan.ErrInvalid) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWorkerOpensWithCredential: what came with the job reaches Open, and nothing else.
func TestWorkerOpensWithCredential(t *testing.T) {
	s := newSite(t)
	box, err := pullsecret.New(bytes.Repeat([]byte{1}, pullsecret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s.scans = s.scans.With(&store.ScansOptions{Seal: box.Seal})
	const secret = scan.Secret("Basic Y2FuYXJ5")
	r := scan.Request{Image: "registry.example/a:1", PlainHTTP: true, Authorization: secret}
	if text := fmt.Sprintf("%v %+v %#v", r, r, r); strings.Contains(text, "Y2Fu") {
		t.Errorf("printed: %s", text)
	}
	for name, test := range map[string]struct {
		unseal func(tenant, id string, sealed []byte) (scan.Secret, error)
		state  scan.State
		reason string
	}{
		"opened": {box.Open, scan.Evaluating, ""}, "no key": {nil, scan.Failed, "has no key"},
		"another key": {func(string, string, []byte) (scan.Secret, error) { return box.Open("acme", "scan-other", nil) }, scan.Failed, "not sealed by"},
	} {
		s.opened, s.worker.Unseal = nil, test.unseal
		j := s.submit(r)
		s.work(t.Context(), j, 1)
		got := s.job(j.ID)
		if got.State != test.state || !strings.Contains(got.Reason, test.reason) || strings.Contains(got.Reason, "Y2Fu") {
			t.Errorf("%s: %s: %s", name, got.State, got.Reason)
		}
		if test.state == scan.Evaluating && (len(s.opened) != 1 || s.opened[0].Authorization != secret || !s.opened[0].PlainHTTP) || test.state == scan.Failed && len(s.opened) != 0 {
			t.Errorf("%s: opened %d", name, len(s.opened))
		}
	}
	brief := s.scans.With(&store.ScansOptions{Seal: box.Seal, SecretLife: 1})
	j, _, err := brief.Submit(t.Context(), r, "")
	if err != nil {
		t.Fatal(err)
	}
	s.work(t.Context(), j, 1)
	if got := s.job(j.ID); got.State != scan.Failed || !strings.Contains(got.Reason, "submit it again") {
		t.Errorf("after its time: %s: %s", got.State, got.Reason)
	}
}

// The UUIDs of RFC 9562, A.4, and those that stand for projects.
func TestDerivedID(t *testing.T) {
	a, b := scan.ProjectID("acme", scan.ProjectName{Name: "a", Version: "b"}), scan.ProjectID("acme", scan.ProjectName{Name: "a\x00b"})
	if a == b || a != scan.ProjectID("acme", scan.ProjectName{Name: "a", Version: "b"}) || len(a) != 36 || a[14] != '5' || !strings.Contains("89ab", a[19:20]) {
		t.Errorf("%s, %s", a, b)
	}
	if scan.ProjectID("acme", scan.ProjectName{Name: "a"}) == scan.ProjectID("other", scan.ProjectName{Name: "a"}) || scan.UploadToken("acme", "scan-1") == scan.UploadToken("acme", "scan-2") {
		t.Error("different things have one UUID")
	}
}
