package notifyhttp_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify/notifyhttp"
)

// FuzzBodies reads bodies of strangers: what is accepted is written and read again as the
// same.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"id":"a","type":"webhook","url":"https://x","secrets":{"token":"env:A"},"options":{"a":"b"},"pace":"1s","disabled":true}`, `{"to":[{"endpoint":"a","to":"b"}],"match":{"types":["x"],"labels":{"a":"*"},"when":"true"},"quiet":{"from":"22:00","to":"07:00","days":["mon"]},"escalation":[{"after":"15m","to":[]}]}`,
		`{"type":"x","parts":{"text":"{{.Title}}"}}`, `{"from":"2026-12-01T22:00:00Z","until":"2026-12-02T04:00:00.000001+02:00"}`, `{"source":{},"target":{},"equal":["image"],"for":"1h"}`, `{"event":{"a":[1,{}]},"rule":{"to":null},"at":"2026-12-01T22:00:00Z"}`,
		`{"note":"x"}`, `{"note":"a","note":"b"}`, `{"to":1}`, `{}`, `[`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, v := range notifyhttp.Bodies() {
			if httpjson.Decode(bytes.NewReader(body), notifyhttp.MaxBody, v) != nil {
				continue
			}
			text, err := httpjson.Encode(v)
			if err != nil {
				continue // a time that cannot be written
			}
			again := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			if err := httpjson.Decode(bytes.NewReader(text), 4*notifyhttp.MaxBody, again); err != nil {
				t.Fatalf("%s is read as %s, and not again: %v", body, text, err)
			}
			if twice, err := httpjson.Encode(again); err != nil || !bytes.Equal(text, twice) {
				t.Errorf("%s is %s, and then %s, %v", body, text, twice, err)
			}
		}
	})
}

// FuzzQueries asks for lists with any query and conditions. The answer is one that is
// documented, and what it holds is what was asked for.
func FuzzQueries(f *testing.F) {
	for _, s := range [][2]string{
		{"status=dead&limit=1", `"1"`}, {"after=d-sent&limit=1000", "*"}, {"scan_id=scan-1&rule=critical", `W/"1", "2"`}, {"user=bob", ""}, {"limit=0", `"`}, {"limit=+1", `"01"`}, {"%zz", `"-1"`}, {"status=&status=", `"9223372036854775807"`},
		{"rule=%00", `"1`}, {"endpoint=" + strings.Repeat("x", 300), "\x00"},
	} {
		f.Add(s[0], s[1])
	}
	g := newRig(f) // all inputs of this process share it
	ask := func(method, path, query, token string, header http.Header) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(`{"type":"webhook"}`))
		r.URL.RawQuery = query
		r.Header = header
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		return w
	}
	f.Fuzz(func(t *testing.T, query, condition string) {
		for _, list := range []string{"deliveries", "endpoints", "preferences", "deliveries/d-dead/items"} {
			w := ask("GET", "/api/v1/notify/"+list, query, "acme/carl", http.Header{})
			values, err := url.ParseQuery(query)
			switch w.Code {
			case http.StatusOK:
				if err != nil || strings.Contains(w.Body.String(), "@acme.example") || list == "deliveries" && values.Get("status") != "" && strings.Count(w.Body.String(), `"delivery_id"`) != strings.Count(w.Body.String(), `"status":"`+values.Get("status")+`"`) {
					t.Fatalf("%s?%s: %s", list, query, w.Body)
				}
			case 400, 403, 404:
				if w.Header().Get("Content-Type") != httpjson.ProblemType {
					t.Fatalf("%s?%s: %d %s", list, query, w.Code, w.Body)
				}
			default:
				t.Fatalf("%s?%s: %d %s", list, query, w.Code, w.Body)
			}
		}
		// No condition but the one of the number that stands, which is 1, changes anything.
		header := http.Header{"If-Match": {condition}}
		if n, err := httpjson.Revision(header, "the setting"); (err == nil) != (n > 0) {
			t.Fatalf("%q: %d, %v", condition, n, err)
		}
		if w := ask("PUT", "/api/v1/notify/endpoints/hook", "", "acme/ann/operator", header); w.Code < 400 && condition != `"1"` || w.Code >= 500 {
			t.Fatalf("%q: %d %s", condition, w.Code, w.Body)
		} else if w.Code == http.StatusOK {
			g = newRig(t)
		}
		if s := notifyhttp.Line(query); !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00\u202e") {
			t.Fatalf("%q is the line %q", query, s)
		}
	})
}
