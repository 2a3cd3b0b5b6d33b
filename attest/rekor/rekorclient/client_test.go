package rekorclient_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/rekor/rekorclient"
	"github.com/stella-ops/stella/internal/netguard"
)

func TestAdd(t *testing.T) {
	l := newLog(t)
	r := signed(t, "{}")
	c := &rekorclient.Client{URL: l.URL + "/"}
	e, err := c.Add(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := r.Body(); err != nil || !bytes.Equal(e.Body, want) {
		t.Errorf("body %s, %v, want %s", e.Body, err, want)
	}
	if e.Proof == nil || e.Proof.TreeSize != 1 || !strings.HasPrefix(e.Proof.Checkpoint, "log.example\n1\n") {
		t.Errorf("proof %+v", e.Proof)
	}
	b := bundle.Bundle{Envelope: r.Envelope, Material: bundle.VerificationMaterial{Entries: []bundle.Entry{*e}}}
	if _, err := b.Encode(); err != nil {
		t.Errorf("a bundle with the entry: %v", err)
	}
	if l.requests != 1 {
		t.Errorf("%d requests", l.requests)
	}
}

// edit is a log that answers with a changed entry.
func edit(change func(entry, body proto)) func(*fakeLog) {
	return func(l *fakeLog) { l.change = change }
}

// member is a log that answers with an entry of which one member is another.
func member(name string, v any) func(*fakeLog) {
	return edit(func(entry, _ proto) { entry[name] = v })
}

// status is a log that answers with a status and a text.
func status(code int, contentType, text string, header ...string) func(*fakeLog) {
	return func(l *fakeLog) {
		l.answer = func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			if contentType != "" {
				w.Header().Set("Content-Type", contentType)
			}
			w.WriteHeader(code)
			fmt.Fprint(w, text)
		}
	}
}

func spec(body proto) proto { return body["spec"].(proto)["hashedRekordV002"].(proto) }

func TestMisbehaviour(t *testing.T) {
	other := base64.StdEncoding.EncodeToString(make([]byte, 32))
	const js = "application/json"
	for _, tt := range []struct {
		name string
		log  func(*fakeLog)
		kind error
		want string
	}{
		{"another digest", edit(func(_, b proto) { spec(b)["data"].(proto)["digest"] = other }), rekorclient.ErrMismatch, "another digest"},
		{"another signature", edit(func(_, b proto) { spec(b)["signature"].(proto)["content"] = other }), rekorclient.ErrMismatch, "another signature"},
		{"another key", edit(func(_, b proto) {
			spec(b)["signature"].(proto)["verifier"].(proto)["publicKey"] = proto{"rawBytes": other}
		}), rekorclient.ErrMismatch, "another key"},
		{"another algorithm", edit(func(_, b proto) { spec(b)["data"].(proto)["algorithm"] = "SHA2_512" }), rekorclient.ErrMismatch, "another algorithm"},
		{"an unknown member of the body", edit(func(_, b proto) { b["comment"] = "" }), rekorclient.ErrMismatch, "malformed entry"},
		{"another kind of body", edit(func(_, b proto) { b["kind"] = "dsse" }), rekorclient.ErrMismatch, "dsse 0.0.2"},
		{"another label", member("kindVersion", proto{"kind": "dsse", "version": "0.0.2"}), rekorclient.ErrMismatch, "kind"},
		{"no label", member("kindVersion", nil), rekorclient.ErrUnavailable, "kindVersion is missing"},
		{"no body", edit(func(e, _ proto) {
			e["canonicalizedBody"] = ""
			e["inclusionProof"].(proto)["rootHash"], e["inclusionProof"].(proto)["checkpoint"] = other, proto{"envelope": "x"}
		}), rekorclient.ErrUnavailable, "canonicalized body is missing"},
		{"no log id", member("logId", nil), rekorclient.ErrUnavailable, "logId is missing"},
		{"no proof", member("inclusionProof", nil), rekorclient.ErrUnavailable, "inclusionProof is missing"},
		{"no checkpoint", edit(func(e, _ proto) { e["inclusionProof"].(proto)["checkpoint"] = nil }), rekorclient.ErrUnavailable, "checkpoint"},
		{"a proof of another index", edit(func(e, _ proto) { e["inclusionProof"].(proto)["logIndex"] = "3" }), rekorclient.ErrMismatch, "proof for entry 3"},
		{"an index outside the tree", edit(func(e, _ proto) { e["logIndex"] = "1"; e["inclusionProof"].(proto)["logIndex"] = "1" }), rekorclient.ErrMismatch, "entry 1 of 1"},
		{"a negative index", member("logIndex", "-1"), rekorclient.ErrUnavailable, "log index -1"},
		{"an index of 2^63", member("logIndex", "9223372036854775808"), rekorclient.ErrUnavailable, "64-bit"},
		{"too many hashes", edit(func(e, _ proto) { e["inclusionProof"].(proto)["hashes"] = make([]string, 65) }), rekorclient.ErrUnavailable, "hashes"},
		{"an empty answer", status(201, js, ""), rekorclient.ErrUnavailable, "the log's answer"},
		{"half an answer", status(201, js, `{"logIndex":"0",`), rekorclient.ErrUnavailable, "the log's answer"},
		{"null", status(201, js, "null"), rekorclient.ErrUnavailable, "null"},
		{"a member twice", status(201, js, `{"logIndex":"0","logIndex":"0"}`), rekorclient.ErrUnavailable, "duplicate"},
		{"a web page", status(201, "text/html", "<html>"), rekorclient.ErrUnavailable, "Content-Type"},
		{"no content type", status(201, "", "{}"), rekorclient.ErrUnavailable, "Content-Type"},
		{"200", status(200, js, "{}"), rekorclient.ErrUnsupported, "answered 200"},
		{"204", status(204, "", ""), rekorclient.ErrUnsupported, "answered 204"},
		{"an endless answer", status(201, js, strings.Repeat(" ", rekorclient.MaxAnswer+1)), rekorclient.ErrLimit, "bytes of an answer"},
		{"a refusal", status(400, js, `{"code":3,"message":"invalid hashedrekord request","details":[]}`), rekorclient.ErrInvalid, `400: "invalid hashedrekord request"`},
		{"no credentials", status(401, "", ""), rekorclient.ErrUnauthenticated, "401"},
		{"not allowed", status(403, "", "no"), rekorclient.ErrForbidden, `403: "no"`},
		{"not found", status(404, "text/plain", "404 page not found\n"), rekorclient.ErrUnsupported, `404: "404 page not found"`},
		{"frozen", status(405, "", "This log has been frozen, please switch to the latest log.\n"), rekorclient.ErrUnsupported, "frozen"},
		{"too large", status(413, "", ""), rekorclient.ErrLimit, "413"},
		{"too many", status(429, "", ""), rekorclient.ErrUnavailable, "429"},
		{"canceled by the server", status(499, js, `{"message":"context canceled"}`), rekorclient.ErrUnavailable, "context canceled"},
		{"broken", status(500, js, "\xff"), rekorclient.ErrUnavailable, "500"},
		{"not implemented", status(501, "", ""), rekorclient.ErrUnsupported, "501"},
		{"pushed back", status(503, js, `{"code":14,"message":"reached max pushback; retry"}`), rekorclient.ErrUnavailable, "pushback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLog(t)
			tt.log(l)
			e, err := (&rekorclient.Client{URL: l.URL}).Add(t.Context(), signed(t, "{}"))
			if e != nil || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %v with %q", err, tt.kind, tt.want)
			}
			for _, kind := range []error{rekorclient.ErrInvalid, rekorclient.ErrUnavailable, rekorclient.ErrMismatch, rekorclient.ErrUnsupported} {
				if kind != tt.kind && errors.Is(err, kind) {
					t.Errorf("%v is %v as well", err, kind)
				}
			}
			if l.requests != 1 {
				t.Errorf("%d requests, want 1", l.requests)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		elsewhere := newLog(t)
		l := newLog(t)
		status(code, "", "", "Location", elsewhere.URL+"/api/v2/log/entries")(l)
		_, err := (&rekorclient.Client{URL: l.URL}).Add(t.Context(), signed(t, "{}"))
		if !errors.Is(err, rekorclient.ErrUnsupported) || elsewhere.requests != 0 {
			t.Errorf("%d: %v, and %d requests elsewhere", code, err, elsewhere.requests)
		}
	}
}

func TestDuplicate(t *testing.T) {
	for header, want := range map[string]int64{"735": 735, "": -1, "-3": -1, "9223372036854775808": -1, "x": -1} {
		l := newLog(t)
		status(409, "application/json", `{"code":6,"message":"duplicate"}`, "X-Log-Index", header)(l)
		_, err := (&rekorclient.Client{URL: l.URL}).Add(t.Context(), signed(t, "{}"))
		var d *rekorclient.DuplicateError
		if !errors.As(err, &d) || d.LogIndex != want || !errors.Is(err, rekorclient.ErrConflict) {
			t.Errorf("%q: %v, want a DuplicateError with %d", header, err, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "-1": 0, "": 0, "4294967295": rekorclient.MaxRetryAfter, "Wed, 21 Oct 2026 07:28:00 GMT": 0,
	} {
		for _, code := range []int{429, 503} {
			l := newLog(t)
			status(code, "", strings.Repeat("x", 2000), "Retry-After", header)(l)
			_, err := (&rekorclient.Client{URL: l.URL}).Add(t.Context(), signed(t, "{}"))
			var s *rekorclient.StatusError
			if !errors.As(err, &s) || s.RetryAfter != want || s.Status != code || len(s.Message) != 500 {
				t.Errorf("%d %q: %v, %+v", code, header, err, s)
			}
		}
	}
}

// TestNoAnswer: where nobody answers, or not in time, or not to the end.
func TestNoAnswer(t *testing.T) {
	closed := newLog(t)
	closed.Close()
	if _, err := (&rekorclient.Client{URL: closed.URL}).Add(t.Context(), signed(t, "{}")); !errors.Is(err, rekorclient.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}

	cut := newLog(t)
	cut.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"logIndex":"0"`)
	}
	if _, err := (&rekorclient.Client{URL: cut.URL}).Add(t.Context(), signed(t, "{}")); !errors.Is(err, rekorclient.ErrUnavailable) {
		t.Errorf("cut off: %v", err)
	}

	silent := newLog(t)
	ctx, cancel := context.WithCancel(t.Context())
	silent.answer = func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then a server notices that a client has left
		cancel()
		<-r.Context().Done()
	}
	if _, err := (&rekorclient.Client{URL: silent.URL}).Add(ctx, signed(t, "{}")); !errors.Is(err, context.Canceled) || errors.Is(err, rekorclient.ErrUnavailable) {
		t.Errorf("the caller gave up: %v", err)
	}
}

// TestTimeout: the clock of the client itself ends a call, which may succeed later.
func TestTimeout(t *testing.T) {
	var left time.Duration
	hold := roundTrip(func(r *http.Request) (*http.Response, error) {
		end, _ := r.Context().Deadline()
		left = time.Until(end)
		return nil, context.DeadlineExceeded
	})
	for timeout, want := range map[time.Duration]time.Duration{0: rekorclient.DefaultTimeout, time.Minute: time.Minute} {
		_, err := (&rekorclient.Client{URL: "https://log.example", Timeout: timeout, Transport: hold}).Add(t.Context(), signed(t, "{}"))
		if !errors.Is(err, rekorclient.ErrUnavailable) || left > want || left < rekorclient.MinTimeout {
			t.Errorf("%v: %v with %v left", timeout, err, left)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSettings(t *testing.T) {
	good := signed(t, "{}")
	for name, tt := range map[string]struct {
		client *rekorclient.Client
		record *rekor.Record
	}{
		"no URL":              {&rekorclient.Client{}, good},
		"a file":              {&rekorclient.Client{URL: "file:///log"}, good},
		"a password":          {&rekorclient.Client{URL: "https://user:hunter2@log.example"}, good},
		"a query":             {&rekorclient.Client{URL: "https://log.example?a=b"}, good},
		"an impatient client": {&rekorclient.Client{URL: "https://log.example", Timeout: time.Second}, good},
		"no record":           {&rekorclient.Client{URL: "https://log.example"}, new(rekor.Record)},
	} {
		_, err := tt.client.Add(t.Context(), tt.record)
		if !errors.Is(err, rekorclient.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAirGap: the shut door refuses, and says so.
func TestAirGap(t *testing.T) {
	l := newLog(t)
	door, err := netguard.AirGap("other.example").Door()
	if err != nil {
		t.Fatal(err)
	}
	transport, err := door.Transport(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&rekorclient.Client{URL: l.URL, Transport: transport}).Add(t.Context(), signed(t, "{}"))
	if !errors.Is(err, rekorclient.ErrForbidden) || l.requests != 0 {
		t.Errorf("%v, and %d requests", err, l.requests)
	}
}

// TestOwnTransport: the client's own transport does not go where nothing but a
// cloud's metadata service can be, even if that is what the URL says.
func TestOwnTransport(t *testing.T) {
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "0.0.0.0"} {
		_, err := (&rekorclient.Client{URL: "http://" + host}).Add(t.Context(), signed(t, "{}"))
		if !errors.Is(err, rekorclient.ErrForbidden) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestRequest: what is sent is what the API asks for, and nothing else.
func TestRequest(t *testing.T) {
	r := signed(t, "{}")
	text, err := r.Request()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enter(text); err != nil {
		t.Errorf("the log would refuse %s: %v", text, err)
	}
	var m map[string]map[string]any
	if err := json.Unmarshal(text, &m); err != nil || len(m) != 1 || len(m["hashedRekordRequestV002"]) != 2 {
		t.Errorf("%s: %v", text, err)
	}
}
