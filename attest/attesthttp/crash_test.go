package attesthttp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/sum"
)

// flaky is a connection that breaks off, or lies.
type flaky struct {
	t      testing.TB
	cut    int64 // bytes that get through of each body; 0 for all
	change func(*http.Response)
	ranges []string
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	f.ranges = append(f.ranges, r.Header.Get("Range"))
	resp, err := (&http.Transport{DisableKeepAlives: true, DisableCompression: true}).RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if f.change != nil {
		f.change(resp)
	}
	if f.cut > 0 && resp.StatusCode < 300 {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(resp.Body, f.cut), failing{io.ErrUnexpectedEOF}), resp.Body}
	}
	return resp, nil
}

// TestNothingIsMadeByReading is 6.01: a GET of an export that nobody asked for changes
// nothing, and says how to ask.
func TestNothingIsMadeByReading(t *testing.T) {
	g := newRig(t)
	id := g.scan(t, "acme", image(0), true)
	for _, method := range []string{"GET", "HEAD"} {
		a := g.send(t, "acme/ann", method, "/api/v1/scans/"+id+"/export?format=spdx", nil)
		if want := `"create":"POST /api/v1/scans/` + id + `/exports"`; a.StatusCode != 404 || method == "GET" && !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %s", method, a.StatusCode, a.body)
		}
	}
	if list, err := g.client("acme/ann").Exports(t.Context(), id); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestLostObjects is 6.02 and 6.03: an object that is missing or damaged is never given
// out, is named, and is made again, with the same bytes.
func TestLostObjects(t *testing.T) {
	g := newRig(t)
	g.want(t, "acme", export.Sign)
	id := g.scan(t, "acme", image(6000), true) // some MiB, so that chunks are read one by one
	g.made(t, "acme", id, export.SPDX)
	ann := g.client("acme/ann")
	var good bytes.Buffer
	accept := &attesthttp.Download{Accept: attesthttp.TypeSPDX}
	kept, err := ann.Export(t.Context(), id, export.SPDX, &good, accept)
	if err != nil || kept.Size < 2<<20+100 {
		t.Fatalf("%+v, %v", kept, err)
	}
	file := g.object(t, kept.Digest)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(at int) []byte {
		out := bytes.Clone(whole)
		out[at] ^= 1
		return out
	}
	write := func(content []byte) {
		t.Helper()
		os.Chmod(file, 0o600)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		content []byte // nil: no file
		header  string
		code    string // "" where the answer has begun before it is found out
	}{
		"missing": {nil, "X: y", attesthttp.CodeMissing}, "first chunk": {damaged(9), "X: y", attesthttp.CodeDamaged}, "empty": {[]byte{}, "X: y", attesthttp.CodeDamaged}, "last chunk": {damaged(len(whole) - 1), "X: y", ""},
		"a part that is damaged": {damaged(2<<20 + 5), "Range: bytes=2097152-2097199", attesthttp.CodeDamaged}, "short": {whole[:len(whole)-1], "X: y", ""},
	} {
		g.healed, g.reports = nil, nil
		if write(c.content); c.content == nil {
			os.Remove(file)
		}
		body, status, code := g.stream(t, id, c.header, "Accept: "+attesthttp.TypeSPDX)
		if !bytes.HasPrefix(whole, body) && status < 300 || len(body) == len(whole) {
			t.Errorf("%s: %d bytes that were never kept", name, len(body))
		}
		if c.code != "" && (status != http.StatusServiceUnavailable || code != c.code) || c.code == "" && status != http.StatusOK {
			t.Errorf("%s: %d %q", name, status, code)
		}
		if diff := cmp.Diff([]string{"acme " + id + " spdx"}, g.healed); diff != "" || len(g.reports) != 1 || !strings.Contains(g.reports[0], kept.Digest) {
			t.Errorf("%s: healed %s, told %q", name, diff, g.reports)
		}
		if c.content != nil && c.code != attesthttp.CodeDamaged {
			write(whole)
		} else {
			g.make(t, "acme", id, export.SPDX) // which heals it
		}
		var again bytes.Buffer
		if d, err := ann.Export(t.Context(), id, export.SPDX, &again, accept); err != nil || d.Digest != kept.Digest || !bytes.Equal(again.Bytes(), good.Bytes()) {
			t.Errorf("%s: afterwards %+v, %v", name, d, err)
		}
	}
	write(damaged(0))
	g.exports.Heal = nil
	a := g.send(t, "acme/ann", "GET", "/api/v1/scans/"+id+"/export?format=spdx", nil, "Accept: "+attesthttp.TypeSPDX)
	if a.StatusCode != http.StatusInternalServerError || !strings.Contains(string(a.body), attesthttp.CodeDamaged) || a.Header.Get("ETag") != "" {
		t.Errorf("where nobody heals: %d %s", a.StatusCode, a.body)
	}
}

// stream sends a request to the handler itself, which may break the connection off.
func (g *rig) stream(t *testing.T, id string, header ...string) (body []byte, status int, code string) {
	t.Helper()
	server := httptest.NewServer(g.exports)
	defer server.Close()
	r, err := http.NewRequest(http.MethodGet, server.URL+"/api/v1/scans/"+id+"/export?format=spdx", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer acme/ann")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if resp.StatusCode < 300 && err == nil {
		t.Errorf("%d whole bytes", len(body))
	}
	for _, c := range []string{attesthttp.CodeMissing, attesthttp.CodeDamaged} {
		if resp.StatusCode >= 300 && strings.Contains(string(body), `"code":"`+c+`"`) {
			code = c
		}
	}
	return body, resp.StatusCode, code
}

// TestResume is 6.09: a download goes on where it broke off, and what is there in the end
// is what was announced.
func TestResume(t *testing.T) {
	g := newRig(t)
	id := g.scan(t, "acme", image(3000), true)
	g.made(t, "acme", id, export.SPDX)
	var whole bytes.Buffer
	kept, err := g.client("acme/ann").Export(t.Context(), id, export.SPDX, &whole, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, f := g.client("acme/ann"), &flaky{t: t, cut: 100 << 10}
	c.Transport = f
	var got bytes.Buffer
	d, err := c.Export(t.Context(), id, export.SPDX, &got, nil)
	if diff := cmp.Diff(kept, d); err != nil || diff != "" || !bytes.Equal(got.Bytes(), whole.Bytes()) || len(f.ranges) < 5 || f.ranges[1] != "bytes=102400-" {
		t.Errorf("%v %s: %d bytes by %q", err, diff, got.Len(), f.ranges)
	}
	// Another process goes on.
	half := whole.Bytes()[:whole.Len()/2]
	got.Reset()
	d, err = g.client("acme/ann").Export(t.Context(), id, export.SPDX, &got, &attesthttp.Download{Have: bytes.NewReader(half), Digest: kept.Digest})
	if diff := cmp.Diff(kept, d); err != nil || diff != "" || !bytes.Equal(got.Bytes(), whole.Bytes()[len(half):]) {
		t.Errorf("%v %s: %d bytes", err, diff, got.Len())
	}
	got.Reset()
	if d, err = g.client("acme/ann").Export(t.Context(), id, export.SPDX, &got, &attesthttp.Download{Have: bytes.NewReader(whole.Bytes()), Digest: kept.Digest}); err != nil || d.Size != kept.Size || got.Len() > 0 {
		t.Errorf("all of it: %+v, %v", d, err)
	}
	wrong := bytes.Clone(half)
	wrong[7] ^= 1
	if _, err = g.client("acme/ann").Export(t.Context(), id, export.SPDX, &got, &attesthttp.Download{Have: bytes.NewReader(wrong), Digest: kept.Digest}); !errors.Is(err, attesthttp.ErrMismatch) {
		t.Errorf("after other bytes: %v", err)
	}
	// Meanwhile another object has taken its place.
	if _, err = g.client("acme/ann").Export(t.Context(), id, export.SPDX, &got, &attesthttp.Download{Have: bytes.NewReader(half), Digest: digest("older")}); !errors.Is(err, attesthttp.ErrConflict) {
		t.Errorf("of another object: %v", err)
	}
	if _, err = g.client("acme/ann").Export(t.Context(), id, export.SPDX, &got, &attesthttp.Download{Have: bytes.NewReader(half)}); !errors.Is(err, attesthttp.ErrInvalid) {
		t.Errorf("of nobody knows what: %v", err)
	}
	broken := errors.New("disk full")
	if _, err = g.client("acme/ann").Export(t.Context(), id, export.SPDX, writer(func([]byte) (int, error) { return 0, broken }), nil); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("to a full disk: %v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestTruncation is 6.14: bytes that are missing, or others, are found out by the length
// and the digest that were announced first.
func TestTruncation(t *testing.T) {
	g := newRig(t)
	g.want(t, "acme", export.SignLog)
	id := g.scan(t, "acme", image(0), true)
	g.made(t, "acme", id, export.Evidence)
	var whole bytes.Buffer
	if _, err := g.client("acme/ann").Export(t.Context(), id, export.Evidence, &whole, nil); err != nil {
		t.Fatal(err)
	}
	with := func(body []byte, header ...string) func(*http.Response) {
		return func(resp *http.Response) {
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			for i := 0; i < len(header); i += 2 {
				resp.Header.Set(header[i], header[i+1])
			}
		}
	}
	half := whole.Bytes()[:bytes.IndexByte(whole.Bytes(), '\n')+1] // whole lines
	flipped := bytes.Clone(whole.Bytes())
	flipped[len(flipped)/2] ^= 1
	for name, c := range map[string]struct {
		change func(*http.Response)
		want   error
	}{
		"lines are missing": {with(half), attesthttp.ErrMismatch}, "another byte": {with(flipped), attesthttp.ErrMismatch},
		"more":      {func(r *http.Response) { r.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader("x"))) }, attesthttp.ErrMismatch},
		"less":      {func(r *http.Response) { r.Body = io.NopCloser(bytes.NewReader(half)) }, nil},
		"no digest": {func(r *http.Response) { r.Header.Del("ETag") }, attesthttp.ErrUnavailable}, "no length": {func(r *http.Response) { r.ContentLength = -1 }, attesthttp.ErrUnavailable},
		"a part": {func(r *http.Response) {
			r.StatusCode = http.StatusPartialContent
			r.Header.Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", whole.Len()-1, whole.Len()))
		}, attesthttp.ErrUnavailable},
		"another server": {func(r *http.Response) { r.StatusCode = http.StatusNotFound }, attesthttp.ErrUnavailable},
	} {
		client, f := g.client("acme/ann"), &flaky{t: t, change: c.change}
		client.Transport = f
		var got bytes.Buffer
		d, err := client.Export(t.Context(), id, export.Evidence, &got, nil)
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && err == nil || d != nil {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// TestOlderIsServed: while another export is wanted, the older one is given out, and
// says so; one that failed says why.
func TestOlderIsServed(t *testing.T) {
	g := newRig(t)
	id := g.scan(t, "acme", image(0), true)
	g.made(t, "acme", id, export.SPDX)
	g.want(t, "acme", export.SignLog) // another key of it from now on
	ann := g.client("acme/ann")
	if _, err := ann.Request(t.Context(), id, export.SPDX, export.CycloneDX); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if d, err := ann.Export(t.Context(), id, export.SPDX, &got, nil); err != nil || d.State != export.Queued || d.MediaType != attesthttp.TypeSPDX || sum.Of(got.Bytes()) != d.Digest {
		t.Errorf("%+v, %v", d, err)
	}
	of, err := g.root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	list, err := ann.Exports(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if _, err := of.Exports().Fail(t.Context(), &export.Failure{ScanID: id, Format: e.Format, Key: e.Key, Version: e.Version, Reason: "the key is locked", Permanent: true}); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := ann.Export(t.Context(), id, export.SPDX, &got, nil); err != nil || d.State != export.Failed {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := ann.Export(t.Context(), id, export.CycloneDX, &got, nil); !errors.Is(err, attesthttp.ErrConflict) || !strings.Contains(err.Error(), "the key is locked") {
		t.Errorf("%v", err)
	}
	// A bundle that lacks a proof says so, and is another one later.
	g.away = true
	g.made(t, "acme", id, export.SPDX)
	lacking, err := ann.Export(t.Context(), id, export.SPDX, &got, nil)
	if diff := cmp.Diff([]string{"log"}, lacking.Missing); err != nil || diff != "" || lacking.MediaType != attesthttp.TypeLines {
		t.Errorf("%v %s %+v", err, diff, lacking)
	}
}
