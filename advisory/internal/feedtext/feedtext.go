// Package feedtext has what readers of advisory formats share: digests of a
// record's text, times as RFC 3339, documents that are compressed, and the rule
// that a record which cannot be used is told and not left out.
package feedtext

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Undated is the time of modification of records whose publisher dates
// nothing. A record needs one, and the reader has no clock. It is early, so
// that a dated record of the same id counts.
const Undated = "1980-01-01T00:00:00Z"

// Digest returns the digest of a record's text, which is all its parts in
// order. Each part is hashed with its length, so that no two lists of parts
// have one digest; a single part is hashed as it is.
func Digest(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		if len(parts) > 1 {
			var n [8]byte
			for i := range n {
				n[i] = byte(len(p) >> (8 * (7 - i)))
			}
			h.Write(n[:])
		}
		h.Write(p)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// layouts are the times that publishers write, all in UTC.
var layouts = [...]string{
	time.RFC3339Nano, "2006-01-02", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05",
	"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05.999999", "02 Jan 2006", "2 Jan 2006",
}

// Time returns a publisher's time as RFC 3339 in UTC, and "" for what is none.
func Time(s string) string {
	s = strings.TrimSpace(s)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1900 && t.Year() < 10000 {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// IsCVE reports whether s is a CVE id.
func IsCVE(s string) bool {
	rest, ok := strings.CutPrefix(s, "CVE-")
	year, number, found := strings.Cut(rest, "-")
	return ok && found && len(year) == 4 && len(number) >= 4 && len(number) <= 19 && digits(year) && digits(number)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
