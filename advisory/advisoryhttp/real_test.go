package advisoryhttp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/advisory/advisorytest"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// realBackend has the records of shared packs, and the snapshot of them.
func realBackend(t *testing.T) (*backend, []*advisory.Record) {
	t.Helper()
	var paths []string
	for _, pack := range []string{"osv-go", "osv-pypi", "osv-almalinux", "osv-ghsa-mixed", "osv-other-mixed"} {
		paths = append(paths, testdata.Path(t, "advisories/"+pack+".tar.gz"))
	}
	var list []*advisory.Record
	for r, err := range osv.Walk(t.Context(), nil, paths...) {
		var broken *advisory.RecordError
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	var b bytes.Buffer
	var records iter.Seq2[*advisory.Record, error] = func(yield func(*advisory.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
	if _, err := snapshot.Build(&b, records); err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	back := newBackend(t)
	back.snap, back.head.Digest = s, s.Digest()
	return back, list
}

// recorder keeps what a client is answered.
type recorder struct{ list []openapitest.Exchange }

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	request, err := io.ReadAll(q.Body)
	if err != nil {
		return nil, err
	}
	q.Body = io.NopCloser(bytes.NewReader(request))
	resp, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	x := openapitest.Exchange{Name: q.Method + " " + q.URL.String(), Method: q.Method, Path: operation(q.Method, q.URL.EscapedPath()), Request: request, Status: resp.StatusCode, Header: resp.Header, Body: body}
	if q.Header.Get("Content-Type") != "application/json" {
		x.Request = nil
	}
	r.list = append(r.list, x)
	return resp, err
}

// TestReal serves real records. What the service says of real SBOMs is what is said
// here, and every answer is as the document has it.
func TestReal(t *testing.T) {
	b, records := realBackend(t)
	ctx := t.Context()
	c, seen := serve(t, b, "reader"), &recorder{}
	c.Transport = seen
	far, err := c.View(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	var some []*advisory.Record
	for i := 0; i < len(records); i += 397 {
		some = append(some, records[i])
	}
	advisorytest.TestView(t, b.snap, far, some)
	here := advisory.Matcher{View: b.snap, Options: advisory.Options{At: b.handler().Now()}}
	findings, explained := 0, 0
	files := testdata.Open(t, "sbom/guac-top-images.tar.gz")
	for i, name := range testdata.Names(files) {
		doc, _, err := format.Decode(bytes.NewReader(files[name]))
		if err != nil || i%5 != 0 {
			continue
		}
		want, err := here.Match(ctx, doc)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Match(ctx, files[name], nil)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v (-here +service)\n%s", name, err, diff)
		}
		findings += len(want.Findings)
		for j := 0; j < len(want.Findings); j += 10 {
			f := &want.Findings[j]
			explained += explainReal(ctx, t, c, here, f.PURL, f.Vulnerability)
		}
	}
	for _, r := range some {
		a, err := c.Advisory(ctx, r.ID)
		if err != nil || len(a.Records) == 0 {
			t.Errorf("%s: %+v, %v", r.ID, a, err)
		}
		for _, p := range r.Affected {
			if a, err := c.Package(ctx, p.Ecosystem, p.Name); p.Ecosystem != "" && (err != nil || len(a.Records) == 0) {
				t.Errorf("%s %s: %+v, %v", p.Ecosystem, p.Name, a, err)
			}
		}
	}
	openapitest.Open(t, documentFile).CheckEach(t, seen.list)
	t.Logf("%d records of %d, %d findings, %d explanations, %d answers", len(some), len(records), findings, explained, len(seen.list))
	if findings == 0 || explained == 0 {
		t.Error("nothing was found")
	}
}

// explainReal compares an explanation of a package URL.
func explainReal(ctx context.Context, t *testing.T, c *advisoryhttp.Client, here advisory.Matcher, url, id string) int {
	t.Helper()
	doc, err := advisory.PackageDocument(url)
	if err != nil {
		return 0
	}
	want, err := here.Explain(ctx, doc, doc.Packages[0].ID, id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Explain(ctx, advisoryhttp.Question{PURL: url, Vulnerability: id}, nil)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("%s of %s: %v (-here +service)\n%s", id, url, err, diff)
	}
	return 1
}
