package cyclonedx

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// A version is the N of CycloneDX 1.N.
type version int

const (
	oldest     version = 0 // what Decode reads
	oldestJSON version = 2 // there is no JSON form before
	oldestOut  version = 4 // what Encode writes
	newest     version = 7

	defaultVersion version = 6
)

func (v version) String() string { return "1." + string(rune('0'+v)) }

// schema is the value of "$schema".
func (v version) schema() string {
	return "http://cyclonedx.org/schema/bom-" + v.String() + ".schema.json"
}

const namespacePrefix = "http://cyclonedx.org/schema/bom/"

// namespace is that of the XML form.
func (v version) namespace() string { return namespacePrefix + v.String() }

// parseVersion reads "1.N" for an N that is known.
func parseVersion(s string) (version, error) {
	digit, ok := strings.CutPrefix(s, "1.")
	if !ok || len(digit) != 1 || digit[0] < '0' || version(digit[0]-'0') > newest {
		return 0, fmt.Errorf("CycloneDX version %q is not one of 1.0 to %v: %w", s, newest, fault.Unsupported)
	}
	return version(digit[0] - '0'), nil
}
