package post

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify"
)

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		status                  int
		after                   string // Retry-After
		sent                    notify.Answer
		permanent, strict, gone bool // permanent: where it is not strict
	}{
		{status: 101},
		{status: 300, sent: notify.No}, {status: 301, sent: notify.No}, {status: 302, after: "1", sent: notify.No}, {status: 308, sent: notify.No},
		{status: 400, sent: notify.No, strict: true}, {status: 401, sent: notify.No, strict: true}, {status: 403, sent: notify.No, strict: true},
		{status: 404, sent: notify.No, strict: true}, {status: 405, sent: notify.No, strict: true}, {status: 408, sent: notify.No}, {status: 409},
		{status: 410, sent: notify.No, permanent: true, strict: true, gone: true}, {status: 413, sent: notify.No, strict: true}, {status: 415, sent: notify.No, strict: true},
		{status: 421, sent: notify.No}, {status: 422, sent: notify.No, strict: true}, {status: 423, sent: notify.No}, {status: 424, sent: notify.No}, {status: 425, sent: notify.No},
		{status: 429, sent: notify.No}, {status: 429, after: "1", sent: notify.No}, {status: 499, sent: notify.No, strict: true},
		{status: 500}, {status: 501}, {status: 502}, {status: 503}, {status: 503, after: "1", sent: notify.No}, {status: 504}, {status: 599}, {status: 999},
	} {
		for _, strict := range []bool{false, true} {
			a := &Answer{Status: tc.status, Digest: "sha256:d", Header: http.Header{}}
			if tc.after != "" {
				a.Header.Set("Retry-After", tc.after)
			}
			f := (&Client{}).Judge(a, strict)
			if f == nil || f.Reason == "" {
				t.Fatalf("%d: %+v", tc.status, f)
			}
			permanent := tc.permanent || strict && tc.strict
			if f.Sent != tc.sent || f.Permanent != permanent || f.Gone != tc.gone || f.Status != tc.status || f.Answer != "sha256:d" || (f.After != 0) != (tc.after != "") {
				t.Errorf("%d, strict %t: %+v", tc.status, strict, f)
			}
		}
	}
	for status := 200; status < 300; status++ {
		if f := (&Client{}).Judge(&Answer{Status: status}, true); f != nil {
			t.Errorf("%d: %+v", status, f)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 6, 8, 49, 30, 250_000_000, time.UTC)
	const forever = time.Duration(math.MaxInt64)
	for _, tc := range []struct {
		values []string
		want   time.Duration
	}{
		{nil, 0},
		{[]string{"0"}, 0},
		{[]string{"120"}, 2 * time.Minute},
		{[]string{" 7\t"}, 7 * time.Second},
		{[]string{"0007"}, 7 * time.Second},
		{[]string{"1000000000"}, 1_000_000_000 * time.Second},
		{[]string{"9223372036"}, 9223372036 * time.Second},
		{[]string{"9223372037"}, forever},
		{[]string{"99999999999999999999999999999999"}, forever},
		// the three forms of dates
		{[]string{"Fri, 06 Nov 2026 08:49:37 GMT"}, 6750 * time.Millisecond},
		{[]string{"Friday, 06-Nov-26 08:49:37 GMT"}, 6750 * time.Millisecond},
		{[]string{"Fri Nov  6 08:49:37 2026"}, 6750 * time.Millisecond},
		{[]string{"Sunday, 06-Nov-94 08:49:37 GMT"}, 0}, // 1994: 2094 is more than 50 years ahead
		{[]string{"Wednesday, 06-Nov-69 08:49:30 GMT"}, time.Date(2069, 11, 6, 8, 49, 30, 0, time.UTC).Sub(now)},
		{[]string{"Fri, 06 Nov 2026 08:49:30 GMT"}, 0}, // past
		{[]string{"Thu, 01 Jan 1970 00:00:00 GMT"}, 0},
		{[]string{"Fri, 31 Dec 9999 23:59:59 GMT"}, forever},
		// of several it is the longest
		{[]string{"5", "7", "6"}, 7 * time.Second},
		{[]string{"junk", "Fri, 06 Nov 2026 08:49:37 GMT"}, 6750 * time.Millisecond},
		// what is neither is nothing
		{[]string{""}, 0},
		{[]string{"-5"}, 0},
		{[]string{"+5"}, 0},
		{[]string{"1.5"}, 0},
		{[]string{"1e9"}, 0},
		{[]string{"0x10"}, 0},
		{[]string{"5 seconds"}, 0},
		{[]string{"５"}, 0},
		{[]string{"soon"}, 0},
		{[]string{"2026-11-06T08:49:37Z"}, 0},
		{[]string{"Fri, 06 Nov 2026 08:49:37 EST"}, 0},
		{[]string{"Friday, 06-Nov-26 08:49:37 EST"}, 0},
		{[]string{"Fri, 32 Nov 2026 08:49:37 GMT"}, 0},
	} {
		c := Client{Now: func() time.Time { return now }}
		f := c.Judge(&Answer{Status: 429, Header: http.Header{"Retry-After": tc.values}}, false)
		if f.After != tc.want {
			t.Errorf("%q: %v, want %v", tc.values, f.After, tc.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"5", "Fri, 06 Nov 2026 08:49:37 GMT", "Friday, 06-Nov-26 08:49:37 GMT", "Fri Nov  6 08:49:37 2026", "Thursday, 29-Feb-00 00:00:00 GMT", "99999999999999999999", ""} {
		f.Add(s, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, v string, at int64) {
		if at < 0 || at > 1<<40 {
			return
		}
		now := time.Unix(at, 0)
		if got := retryAfter(http.Header{"Retry-After": {v}}, now); got < 0 {
			t.Fatalf("%q at %v: %v", v, now, got)
		}
	})
}
