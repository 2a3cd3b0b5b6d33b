package console

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/services/auth"
)

func TestJSONOf(t *testing.T) {
	for text, want := range map[string]string{
		`{"b": 1, "a": [true, null]}`:          `{"b":1,"a":[true,null]}`,
		"a: 1\nb: [x, 'y']\n":                  `{"a":1,"b":["x","y"]}`,
		"at: 2030-01-01T20:00:00Z":             `{"at":"2030-01-01T20:00:00Z"}`,
		"{a: b}":                               `{"a":"b"}`,
		`{"a": "\ud83d\ude00\u202e"}`:          `{"a":"\ud83d\ude00\u202e"}`,
		"base: &b {x: 1}\nuse: *b\nno: 'on'":   `{"base":{"x":1},"no":"on","use":{"x":1}}`,
		"text: |\n  two\n  lines\n# a comment": `{"text":"two\nlines\n"}`,
	} {
		got, err := jsonOf(text)
		if err != nil || string(got) != want {
			t.Errorf("%q is %s, %v, want %s", text, got, err, want)
		}
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'm'; c++ {
		p := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [*" + p + strings.Repeat(",*"+p, 9) + "]\n"
	}
	for name, text := range map[string]string{"empty": " \n", "broken": "a: [", "broken JSON": `{"a": `, "two": "a: 1\n---\nb: 2\n", "twice": "a: 1\na: 2\n", "no number": "a: .inf", "bomb": bomb} {
		if got, err := jsonOf(text); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %.80s, %v", name, got, err)
		}
	}
}

// TestPretty: what a person is to read and change shows every sign, and means the same.
func TestPretty(t *testing.T) {
	text := "{\"a\":\"x\u202ey\u200b\U000E0001é<\",\"b\":1e400,\"c\":[]}"
	got := pretty(jsontext.Value(text))
	for _, bad := range []string{"\u202e", "\u200b", "\U000E0001"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is there as it is:\n%s", bad, got)
		}
	}
	back, err := jsonOf(got)
	if err != nil {
		t.Fatal(err)
	}
	var a, b jsontext.Value = jsontext.Value(text), back
	if a.Canonicalize() == nil && b.Canonicalize() == nil && string(a) != string(b) {
		t.Errorf("it means %s, and meant %s", b, a)
	}
	if !strings.Contains(got, `"b": 1e400`) || !strings.Contains(got, "é<") {
		t.Errorf("it became\n%s", got)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestPeople: names cost a call now and then, not one for each page, and a page does without
// them where nobody answers.
func TestPeople(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var calls atomic.Int32
	down := false
	api := newAPI("https://stella.example", roundTrip(func(r *http.Request) (*http.Response, error) {
		calls.Add(1)
		if down {
			return nil, io.ErrUnexpectedEOF
		}
		body := `{"users":[{"id":"U1","login":"ann"}],"next":"U1"}`
		if r.URL.Query().Get("after") == "U1" {
			body = `{"users":[{"id":"U2","login":"bob"}]}`
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}), new(documents))
	l := &login{Subject: "U2", Scopes: []string{auth.AuthorityAdmin}, api: api}
	visitNow := func() *visit {
		return &visit{c: &Console{Now: func() time.Time { return now }}, r: httptest.NewRequest(http.MethodGet, "/console/", nil), login: l}
	}
	for range 5 {
		v := visitNow()
		if v.name() != "bob" || v.Who("U1") != "ann (U1)" || v.Who("U9") != "U9" || v.Who("") != "" {
			t.Fatalf("%s, %s, %s", v.name(), v.Who("U1"), v.Who("U9"))
		}
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d calls, want the two pages of users once", n)
	}
	now = now.Add(peopleAge + time.Second)
	down = true
	if got := visitNow().name(); got != "bob" {
		t.Errorf("where nobody answers the name is %q", got)
	}
	before := calls.Load()
	visitNow().name()
	if calls.Load() != before {
		t.Error("a page asked again at once where nobody answered")
	}
	down = false
	l.people.forget()
	visitNow().name()
	if calls.Load() == before {
		t.Error("names that were forgotten were not asked for")
	}
	l = &login{Subject: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Scopes: []string{auth.ScannerRead}, api: api}
	before = calls.Load()
	if v := visitNow(); v.name() != "ABCDEFGH…" || v.Who("U1") != "U1" || calls.Load() != before {
		t.Errorf("who is no administrator is %q and asked for names", v.name())
	}
}

func TestLinesOf(t *testing.T) {
	for text, want := range map[string]int{"{}\n{}\n": 2, "{}": 1, "{\n \"a\": 1\n}\n": 1, "\n\n{}\r\n": 1, "x": 1} {
		if got := len(linesOf([]byte(text))); got != want {
			t.Errorf("%q has %d lines, want %d", text, got, want)
		}
	}
}

func TestCheckpointOf(t *testing.T) {
	c := &timeline.Checkpoint{Number: 3, Tenant: "acme", First: 4, Last: 5, Marks: make([]byte, 16), Previous: "sha256:" + strings.Repeat("0", 64), Time: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	k, err := key.Generate("ed25519")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := c.Sign(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if row := checkpointOf(kept); row.Broken || row.Number != 3 || row.First != 4 || row.Last != 5 || len(row.Keys) != 1 || !row.Time.Equal(c.Time) {
		t.Errorf("it is %+v", row)
	}
	if row := checkpointOf(&timeline.Kept{Number: 4, Envelope: []byte("{}")}); !row.Broken || row.Number != 4 {
		t.Errorf("what is none is %+v", row)
	}
}
