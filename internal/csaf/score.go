package csaf

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Score says how bad the vulnerability is in some products (CSAF 2.0).
type Score struct {
	CVSSv2   *CVSS    `json:"cvss_v2,omitzero"`
	CVSSv3   *CVSS    `json:"cvss_v3,omitzero"`
	Products []string `json:"products"`
}

// Metric is what CSAF 2.1 has for [Score].
type Metric struct {
	Content  MetricContent `json:"content"`
	Products []string      `json:"products"`
	Source   string        `json:"source,omitzero"`
}

// MetricContent holds the ratings of one [Metric]. SSVC is kept as written.
type MetricContent struct {
	CVSSv2      *CVSS          `json:"cvss_v2,omitzero"`
	CVSSv3      *CVSS          `json:"cvss_v3,omitzero"`
	CVSSv4      *CVSS          `json:"cvss_v4,omitzero"`
	EPSS        *EPSS          `json:"epss,omitzero"`
	Qualitative string         `json:"qualitative_severity_rating,omitzero"`
	SSVC        jsontext.Value `json:"ssvc_v2,omitzero"`
}

// EPSS is an estimate of exploitation, in decimals as written.
type EPSS struct {
	Percentile  string `json:"percentile"`
	Probability string `json:"probability"`
	Timestamp   string `json:"timestamp"`
}

// CVSS is a CVSS object of any version, by the schemas of FIRST. Properties are
// the members that have no field: the metrics spelled out, such as
// "attackVector".
type CVSS struct {
	Version               string  `json:"version"`
	Vector                string  `json:"vectorString"`
	BaseScore             Decimal `json:"baseScore,omitzero"`
	BaseSeverity          string  `json:"baseSeverity,omitzero"`
	TemporalScore         Decimal `json:"temporalScore,omitzero"`
	TemporalSeverity      string  `json:"temporalSeverity,omitzero"`
	EnvironmentalScore    Decimal `json:"environmentalScore,omitzero"`
	EnvironmentalSeverity string  `json:"environmentalSeverity,omitzero"`
	//lint:ignore SA5008 an option of encoding/json/v2
	Properties map[string]jsontext.Value `json:",embed"`
}

// Property returns a property that is a string, or "".
func (c *CVSS) Property(name string) string {
	raw := c.Properties[name]
	if raw.Kind() != '"' {
		return ""
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return ""
	}
	return string(text)
}

// Decimal is a JSON number as written; empty if it is not there.
type Decimal string

var errNumber = errors.New("it is not a number")

// UnmarshalJSON keeps the number's text.
func (d *Decimal) UnmarshalJSON(raw []byte) error {
	if jsontext.Value(raw).Kind() != '0' {
		return errNumber
	}
	*d = Decimal(raw)
	return nil
}

// MarshalJSON writes the number; 0 for an empty Decimal.
func (d Decimal) MarshalJSON() ([]byte, error) {
	if d == "" {
		return []byte("0"), nil
	}
	return []byte(d), nil
}

// Tenths returns ten times the number, and whether that is a whole number
// between -1000 and 1000: scores have one decimal at most.
func (d Decimal) Tenths() (int, bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(d)), "e")
	shift, ok := smallInt(exponent)
	if !ok || mantissa == "" {
		return 0, false
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimPrefix(whole, "-") + fraction
	shift += 1 - len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	shift += len(digits) - len(trimmed)
	if trimmed = strings.TrimLeft(trimmed, "0"); trimmed == "" {
		return 0, true
	}
	if shift < 0 || len(trimmed)+shift > 4 {
		return 0, false
	}
	n, ok := smallInt(trimmed + strings.Repeat("0", shift))
	if strings.HasPrefix(whole, "-") {
		n = -n
	}
	return n, ok && n <= 1000 && n >= -1000
}

// smallInt reads an integer of at most four digits; "" is 0.
func smallInt(s string) (n int, ok bool) {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || len(digits) > 4 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	if strings.HasPrefix(s, "-") {
		n = -n
	}
	return n, true
}
