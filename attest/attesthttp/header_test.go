package attesthttp_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// status is what an error is answered with.
func status(err error) int {
	var e *httpjson.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Status
}

func TestChoose(t *testing.T) {
	offers := []string{"application/vnd.in-toto+json", "text/csv; charset=utf-8"}
	const signed, csv = 0, 1
	for accept, want := range map[string]int{
		"": signed, "*/*": signed, "application/*": signed, "text/*": csv, "text/csv": csv, "TEXT/CSV": csv, "text/csv;charset=UTF-8": csv, "text/csv, */*": signed, "text/csv, */*;q=0.9": csv,
		"application/vnd.in-toto+json;q=0.1, text/csv;q=0.2": csv, "application/vnd.in-toto+json;q=0, */*": csv, "application/*;q=0.5, application/vnd.in-toto+json;q=0.1, text/*;q=0.2": csv,
		"text/html, image/gif, *; q=.2, */*; q=.2": signed, "text/csv;q=1.000": csv, " , text/csv,": csv, "text/html, */*;q=0.001": signed,
	} {
		if got, err := attesthttp.Choose([]string{accept}, offers); err != nil || got != offers[want] {
			t.Errorf("%q: %q, %v", accept, got, err)
		}
	}
	for accept, want := range map[string]int{
		"text/html": 406, "*/*;q=0": 406, "text/csv;charset=latin1": 406, "application/json": 406, "text/*;q=0, application/*;q=0.000": 406,
		"text": 400, "text/": 400, "/csv": 400, "*/csv": 400, "text/csv;q=2": 400, "text/csv;q=-1": 400, "text/csv;q=0.1234": 400, "text/csv;q=1.1": 400, "text/csv;q=": 400, "text/csv;q=NaN": 400, "text/csv;q": 400, "a b/c": 400,
		strings.Repeat("text/html,", 65) + "text/csv": 400, strings.Repeat("a", 9000) + "/b": 400, "text/csv\x00": 400,
	} {
		if got, err := attesthttp.Choose([]string{accept}, offers); status(err) != want {
			t.Errorf("%.80q: %q, %v, want %d", accept, got, err, want)
		}
	}
	if got, err := attesthttp.Choose([]string{"text/html", "text/csv"}, offers); err != nil || got != offers[csv] {
		t.Errorf("two headers: %q, %v", got, err)
	}
}

func TestSpanOf(t *testing.T) {
	for header, want := range map[string][2]int64{
		"bytes=0-": {0, 100}, "bytes=0-0": {0, 1}, "bytes=99-": {99, 1}, "bytes=10-19": {10, 10}, "bytes=50-1000": {50, 50}, "bytes=-1": {99, 1}, "bytes=-1000": {0, 100}, "Bytes=1-2": {1, 2},
		"bytes=5-99999999999999999999999": {5, 95}, "bytes=-99999999999999999999999": {0, 100}, "bytes= 7-8": {7, 2},
	} {
		if start, length, part, err := attesthttp.SpanOf([]string{header}, 100); err != nil || !part || start != want[0] || length != want[1] {
			t.Errorf("%q: %d+%d, %v, %v", header, start, length, part, err)
		}
	}
	for _, header := range []string{"items=0-1", "bytes=0-1,5-6", "bytes=" + strings.Repeat("0-1,", 1000) + "2-3"} {
		if start, length, part, err := attesthttp.SpanOf([]string{header}, 100); err != nil || part || start != 0 || length != 100 {
			t.Errorf("%.40q: %d+%d, %v, %v", header, start, length, part, err)
		}
	}
	for header, want := range map[string]int{
		"bytes=100-": 416, "bytes=-0": 416, "bytes=99999999999999999999-": 416, "": 400, "bytes": 400, "bytes=": 400, "bytes=-": 400, "bytes=5-4": 400, "bytes=a-b": 400, "bytes=1": 400, "bytes=--1": 400, "bytes=+1-2": 400,
		"bytes=1-2-3": 400, "bytes=0x1-2": 400, "bytes=1 - 2": 400,
	} {
		if _, _, part, err := attesthttp.SpanOf([]string{header}, 100); status(err) != want || part {
			t.Errorf("%q: %v, %v, want %d", header, part, err, want)
		}
	}
	if _, _, _, err := attesthttp.SpanOf([]string{"bytes=0-", "bytes=0-"}, 100); status(err) != 400 {
		t.Errorf("two headers: %v", err)
	}
	if _, _, _, err := attesthttp.SpanOf([]string{"bytes=0-"}, 0); status(err) != 416 {
		t.Errorf("of nothing: %v", err)
	}
}

// FuzzHeaders asks for exports with any query and headers. The answer is one that is
// documented; its bytes are those of the export, or a part of them, as it says.
func FuzzHeaders(f *testing.F) {
	for _, s := range [][4]string{
		{"format=spdx", "", "", ""}, {"format=sarif&format=spdx", "*/*", "bytes=0-9", ""}, {"format=spdx", "application/spdx+json;q=0.3, text/*", "bytes=-5", `"sha256:0"`}, {"format=%zz", "a/b;q=", "bytes=9-1", "x"},
		{"format=spdx&x=1", "*", "bytes=1-,2-", ""}, {"", "text/csv;q=0.000", "bytes=99999999999999999999-", "Mon, 01 Jan 2024 00:00:00 GMT"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	g := newRig(f) // all inputs of this process share it
	g.want(f, "acme", export.Sign)
	id := g.scan(f, "acme", image(0), true)
	g.made(f, "acme", id, export.SPDX)
	whole := map[string][]byte{}
	for _, accept := range []string{attesthttp.TypeLines, attesthttp.TypeSPDX} {
		a := g.send(f, "acme/ann", "GET", "/api/v1/scans/"+id+"/export?format=spdx", nil, "Accept: "+accept)
		whole[a.Header.Get("ETag")] = a.body
	}
	f.Fuzz(func(t *testing.T, query, accept, part, condition string) {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/scans/"+id+"/export", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer acme/ann")
		for name, value := range map[string]string{"Accept": accept, "Range": part, "If-Range": condition} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		g.exports.ServeHTTP(w, r)
		body, all := w.Body.Bytes(), whole[w.Header().Get("ETag")]
		switch w.Code {
		case http.StatusOK:
			if values, err := url.ParseQuery(query); err != nil || !slices.Equal(values["format"], []string{"spdx"}) || len(values) != 1 || all == nil || !bytes.Equal(body, all) || w.Header().Get("ETag") != httpjson.Tag(sum.Of(body)) {
				t.Fatalf("%q: %d bytes of %s", query, len(body), w.Header().Get("ETag"))
			}
		case http.StatusPartialContent:
			start, length, ok, err := attesthttp.SpanOf([]string{part}, int64(len(all)))
			if err != nil || !ok || !bytes.Equal(body, all[start:start+length]) || condition != "" && condition != w.Header().Get("ETag") {
				t.Fatalf("%q: %d bytes, with %s", part, len(body), w.Header().Get("Content-Range"))
			}
		case 400, 406, 416:
			if w.Header().Get("Content-Type") != httpjson.ProblemType {
				t.Fatalf("%d %s", w.Code, body)
			}
		default:
			t.Fatalf("%d %s", w.Code, body)
		}
	})
}

// FuzzBodies reads bodies of strangers: what is accepted is written and read again as
// the same.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"scan_id":"scan-1","predicate_type":"spdx","digest":"sha256:0","key_id":"k"}`, `{"formats":["spdx","x"]}`, `{"formats":[]}`, `{"formats":null}`, `{}`, `[`, "",
		`{"mode":"sign","formats":null,"targets":[{"name":"a","url":"s3://b","formats":["csv"],"secret":"env:X"}]}`, `{"mode":"off","mode":"sign"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, v := range attesthttp.Bodies() {
			if httpjson.Decode(bytes.NewReader(body), attesthttp.MaxBody, v) != nil {
				continue
			}
			text, err := httpjson.Encode(v)
			if err != nil {
				t.Fatal(err)
			}
			again := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			if err := httpjson.Decode(bytes.NewReader(text), 4*attesthttp.MaxBody, again); err != nil {
				t.Fatalf("%s is read as %s, and not again: %v", body, text, err)
			}
			if twice, err := httpjson.Encode(again); err != nil || !bytes.Equal(text, twice) {
				t.Errorf("%s is %s, and then %s, %v", body, text, twice, err)
			}
		}
	})
}
