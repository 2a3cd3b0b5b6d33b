package httpjson

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

func TestReadBytes(t *testing.T) {
	for name, test := range map[string]struct {
		request *http.Request
		want    string
		kind    fault.Kind
		detail  string
	}{
		"as long as may be": {request("12345678"), "12345678", "", ""},
		"too long":          {request("123456789"), "", fault.Limit, "request: bytes of a thing: 9 is over the limit of 8"},
		"nobody says how long": {httptest.NewRequest("POST", "/", struct{ *strings.Reader }{strings.NewReader("123456789")}), "",
			fault.Limit, "request: bytes of a thing: over the limit of 8"},
		"cut off": {httptest.NewRequest("POST", "/", &cut{strings.NewReader("1234")}), "", fault.Invalid, "read a thing: it ended early: invalid input"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ReadBytes(test.request, "a thing", 8)
			if string(got) != test.want || fault.KindOf(err) != test.kind {
				t.Fatalf("%q, %v", got, err)
			}
			if err != nil && err.Error() != test.detail {
				t.Errorf("%q, want %q", err, test.detail)
			}
		})
	}
}

func TestAfter(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "1": 1, "2147483647": 1<<31 - 1, "2147483648": -1, "0": -1, "-1": -1, "+1": -1, "1_0": -1, " 1": -1, "0x1": -1, "x": -1} {
		n, err := After(url.Values{"after": {text}}, 32)
		if p, _ := Of(err); want < 0 && (!errors.Is(err, fault.Invalid) || p.Status != 400) || want >= 0 && (err != nil || n != want) {
			t.Errorf("%q: %d, %v; want %d", text, n, err, want)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	type result struct {
		key string
		ok  bool
	}
	for name, test := range map[string]struct {
		keys []string
		want result
	}{
		"none": {nil, result{"", true}}, "one": {[]string{"a key"}, result{"a key", true}}, "as long as may be": {[]string{"12345678"}, result{"12345678", true}},
		"too long": {[]string{"123456789"}, result{}}, "two": {[]string{"a", "a"}, result{}}, "empty": {[]string{""}, result{}},
		"a space": {[]string{"a "}, result{}}, "not ASCII": {[]string{"ä"}, result{}}, "a control": {[]string{"a\x7f"}, result{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header["Key"] = test.keys
			key, err := IdempotencyKey(r, "Key", 8)
			if diff := cmp.Diff(test.want, result{key, err == nil}, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("want - got +\n%s%v", diff, err)
			}
		})
	}
}

func TestUnchanged(t *testing.T) {
	for known, want := range map[string]bool{`"a"`: true, `W/"a"`: true, `"b", "a"`: true, `*`: true, ``: false, `"b"`: false, `a`: false, `"A"`: false} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("If-None-Match", known)
		status := map[bool]int{true: 304, false: 200}[want]
		if got := Unchanged(w, r, "a"); got != want || w.Code != status || w.Header().Get("ETag") != `"a"` {
			t.Errorf("%s: %v, %d, %v", known, got, w.Code, w.Header())
		}
	}
}

func TestQueryFault(t *testing.T) {
	for err, want := range map[error]int{fmt.Errorf("after: %w", fault.Invalid): 400, fault.NotFound: 404, fault.Unavailable: 503} {
		if p, _ := Of(QueryFault(err)); p.Status != want {
			t.Errorf("%v: %d, want %d", err, p.Status, want)
		}
	}
	if err := QueryFault(nil); err != nil {
		t.Error(err)
	}
}

// What a store says of its own data is never the client's fault.
func TestKept(t *testing.T) {
	var told error
	m := &Mux{Report: func(_ string, err error) { told = err }}
	r := httptest.NewRequest("GET", "/x", nil)
	p, _ := Of(m.Damaged(r, Kept(fault.Invalid)))
	if p.Status != 500 || p.RequestID == "" || !errors.Is(told, fault.Mismatch) {
		t.Errorf("%+v, the operator was told %v", p, told)
	}
	told = nil
	if err := m.Damaged(r, Kept(fault.NotFound)); err != fault.NotFound || told != nil {
		t.Errorf("%v, the operator was told %v", err, told)
	}
	if p, internal := Of(Opened("t", fault.Forbidden)); p.Status != 500 || !internal {
		t.Errorf("a tenant that is refused: %+v", p)
	}
	if err := Opened("t", fault.Unavailable); err != fault.Unavailable {
		t.Error(err)
	}
}

func TestInto(t *testing.T) {
	for text, want := range map[string]string{`{"name":"right"}`: "right", `{"name":"wrong"}`: "before", `{"name":`: "before", `{"name":"right", "bytes":"AAAAAAAAAAAA"}`: "before"} {
		w := httptest.NewRecorder()
		WriteBytes(w, 200, "application/json", []byte(text))
		v := body{Name: "before"}
		err := Into(&v, 32, func(b *body) bool { return b.Name == "right" })(w.Result())
		if v.Name != want || (err == nil) != (want == "right") {
			t.Errorf("%s: %q, %v", text, v.Name, err)
		}
	}
}
