package scanhttp_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
)

// TestLabels: what a submitter calls his scan is kept with its manifest, and no label is
// kept that is none.
func TestLabels(t *testing.T) {
	g := newRig(t)
	c := g.client("acme/ann")
	labels := map[string]string{"team": "payments", "größe": "a \"b\" <c>", "empty": ""}
	j, _, err := c.Submit(t.Context(), scan.Request{Image: "alpine", Labels: labels}, "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, repeated, err := c.Submit(t.Context(), scan.Request{Image: "alpine", Labels: labels}, "k"); err != nil || !repeated {
		t.Errorf("the same labels again: %v, %v", repeated, err)
	}
	if _, _, err := c.Submit(t.Context(), scan.Request{Image: "alpine"}, "k"); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("without labels under the same key: %v", err)
	}
	text, err := c.Manifest(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	m, err := scan.DecodeManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(labels, m.Labels); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{`{"image_ref":"alpine","labels":{"":"v"}}`, `{"image_ref":"alpine","labels":{"a b":"v"}}`, `{"image_ref":"alpine","labels":{"k":"a\u0000b"}}`, `{"image_ref":"alpine","labels":{"k":"a\r\nb"}}`} {
		if a := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(body)); a.StatusCode != 422 {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.body)
		}
	}
	for _, body := range []string{`{"image_ref":"alpine","labels":{"k":1}}`, `{"image_ref":"alpine","labels":{"k":"v","k":"w"}}`, `{"image_ref":"alpine","labels":["k"]}`} {
		if a := g.send(t, "acme/ann", "POST", "/api/v1/scans", []byte(body)); a.StatusCode/100 != 4 {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.body)
		}
	}
}
