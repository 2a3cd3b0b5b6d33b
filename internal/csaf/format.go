package csaf

import (
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/csaf/shape"
	"github.com/stella-ops/stella/internal/lazyre"
)

// timeForm is the grammar of RFC 3339; time.Parse is laxer.
var timeForm = lazyre.New(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+\-](?:[01][0-9]|2[0-3]):[0-5][0-9])$`)

// Time reads a date and time of RFC 3339, section 5.6, as the documents have
// them. Letters may be small, and seconds may be a leap second, which counts
// as the one after it.
func Time(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	if !timeForm.Get().MatchString(s) {
		return time.Time{}, false
	}
	leap := s[17:19] == "60"
	if leap {
		s = s[:17] + "59" + s[19:]
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, false
	}
	if !leap {
		return t, true
	}
	if u := t.UTC(); u.Hour() != 23 || u.Minute() != 59 {
		return time.Time{}, false
	}
	return t.Add(time.Second), true
}

func isTime(s string) bool { _, ok := Time(s); return ok }

// IsURI reports whether s is an absolute URI: it has a scheme and a form that
// can be parsed.
func IsURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs()
}

func matches(pattern string) func(string) bool {
	p := lazyre.New(pattern)
	return func(s string) bool { return p.Get().MatchString(s) }
}

// space is what \s means in the patterns of JSON Schema (ECMA-262), to be used
// within a class; line is what "." means there.
const (
	space = `\s\v\p{Z}\x{FEFF}`
	line  = `[^\n\r\x{2028}\x{2029}]`
)

// The parts of a CPE name: an attribute's value of CPE 2.3 in its formatted
// string, and the language attribute.
const (
	cpeValue    = `(?:(?:\?*|\*?)(?:[a-zA-Z0-9\-._]|\\[\\*?!"#$%&'()+,/:;<=>@\[\]^` + "`" + `{|}~])+(?:\?*|\*?)|[*\-])`
	cpeLanguage = `(?:[a-zA-Z]{2,3}(?:-(?:[a-zA-Z]{2}|[0-9]{3}))?|[*\-])`
	cpe23       = `^cpe:2\.3:[aho*\-](?::` + cpeValue + `){5}:` + cpeLanguage + `(?::` + cpeValue + `){4}`
	cpe22       = `[c][pP][eE]:/[AHOaho]?(?::[A-Za-z0-9._\-~%]*){0,6}$`
)

// The formats and patterns of the schema. The two forms of a CPE name are each
// bound at one end only: so does the published pattern.
var (
	uriFormat  = shape.Format{Name: "a URI", OK: IsURI}
	timeFormat = shape.Format{Name: "a date and time of RFC 3339", OK: isTime}
	versionOK  = shape.Format{Name: "an integer or semantic version", OK: func(s string) bool { _, ok := parseVersion(s); return ok }}
	wordsOK    = shape.Format{Name: "text without space, dash, underscore or dot at its ends", OK: matches(`^[^` + space + `\-_.](?:` + line + `*[^` + space + `\-_.])?$`)}
	trimmedOK  = shape.Format{Name: "one line without space at its ends", OK: matches(`^[^` + space + `](?:` + line + `*[^` + space + `])?$`)}
	cveOK      = shape.Format{Name: "a CVE number", OK: matches(`^CVE-[0-9]{4}-[0-9]{4,}$`)}
	cweOK      = shape.Format{Name: "a CWE number", OK: matches(`^CWE-[1-9][0-9]{0,5}$`)}
	purlOK     = shape.Format{Name: "a package URL", OK: matches(`^pkg:[A-Za-z.\-+][A-Za-z0-9.\-+]*/` + line)}
	hashOK     = shape.Format{Name: "a digest of 32 hexadecimal digits or more", OK: matches(`^[0-9a-fA-F]{32,}$`)}
	cpeOK      = shape.Format{Name: "a CPE name", OK: matches(cpe23 + `|` + cpe22)}
	langOK     = shape.Format{Name: "a language tag", OK: isLanguageTag}
	scoreOK    = shape.Format{Name: "a number from 0 to 10", OK: func(s string) bool { return Decimal(s).upToTen() }}
)

// upToTen reports whether the number is between 0 and 10, exactly.
func (d Decimal) upToTen() bool {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(d)), "e")
	shift, ok := smallInt(exponent)
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return true
	}
	// The number is 0.digits times ten to the power of magnitude.
	magnitude := len(digits) - len(fraction) + shift
	if !ok || strings.HasPrefix(mantissa, "-") {
		return false
	}
	return magnitude <= 1 || magnitude == 2 && strings.TrimRight(digits, "0") == "1"
}
