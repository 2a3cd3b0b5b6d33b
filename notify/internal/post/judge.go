package post

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/notify"
)

// Judge returns what a status means for receivers that say nothing more: nil for 2xx; 410
// is gone; 413 and other statuses of 4xx that another attempt does not change are
// permanent where strict is set; everything else is worth another try. Retry-After is
// read in both of its forms.
//
// A status of 3xx or 4xx says that the message was not taken, and so does one of 5xx that
// asks to be tried again later. Other ones of 5xx leave it open, and so does 409.
func (c *Client) Judge(a *Answer, strict bool) *notify.Failure {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	f := &notify.Failure{Status: a.Status, Answer: a.Digest, After: retryAfter(a.Header, c.now())}
	f.Reason = reason(a.Status)
	switch {
	case a.Status == http.StatusConflict, a.Status < 300, a.Status >= 500 && f.After == 0:
	default:
		f.Sent = notify.No
	}
	f.Gone = a.Status == http.StatusGone
	f.Permanent = f.Gone || strict && a.Status >= 400 && a.Status < 500 && !passing(a.Status)
	return f
}

// passing reports whether a status of 4xx is about the moment, not the message.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusMisdirectedRequest, http.StatusLocked,
		http.StatusFailedDependency, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return false
}

// reason names a status by the standard's text, not by the receiver's.
func reason(status int) string {
	switch {
	case status >= 300 && status < 400:
		return "the receiver redirects, and redirections are not followed"
	case status == http.StatusGone:
		return "the receiver is gone"
	case status == http.StatusTooManyRequests:
		return "the receiver asks for fewer messages"
	case status >= 500:
		return "the receiver failed" + named(status)
	}
	return "the receiver refused" + named(status)
}

func named(status int) string {
	if text := http.StatusText(status); text != "" {
		return ": " + strings.ToLower(text)
	}
	return ""
}

// retryAfter reads Retry-After (RFC 9110, section 10.2.3): seconds, or one of three forms
// of dates. What is neither, or past, is 0; of several it is the longest; what is too
// long for a Duration is the longest there is.
func retryAfter(h http.Header, now time.Time) time.Duration {
	var longest time.Duration
	for _, v := range h.Values("Retry-After") {
		v = strings.Trim(v, " \t")
		if v != "" && strings.Trim(v, "0123456789") == "" {
			longest = max(longest, seconds(v))
		} else if at, ok := date(v, now); ok {
			longest = max(longest, at.Sub(now))
		}
	}
	return longest
}

func seconds(digits string) time.Duration {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Second
}

// date reads an HTTP-date (RFC 9110, section 5.6.7). A year of two digits that would be
// more than 50 years ahead is the last past one with these digits.
func date(v string, now time.Time) (time.Time, bool) {
	at, err := http.ParseTime(v)
	if err != nil {
		return time.Time{}, false
	}
	if _, err := time.Parse(time.RFC850, v); err == nil {
		if !strings.HasSuffix(v, " GMT") {
			return time.Time{}, false
		}
		century := now.UTC().Year() / 100 * 100
		at = at.AddDate(century+at.Year()%100-at.Year(), 0, 0)
		if at.After(now.AddDate(50, 0, 0)) {
			at = at.AddDate(-100, 0, 0)
		}
	}
	return at, true
}
