package rubysec

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory/internal/spans"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// maxRequirements bounds the requirements of one file.
const maxRequirements = 1000

// requirement reads conditions that all hold, such as "~> 4.2.5, >= 4.2.5.1".
//
// Source: RubyGems, Gem::Requirement (PATTERN_RAW, OPS).
func requirement(s version.Scheme, text string) (spans.Set, error) {
	set := spans.All()
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		n := 0
		for n < len(part) && strings.IndexByte("<>=!~", part[n]) >= 0 {
			n++
		}
		one, err := condition(s, part[:n], strings.TrimSpace(part[n:]))
		if err != nil {
			return set, fmt.Errorf("read requirement %.128q: %w", text, err)
		}
		set = set.And(one)
	}
	return set, nil
}

func condition(s version.Scheme, op, v string) (spans.Set, error) {
	if op != "~>" {
		if op == "==" {
			return spans.Set{}, fmt.Errorf("the operator == is none: %w", fault.Invalid)
		}
		return spans.Compare(s, op, v)
	}
	low, err := spans.Compare(s, ">=", v)
	if err != nil {
		return low, err
	}
	end, err := bump(v)
	if err != nil {
		return low, err
	}
	high, err := spans.Compare(s, "<", end)
	return low.And(high), err
}

// bump returns the lowest version that "~> v" leaves out: without letters and
// what follows them, without the last of several numbers, the one before it
// raised, its lowest pre-release.
//
// Source: RubyGems, Gem::Version#bump; Gem::Requirement compares by release.
func bump(v string) (string, error) {
	var numbers []string
	for part := range strings.SplitSeq(strings.ReplaceAll(v, "-", ".pre."), ".") {
		digits := strings.TrimLeft(part, "0123456789")
		if part == "" || digits == part {
			break
		}
		numbers = append(numbers, strings.TrimSuffix(part, digits))
		if digits != "" {
			break
		}
	}
	if len(numbers) > 1 {
		numbers = numbers[:len(numbers)-1]
	}
	if len(numbers) == 0 {
		return "", fmt.Errorf("version %.64q does not start with a number: %w", v, fault.Invalid)
	}
	last := len(numbers) - 1
	n, err := strconv.ParseUint(numbers[last], 10, 63)
	if err != nil {
		return "", fmt.Errorf("version %.64q has a number that is too large to raise: %w", v, fault.Invalid)
	}
	numbers[last] = strconv.FormatUint(n+1, 10)
	return strings.Join(numbers, ".") + ".A", nil
}
