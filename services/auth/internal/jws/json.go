package jws

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Object reads a JSON object whose members are known by the names given. Two members of
// one name are refused at any depth, and so is a member whose name is a known one in
// another case: no two readers may take one text for two things (RFC 8725 §2.4, §3.11).
// Members of other names are returned and mean nothing.
func Object(text []byte, what string, known ...string) (map[string]jsontext.Value, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, refuse(what + " is not one JSON object with each name once")
	}
	for name := range members {
		for _, k := range known {
			if name != k && strings.EqualFold(name, k) {
				return nil, refuse(what + " has " + k + " in another case")
			}
		}
	}
	return members, nil
}

// String returns a member that is a string, and whether it is one.
func String(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

// Time returns a member that is a NumericDate (RFC 7519 §2), and whether it is one of the
// years 1970 to 9999. Parts of a second are kept to the microsecond.
func Time(v jsontext.Value) (time.Time, bool) {
	if v.Kind() != '0' {
		return time.Time{}, false
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return time.Unix(n, 0).UTC(), n >= 0 && n <= maxTime
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > maxTime {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(f * 1e6)).UTC(), true
}
