package nvd_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/nvd"
)

// script is a door that answers with what answer returns.
type script struct {
	asked  []url.Values
	answer func(q url.Values, n int) string
}

func (s *script) Open(_ context.Context, r advisory.Request) (*advisory.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, err
	}
	s.asked = append(s.asked, u.Query())
	return &advisory.Response{Body: io.NopCloser(strings.NewReader(s.answer(u.Query(), len(s.asked)))), Size: -1, URL: r.URL}, nil
}

// page writes a page with the CVEs of some numbers.
func page(start string, total int, at string, numbers ...int) string {
	var list []string
	for _, n := range numbers {
		list = append(list, fmt.Sprintf(`{"cve":{"id":"CVE-2024-%04d","lastModified":"2024-01-01T00:00:00.000"}}`, n))
	}
	return fmt.Sprintf(`{"resultsPerPage":%d,"startIndex":%s,"totalResults":%d,"timestamp":"%s","vulnerabilities":[%s]}`, len(numbers), start, total, at, strings.Join(list, ","))
}

func fetch(t *testing.T, s nvd.Source, door advisory.Door, state string) ([]string, *advisory.Fetched, error) {
	t.Helper()
	var names []string
	out, err := s.Fetch(t.Context(), door, []byte(state), func(doc *advisory.Document) error {
		names = append(names, doc.Name)
		return nil
	})
	return names, out, err
}

// TestWindows: what was modified in a year is asked for in windows of less than
// 120 days that leave nothing out.
func TestWindows(t *testing.T) {
	const form = "2006-01-02T15:04:05.000-07:00"
	end := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	door := &script{answer: func(q url.Values, n int) string { return page(q.Get("startIndex"), 1, "2025-06-01T12:00:01.000", n) }}
	names, out, err := fetch(t, nvd.Source{Now: func() time.Time { return end }}, door, `{"until":"2024-06-01T00:00:00Z"}`)
	if err != nil || len(names) != 4 || out.Complete || out.Unchanged || string(out.State) != `{"until":"2025-06-01T12:00:01Z"}` {
		t.Fatalf("%v, %+v, %v", names, out, err)
	}
	from := time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC).Add(-6 * time.Hour)
	for i, q := range door.asked {
		a, errA := time.Parse(form, q.Get("lastModStartDate"))
		b, errB := time.Parse(form, q.Get("lastModEndDate"))
		if errA != nil || errB != nil || !a.Equal(from) || b.Sub(a) > 120*24*time.Hour || !b.After(a) {
			t.Errorf("window %d is from %s to %s", i, q.Get("lastModStartDate"), q.Get("lastModEndDate"))
		}
		from = b
	}
	if !from.Equal(end) {
		t.Errorf("the windows end at %s", from)
	}
}

// TestClockBehind: a clock that is behind NVD's asks nevertheless, and the state
// does not go back.
func TestClockBehind(t *testing.T) {
	door := &script{answer: func(q url.Values, n int) string { return page(q.Get("startIndex"), 0, "2020-01-01T00:00:00.000") }}
	_, out, err := fetch(t, nvd.Source{Now: func() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }}, door, `{"until":"2024-06-01T00:00:00Z"}`)
	if err != nil || !out.Unchanged || string(out.State) != `{"until":"2024-06-01T00:00:00Z"}` || len(door.asked) != 1 {
		t.Errorf("%+v, %v, %v", out, door.asked, err)
	}
}

// TestMovingTotal: CVEs that are added or removed while pages are read.
func TestMovingTotal(t *testing.T) {
	// A CVE before the second page went away, so that one was passed by: it is
	// read once more.
	door := &script{answer: func(q url.Values, n int) string {
		return [...]string{"", page("0", 5, "2024-01-01T00:00:01.000", 1, 2), page("2", 4, "2024-01-01T00:00:02.000", 4, 5),
			page("0", 4, "2024-01-01T00:00:03.000", 2, 3), page("2", 4, "2024-01-01T00:00:04.000", 4, 5)}[n]
	}}
	names, out, err := fetch(t, nvd.Source{PageSize: 2}, door, "")
	slices.Sort(names)
	if diff := cmp.Diff([]string{"2024/CVE-2024-0001.json", "2024/CVE-2024-0002.json", "2024/CVE-2024-0004.json", "2024/CVE-2024-0005.json"}, names); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err == nil && string(out.State) != `{"until":"2024-01-01T00:00:01Z"}` {
		t.Errorf("state %s", out.State)
	}
	for name, answer := range map[string]func(q url.Values, n int) string{
		"endless": func(q url.Values, n int) string {
			return page(q.Get("startIndex"), 10_000_000, "2024-01-01T00:00:01.000", n)
		},
		"empty page": func(q url.Values, n int) string {
			return map[bool]string{true: page("0", 5, "2024-01-01T00:00:01.000", 1, 2), false: page("2", 5, "2024-01-01T00:00:01.000")}[n == 1]
		},
		"other page": func(q url.Values, n int) string { return page("0", 5, "2024-01-01T00:00:01.000", 1, 2) },
		"repeated":   func(q url.Values, n int) string { return page(q.Get("startIndex"), 4, "2024-01-01T00:00:01.000", 1, 2) },
		"nothing":    func(q url.Values, n int) string { return page("0", 0, "2024-01-01T00:00:01.000") },
		"no time":    func(q url.Values, n int) string { return page("0", 1, "", 1) },
		"html":       func(q url.Values, n int) string { return "<html>" },
	} {
		if _, out, err := fetch(t, nvd.Source{PageSize: 2}, &script{answer: answer}, ""); err == nil || out != nil {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

// storm answers 403 and 503 by turns before it answers each question.
type storm struct {
	answer func(q url.Values) string
	hits   map[string]int
	keys   []string
}

func (s *storm) RoundTrip(r *http.Request) (*http.Response, error) {
	s.hits[r.URL.RawQuery]++
	s.keys = append(s.keys, r.Header.Get(nvd.KeyHeader))
	resp := &http.Response{Request: r, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, StatusCode: 200}
	text := s.answer(r.URL.Query())
	switch s.hits[r.URL.RawQuery] {
	case 1:
		resp.StatusCode, text = 403, "slow down"
	case 2:
		resp.StatusCode, text = 503, "no"
	}
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return resp, nil
}

// TestStorm: refusals are waited out through the door, by its clock, at the pace
// that NVD asks for, with the key in its header.
func TestStorm(t *testing.T) {
	host := feed.DefaultHosts()["services.nvd.nist.gov"]
	host.Header = http.Header{nvd.KeyHeader: {"secret"}}
	var slept time.Duration
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	wire := &storm{hits: map[string]int{}, answer: func(q url.Values) string {
		return page(q.Get("startIndex"), 2, "2024-01-01T00:00:01.000", len(q.Get("startIndex")), map[string]int{"0": 2}[q.Get("startIndex")])
	}}
	client, err := feed.NewClient(&feed.Options{
		Transport: wire, Hosts: map[string]feed.Host{"services.nvd.nist.gov": host},
		Now: func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error {
			slept += d
			now = now.Add(d)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	names, out, err := fetch(t, nvd.Source{}, client, "")
	if err != nil || len(names) != 2 || !out.Complete {
		t.Fatalf("%v, %+v, %v", names, out, err)
	}
	if len(wire.keys) != 3 || slices.ContainsFunc(wire.keys, func(k string) bool { return k != "secret" }) {
		t.Errorf("keys %q", wire.keys)
	}
	if slept < 12*time.Second {
		t.Errorf("three requests within %s", slept)
	}
}

// TestFeedDigest: a feed that is not what its meta file says passes nothing on.
func TestFeedDigest(t *testing.T) {
	meta := "lastModifiedDate:2024-06-10T03:00:00-04:00\nsize:4\nsha256:" + strings.Repeat("0", 64) + "\n"
	n := 0
	door := doorFunc(func(r advisory.Request) (string, error) {
		if strings.HasSuffix(r.URL, ".meta") {
			return meta, nil
		}
		n++
		return "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x2b\x49\x2d\x2e\x01\x00\x0c\x7e\x7f\xd8\x04\x00\x00\x00", nil // "test"
	})
	names, _, err := fetch(t, nvd.Source{Feeds: true}, door, "")
	if !errors.Is(err, nvd.ErrMismatch) || names != nil || n != 2 {
		t.Errorf("%v, %v, after %d attempts", names, err, n)
	}
}

type doorFunc func(advisory.Request) (string, error)

func (f doorFunc) Open(_ context.Context, r advisory.Request) (*advisory.Response, error) {
	text, err := f(r)
	if err != nil {
		return nil, err
	}
	return &advisory.Response{Body: io.NopCloser(strings.NewReader(text)), Size: -1, URL: r.URL}, nil
}

// TestLostYear: a feed that was there before and is not there now does not make
// its CVEs gone.
func TestLostYear(t *testing.T) {
	zip := func(text string) (packed, meta string) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(text))
		w.Close()
		return b.String(), fmt.Sprintf("lastModifiedDate:2027-06-10T03:00:00-04:00\nsize:%d\nsha256:%X\n", len(text), sha256.Sum256([]byte(text)))
	}
	last := 2026
	door := doorFunc(func(r advisory.Request) (string, error) {
		packed, meta := zip(page("0", 0, "2027-06-10T03:00:00.000"))
		var year int
		if _, err := fmt.Sscanf(r.URL[strings.LastIndexByte(r.URL, '/')+1:], "nvdcve-2.0-%d", &year); err == nil && year > last {
			return "", fmt.Errorf("no %d: %w", year, advisory.ErrNotFound)
		}
		if strings.HasSuffix(r.URL, ".meta") {
			return meta, nil
		}
		return packed, nil
	})
	_, out, err := fetch(t, nvd.Source{Feeds: true, Since: 2024}, door, "")
	if err != nil || !out.Complete || !strings.Contains(string(out.State), `"last":2026`) {
		t.Fatalf("%+v, %v", out, err)
	}
	last = 2025
	old := strings.Replace(strings.Replace(string(out.State), "2027-06", "2027-01", 1), `"digest":"`, `"digest":"0`, 1)
	if _, out, err := fetch(t, nvd.Source{Feeds: true, Since: 2024}, door, old); !errors.Is(err, advisory.ErrNotFound) || out != nil {
		t.Errorf("%+v, %v", out, err)
	}
}
