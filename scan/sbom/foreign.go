package sbom

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxNamed bounds the members that a loss names one by one.
const maxNamed = 10

// Losses says which members of formats other than except an element named where
// has beyond the model: what an encoding in the format except leaves out, one
// loss for each format, sorted. What only notes that a member was absent, or is
// a codec's note to itself, is no loss.
func (f Foreign) Losses(where, except string) []Loss {
	var losses []Loss
	for _, family := range slices.Sorted(maps.Keys(f)) {
		if family == except {
			continue
		}
		if names, ok := f[family].told(); !ok {
			losses = append(losses, Loss{Where: where, What: "members of " + family + " outside the model"})
		} else if len(names) > 0 {
			losses = append(losses, Loss{Where: where, What: "members of " + family + " outside the model: " + listed(names)})
		}
	}
	return losses
}

// told returns the names of the members that say something, sorted. ok is false
// where they do not tell what is outside the model: the object cannot be read, or
// it is an element as a whole, which SPDX keeps.
func (r RawObject) told() (names []string, ok bool) {
	var members map[string]jsontext.Value
	if json.Unmarshal([]byte(r), &members) != nil {
		return nil, false
	}
	for name, value := range members {
		if name == "SPDXID" {
			return nil, false
		}
		if value.Kind() != 'n' && !strings.HasPrefix(name, "#") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, true
}

func listed(names []string) string {
	more := ""
	if n := len(names) - maxNamed; n > 0 {
		names, more = names[:maxNamed], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%.300s", strings.Join(names, ", ")) + more
}
