package httpjson

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

type inner struct {
	N int `json:"n"`
}

type body struct {
	Name  string            `json:"name"`
	Inner *inner            `json:"inner,omitempty"`
	List  []int             `json:"list,omitempty"`
	Bytes []byte            `json:"bytes,omitempty"`
	Map   map[string]string `json:"map,omitempty"`
}

func request(text string, header ...string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestRead(t *testing.T) {
	var got body
	r := request(` {"name":"a\"[[[","inner":{"n":1},"list":[1,2]} ` + "\n")
	r.Header.Set("Content-Type", `application/json; charset=UTF-8`)
	if err := Read(r, 100, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(body{Name: `a"[[[`, Inner: &inner{1}, List: []int{1, 2}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefuses(t *testing.T) {
	deep := func(n int) string { return `{"list":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	for name, test := range map[string]struct {
		text   string
		status int
		says   string
		header []string
	}{
		"empty":            {"", 400, "not one JSON value", nil},
		"half":             {`{"name":"`, 400, "not one JSON value", nil},
		"unknown":          {`{"name":"a","owner":"eve"}`, 400, `"/owner" is not a member`, nil},
		"unknown within":   {`{"inner":{"m":1}}`, 400, `"/inner/m" is not a member`, nil},
		"other case":       {`{"NAME":"a"}`, 400, `"/NAME" is not a member`, nil},
		"twice":            {`{"name":"a","name":"b"}`, 400, `"/name" is there twice`, nil},
		"twice by escape":  {`{"name":"a","n\u0061me":"b"}`, 400, "twice", nil},
		"twice in a map":   {`{"map":{"a":"1","a":"2"}}`, 400, `"/map/a" is there twice`, nil},
		"trailing":         {`{"name":"a"} {}`, 400, "not one JSON value", nil},
		"trailing garbage": {`{"name":"a"}x`, 400, "not one JSON value", nil},
		"type":             {`{"name":1}`, 400, `"/name" does not have a value`, nil},
		"array":            {`[]`, 400, "not an object", nil},
		"null":             {"\n null ", 400, "want a value", nil},
		"fraction":         {`{"inner":{"n":1.5}}`, 400, `"/inner/n"`, nil},
		"large number":     {`{"inner":{"n":99999999999999999999}}`, 400, `"/inner/n"`, nil},
		"base64":           {`{"bytes":"!"}`, 400, `"/bytes"`, nil},
		"not UTF-8":        {"{\"name\":\"\xff\"}", 400, "not one JSON value", nil},
		"surrogate":        {`{"name":"\ud800"}`, 400, "not one JSON value", nil},
		"NaN":              {`{"inner":{"n":NaN}}`, 400, "not one JSON value", nil},
		"comment":          {`{/**/}`, 400, "not one JSON value", nil},
		"BOM":              {"\ufeff{}", 400, "not one JSON value", nil},
		"deep":             {deep(MaxDepth), 413, "nesting", nil},
		"long":             {`{"name":"` + strings.Repeat("a", 200) + `"}`, 413, "limit of 200", nil},
		"long space":       {`{}` + strings.Repeat(" ", 200), 413, "limit of 200", nil},
		"gzip":             {`{}`, 415, "Content-Encoding", []string{"Content-Encoding: gzip"}},
		"two types":        {`{}`, 415, "2 Content-Type", []string{"Content-Type: text/plain"}},
	} {
		r := request(test.text, test.header...)
		if name == "long" {
			r.ContentLength = -1 // nobody says so
		}
		var got body
		err := Read(r, 200, &got)
		p, internal := Of(err)
		if internal || p.Status != test.status || !strings.Contains(p.Detail, test.says) || strings.Contains(p.Detail, "httpjson") {
			t.Errorf("%s: %d %q (internal %v), want %d and %q", name, p.Status, p.Detail, internal, test.status, test.says)
		}
	}
	for _, contentType := range []string{"", "text/json", "application/json; charset=latin1", "application/json; v=2", "application/json, text/plain", "\x00"} {
		r := request(`{}`)
		r.Header.Set("Content-Type", contentType)
		if p, _ := Of(Read(r, 200, new(body))); p.Status != 415 || p.Type != typePrefix+"unsupported" {
			t.Errorf("Content-Type %q: %d", contentType, p.Status)
		}
	}
	if p, _ := Of(Decode(&cut{strings.NewReader(`{"name":`)}, 200, new(body))); p.Status != 400 || !strings.Contains(p.Detail, "ended early") {
		t.Errorf("a body that breaks off: %d %s", p.Status, p.Detail)
	}
}

// cut is a body whose connection ends.
type cut struct{ *strings.Reader }

func (c *cut) Read(p []byte) (int, error) {
	if c.Len() == 0 {
		return 0, errors.New("connection reset")
	}
	return c.Reader.Read(p)
}

// TestKinds sends an error of each kind over the wire and wants it back.
func TestKinds(t *testing.T) {
	want := map[fault.Kind]int{fault.Invalid: 422, fault.Unsupported: 422, fault.NotFound: 404, fault.Conflict: 409, fault.Fenced: 409, fault.Unauthenticated: 401,
		fault.Forbidden: 403, fault.Unavailable: 503, fault.Limit: 413, fault.Mismatch: 422}
	types := map[string]bool{}
	for _, k := range kinds {
		remote := over(t, fmt.Errorf("take %q: %w", "it", k.kind))
		if remote.Problem.Status != want[k.kind] || !errors.Is(remote, k.kind) || !remote.Typed || !strings.Contains(remote.Error(), `take "it"`) {
			t.Errorf("%s: %+v %v", k.kind, remote, remote)
		}
		for other := range want {
			if other != k.kind && errors.Is(remote, other) {
				t.Errorf("%s is also %s", k.kind, other)
			}
		}
		if (remote.RetryAfter == RetryAfter*time.Second) != (k.kind == fault.Unavailable) {
			t.Errorf("%s: Retry-After %v", k.kind, remote.RetryAfter)
		}
		types[remote.Problem.Type] = true
	}
	if len(types) != len(want) {
		t.Errorf("types: %v", types)
	}
	var l *fault.LimitError
	if remote := over(t, &fault.LimitError{What: "w", Where: "x", Max: 3, Seen: 4}); !errors.As(remote, &l) || *l != (fault.LimitError{What: "w", Where: "x", Max: 3, Seen: 4}) {
		t.Errorf("limit: %v", remote)
	}
	var m *fault.MismatchError
	if remote := over(t, &fault.MismatchError{What: "w", Want: "x", Got: "y"}); !errors.As(remote, &m) || *m != (fault.MismatchError{What: "w", Want: "x", Got: "y"}) {
		t.Errorf("mismatch: %v", remote)
	}
	extra := over(t, &Error{Status: 400, Extra: map[string]any{"known": []string{"a"}}, Err: fault.Invalid})
	if diff := cmp.Diff(map[string]any{"known": []any{"a"}}, extra.Problem.Extra); extra.Problem.Status != 400 || diff != "" {
		t.Errorf("extra members: %d %s", extra.Problem.Status, diff)
	}
	if taken := over(t, &Error{Extra: map[string]any{"status": 1}, Err: fault.Conflict}); taken.Problem.Status != 409 || !errors.Is(taken, fault.Conflict) {
		t.Errorf("an extra member of a taken name: %+v", taken)
	}
}

// over writes the problem of err and reads it back.
func over(t *testing.T, err error) *Remote {
	t.Helper()
	w := httptest.NewRecorder()
	w.Header().Set("ETag", `"meant"`)
	p, internal := Of(err)
	if internal {
		p.RequestID = "R1"
	}
	p.Write(w)
	resp := w.Result()
	if resp.Header.Get("ETag") != "" || resp.Header.Get("Content-Type") != ProblemType || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("header: %v", resp.Header)
	}
	return ReadError(resp)
}

// TestInternal: what a library or the system says stays here.
func TestInternal(t *testing.T) {
	secret := &net.OpError{Op: "dial", Net: "tcp", Err: &fs.PathError{Op: "open", Path: "/etc/secret", Err: fs.ErrNotExist}}
	for name, test := range map[string]struct {
		err    error
		status int
		kind   fault.Kind
	}{
		"unknown":                 {errors.New("secret"), 500, ""},
		"foreign":                 {secret, 500, ""},
		"foreign and unavailable": {fmt.Errorf("secret: %w: %w", secret, fault.Unavailable), 503, fault.Unavailable},
		"foreign and conflict":    {errors.Join(secret, fault.Conflict), 409, fault.Conflict},
		"foreign and invalid":     {fmt.Errorf("secret: %w: %w", secret, fault.Invalid), 500, ""},
		"foreign and forbidden":   {fmt.Errorf("secret: %w: %w", secret, fault.Forbidden), 500, ""},
		"deadline":                {fmt.Errorf("secret: %w", context.DeadlineExceeded), 503, fault.Unavailable},
		"cancelled":               {fmt.Errorf("secret: %w: %w", context.Canceled, fault.Invalid), 503, fault.Unavailable},
	} {
		p, internal := Of(test.err)
		b, err := Encode(p)
		if !internal || err != nil || p.Status != test.status || strings.Contains(string(b), "secret") {
			t.Errorf("%s: %s (internal %v) %v", name, b, internal, err)
		}
		remote := over(t, test.err)
		if fault.KindOf(remote) != test.kind || !strings.Contains(remote.Error(), "request_id R1") {
			t.Errorf("%s: kind %q of %v", name, fault.KindOf(remote), remote)
		}
	}
}

// TestForeignAnswers: other servers' answers say nothing about what is there.
func TestForeignAnswers(t *testing.T) {
	answer := func(status int, contentType, body string) *http.Response {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		w.WriteString(body)
		return w.Result()
	}
	for status, want := range map[int]fault.Kind{301: fault.Unavailable, 400: fault.Invalid, 401: fault.Unauthenticated, 403: fault.Forbidden, 404: fault.Unavailable, 405: fault.Unavailable,
		409: fault.Unavailable, 413: fault.Limit, 415: fault.Unsupported, 429: fault.Unavailable, 500: fault.Unavailable, 502: fault.Unavailable, 504: fault.Unavailable} {
		for _, resp := range []*http.Response{
			answer(status, "text/html", "<h1>no</h1>"), answer(status, ProblemType, "{"), answer(status, ProblemType, `{"type":"about:blank","status":404}`),
			answer(status, ProblemType, `{"type":"`+strings.Repeat("a", maxProblem)+`"}`), answer(status, "application/json", `{"type":"urn:stella:problem:not-found"}`),
		} {
			if e := ReadError(resp); e.Typed || fault.KindOf(e) != want || e.Problem.Status != status {
				t.Errorf("%d: %v is %q, want %q", status, e, fault.KindOf(e), want)
			}
		}
	}
	e := ReadError(answer(404, ProblemType, `{"type":"urn:stella:problem:not-found","status":200,"detail":"\u001b[31mred\n`+strings.Repeat("x", 5000)+`"}`))
	if e.Problem.Status != 404 || strings.ContainsAny(e.Error(), "\x1b\n") || len(e.Error()) > 5000 {
		t.Errorf("a hostile problem: %d, %.80q…", e.Problem.Status, e.Error())
	}
	later := ReadError(answer(500, ProblemType, `{"type":"urn:stella:problem:of-a-later-release","unknown":{"a":[1]}}`))
	if !later.Typed || fault.KindOf(later) != "" {
		t.Errorf("a type that is not known: %v", later)
	}
	for value, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "999999": 24 * time.Hour, "Wed, 21 Oct 2015 07:28:00 GMT": 0} {
		if got := retryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("Retry-After %q: %v, want %v", value, got, want)
		}
	}
	for name, resp := range map[string]*http.Response{"HTML": answer(200, "text/html", "{}"), "half": answer(200, mediaType, `{"name":`), "two": answer(200, mediaType, `{}{}`)} {
		if err := ReadJSON(resp, 100, new(body)); !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ReadJSON(answer(200, mediaType, `"`+strings.Repeat("a", 100)+`"`), 100, new(string)); !errors.Is(err, fault.Limit) {
		t.Errorf("long: %v", err)
	}
	var got body
	if err := ReadJSON(answer(200, mediaType, `{"name":"a","later":1}`), 100, &got); err != nil || got.Name != "a" {
		t.Errorf("a member of a later release: %v", err)
	}
}

func TestEncode(t *testing.T) {
	v := map[string]any{"b": 1, "a": "x\xff", "c": []int(nil)}
	for range 50 {
		b, err := Encode(v)
		if err != nil || string(b) != `{"a":"x`+"\ufffd"+`","b":1,"c":[]}` {
			t.Fatalf("%s %v", b, err)
		}
	}
	if _, err := Encode(map[string]any{"f": func() {}}); !errors.Is(err, fault.Invalid) {
		t.Errorf("a function: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"name":"a","inner":{"n":1},"list":[1],"bytes":"AA==","map":{"a":"b"}}`, `{"name":"\"}`, `{"list":[[[[`, `{"name":"a"}{}`, "\xff", `{"a\u0000":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got body
		err := Decode(strings.NewReader(string(text)), 1000, &got)
		if err != nil {
			if p, internal := Of(err); internal || p.Status != 400 && p.Status != 413 {
				t.Fatalf("%d: %v", p.Status, err)
			}
			return
		}
		if len(text) > 1000 {
			t.Fatalf("%d bytes were accepted", len(text))
		}
		// What is accepted is what a reader that is less strict sees, too.
		var plain body
		if err := json.Unmarshal(text, &plain); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzReadError(f *testing.F) {
	for _, s := range []string{`{"type":"urn:stella:problem:fenced","detail":"d","limit":{"max":1}}`, `{"type":1}`, `[]`} {
		f.Add(409, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {ProblemType}}, Body: http.NoBody}
		w := httptest.NewRecorder()
		w.Write(text)
		resp.Body = w.Result().Body
		e := ReadError(resp)
		if len(e.Error()) > 16<<10 || strings.ContainsAny(e.Error(), "\x1b\n\r\x00") {
			t.Fatalf("%.200q", e.Error())
		}
		if !e.Typed && (errors.Is(e, fault.NotFound) || errors.Is(e, fault.Conflict) || errors.Is(e, fault.Fenced)) {
			t.Fatalf("%v is believed", e)
		}
	})
}
