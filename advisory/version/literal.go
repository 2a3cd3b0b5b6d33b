package version

import (
	"strings"
	"time"
	"unicode/utf8"
)

// lexicographic orders texts by their UTF-8 bytes.
//
// Source: VERS specification, "Special VERS types".
var lexicographic = textRules("lexicographic", checkLexicographic, strings.Compare)

func checkLexicographic(s string) string {
	switch {
	case s == "":
		return whyEmpty
	case !utf8.ValidString(s):
		return "it is not UTF-8"
	}
	return ""
}

// datetime orders RFC 3339 timestamps by the instant they mean.
//
// Source: VERS specification, "Special VERS types"; RFC 3339 §5.6.
var datetime = textRules("datetime", checkDatetime, orderDatetime)

func checkDatetime(s string) string {
	// time.Parse alone takes one-digit hours and a comma before the fraction.
	const shape = "dddd-dd-ddTdd:dd:dd"
	ok := len(s) > len(shape) && s[len(shape)] != ','
	for i := 0; ok && i < len(shape); i++ {
		ok = s[i] == shape[i] || shape[i] == 'd' && isDigit(s[i])
	}
	if ok {
		_, err := time.Parse(time.RFC3339, s)
		ok = err == nil
	}
	if !ok {
		return "it is not an RFC 3339 timestamp with an upper-case T and Z"
	}
	return ""
}

func orderDatetime(a, b string) int {
	t, _ := time.Parse(time.RFC3339, a)
	u, _ := time.Parse(time.RFC3339, b)
	return t.Compare(u)
}
