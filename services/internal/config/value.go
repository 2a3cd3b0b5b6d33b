package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/redact"
)

// Secret is a text that is never shown. The zero value is none.
type Secret struct{ value string }

// NewSecret returns a secret.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the text.
func (s Secret) Reveal() string { return s.value }

// String returns what may be shown.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redact.Mark
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// URL is an address that may hold a password, which is never shown. The zero value is none.
type URL struct{ value string }

// NewURL returns an address.
func NewURL(value string) URL { return URL{value} }

// Reveal returns the address with its password.
func (u URL) Reveal() string { return u.value }

// Scheme returns what stands before the first colon.
func (u URL) Scheme() string {
	scheme, _, ok := strings.Cut(u.value, ":")
	if !ok {
		return ""
	}
	return strings.ToLower(scheme)
}

// String returns the address without its password.
func (u URL) String() string { return shownURL(u.value) }

// GoString is String.
func (u URL) GoString() string { return u.String() }

// MarshalText is String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// LogValue is String.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// password returns the parts of the address that must not be shown. Some drivers take a
// user without a password for a token.
func (u URL) password() []string {
	p, err := url.Parse(u.value)
	if err != nil || p.User == nil {
		return nil
	}
	if s, ok := p.User.Password(); ok {
		return []string{s}
	}
	if u.Scheme() == "nats" || u.Scheme() == "tls" {
		return []string{p.User.Username()}
	}
	return nil
}

// shown returns a text as it may be shown: somebody may have put an address with a
// password where it does not belong.
func shown(text string) string {
	if i := strings.LastIndexByte(text, '@'); strings.Contains(text, "://") {
		return shownURL(text)
	} else if i >= 0 {
		return redact.Mark + text[i:]
	}
	return text
}

// shownURL returns an address as it may be shown. Of one that cannot be parsed nothing
// but the scheme is, and nothing of what has none.
func shownURL(raw string) string {
	if raw == "" {
		return ""
	}
	u, err := url.Parse(raw)
	switch {
	case err == nil && u.Scheme == "":
		return redact.Mark
	case err != nil, u.Scheme != "sqlite" && u.Scheme != "file" && strings.Contains(u.Opaque, "@"):
		scheme, _, _ := strings.Cut(raw, ":")
		if len(scheme) > 16 || strings.ContainsAny(scheme, "@/") {
			scheme = ""
		}
		return scheme + ":" + redact.Mark
	}
	if u.User != nil {
		if _, ok := u.User.Password(); ok {
			u.User = url.UserPassword(u.User.Username(), "xxxxx")
		} else if u.Scheme == "nats" || u.Scheme == "tls" || strings.HasPrefix(u.Scheme, "http") {
			u.User = url.User("xxxxx") // which may be a token
		}
	}
	if q := u.Query(); q.Has("password") {
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.String()
}

// Size is a number of bytes.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// String writes a size in the largest unit that divides it.
func (s Size) String() string {
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if u := sizeUnits[i]; s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func parseSize(text string) (Size, error) {
	want := fmt.Errorf("want bytes, such as 1048576, 512KiB, 64MiB or 2GiB")
	number, factor := text, int64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = n, u.bytes
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != number || n > (1<<62)/factor || n < -(1<<62)/factor {
		return 0, want
	}
	return Size(n * factor), nil
}

const day = 24 * time.Hour

// parseDuration reads a duration of Go, or whole days such as 90d.
func parseDuration(text string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(text, 64); err == nil && n != 0 {
		return 0, fmt.Errorf("it has no unit: want a duration such as %ss, 5m, 24h or 90d", strings.TrimPrefix(text, "-"))
	}
	if number, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseInt(number, 10, 32)
		if err == nil && n < 100_000 && n > -100_000 {
			return time.Duration(n) * day, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	return 0, fmt.Errorf("want a duration such as 500ms, 10s, 5m, 24h or 90d")
}

// showDuration writes a duration as parseDuration reads it, without parts that are zero.
func showDuration(d time.Duration) string {
	if d != 0 && d%day == 0 && d > day {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
