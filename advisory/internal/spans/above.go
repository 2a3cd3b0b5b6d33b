package spans

import (
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory/version"
)

// Above returns the function for [Set.Ranges] that gives the version next above
// another in the order of a scheme, or one that is so close that no real version
// is between them. For schemes where there is none it returns the version
// itself, which takes one version too many into a range.
func Above(s version.Scheme) func(string) string {
	switch s.String() {
	case "cpe":
		return func(v string) string { return v + "+" }
	case "semver", "npm", "golang", "pub", "julia":
		return aboveSemver
	case "gem":
		return func(v string) string { return v + ".0.0.0.1.a" }
	case "composer":
		return func(v string) string { return v + "-p" }
	case "maven":
		return func(v string) string { return v + "-sp" }
	case "pypi":
		return func(v string) string {
			if strings.Contains(v, "post") || strings.Contains(v, "dev") || strings.Contains(v, "+") {
				return v
			}
			return v + ".post0.dev0"
		}
	}
	return func(v string) string { return v }
}

// aboveSemver returns the first pre-release of the next patch, or of a
// pre-release the one with a further identifier.
func aboveSemver(v string) string {
	v, _, _ = strings.Cut(v, "+")
	if strings.Contains(v, "-") {
		return v + ".0"
	}
	numbers := strings.Split(v, ".")
	for len(numbers) < 3 {
		numbers = append(numbers, "0")
	}
	last := len(numbers) - 1
	n, err := strconv.ParseUint(numbers[last], 10, 63)
	if err != nil {
		return v
	}
	numbers[last] = strconv.FormatUint(n+1, 10)
	return strings.Join(numbers, ".") + "-0"
}
