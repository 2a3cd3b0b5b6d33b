package policyfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

// match reads the conditions of facts: a mapping from facts to values, or a list of
// such mappings. All must hold.
func (p *parser) match(about policy.About, n *yaml.Node, path string) []policy.Condition {
	var out []policy.Condition
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		for i, x := range p.list(n, path) {
			out = append(out, p.matchOne(about, x, fmt.Sprintf("%s[%d]", path, i))...)
		}
	default:
		out = p.matchOne(about, n, path)
	}
	slices.SortFunc(out, compareConditions)
	return slices.CompactFunc(out, func(a, b policy.Condition) bool { return compareConditions(a, b) == 0 })
}

func (p *parser) matchOne(about policy.About, n *yaml.Node, path string) []policy.Condition {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		p.bad(n, path, "want a mapping from facts to values, such as severity: \">= high\"")
		return nil
	}
	var out []policy.Condition
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field := policy.FieldByName(key.Value)
		if field == nil {
			p.bad(key, path, "unknown fact %.60q%s", key.Value, suggest.Phrase(key.Value, factNames()))
			continue
		}
		if !field.IsOf(about) {
			p.bad(key, path, "%s is no fact of %s", field.Name, about.Plural())
			continue
		}
		out = append(out, p.fact(field, value, path+"."+key.Value, false)...)
	}
	return out
}

func factNames() []string {
	out := make([]string, 0, len(policy.Fields()))
	for _, f := range policy.Fields() {
		out = append(out, f.Name)
	}
	return out
}

// fact reads what one fact is compared with.
func (p *parser) fact(f *policy.Field, n *yaml.Node, path string, negate bool) []policy.Condition {
	c := policy.Condition{Field: f.Name, Operator: policy.Is, Negate: negate}
	if f.Kind == policy.KindPURL {
		c.Operator = policy.Matches
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		p.bad(n, path, "want a value")
		return nil
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "not":
		if negate {
			p.bad(n, path, "not of not")
			return nil
		}
		return p.fact(f, n.Content[1], path+".not", true)
	case n.Kind == yaml.MappingNode && f.Kind == policy.KindLabels && len(n.Content) > 0:
		return p.labels(f, n, path, negate)
	case n.Kind == yaml.MappingNode:
		p.bad(n, path, "want a value, a list of values, or {not: value}")
		return nil
	case n.Kind == yaml.ScalarNode && (f.Kind == policy.KindSeverity || f.Kind == policy.KindNumber):
		return p.compared(f, n, path, negate)
	}
	for i, x := range p.list(n, path) {
		at := path
		if n.Kind == yaml.SequenceNode {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		if v := p.value(f, x, at); v != "" {
			c.Values = append(c.Values, v)
		}
	}
	if f.Kind == policy.KindFlag && len(c.Values) > 1 {
		p.bad(n, path, "true or false, which always holds")
	}
	if len(c.Values) > policy.MaxValues {
		p.bad(n, path, "%d values, at most %d", len(c.Values), policy.MaxValues)
	}
	if len(c.Values) == 0 {
		return nil
	}
	slices.Sort(c.Values)
	c.Values = slices.Compact(c.Values)
	return []policy.Condition{c}
}

// labels reads {team: payments, tier: [a, b]}: each label must have one of its values.
func (p *parser) labels(f *policy.Field, n *yaml.Node, path string, negate bool) []policy.Condition {
	if negate && len(n.Content) > 2 {
		p.bad(n, path, "not of several labels is not clear: write each on its own")
		return nil
	}
	var out []policy.Condition
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		c := policy.Condition{Field: f.Name, Operator: policy.Is, Negate: negate}
		if key == "" || strings.ContainsAny(key, "=") {
			p.bad(n.Content[i], path, "want the name of a label")
			continue
		}
		for _, v := range p.texts(n.Content[i+1], under(path, key), nil) {
			c.Values = append(c.Values, key+"="+v)
		}
		if len(c.Values) > 0 {
			slices.Sort(c.Values)
			out = append(out, c)
		}
	}
	return out
}

// compared reads a comparison such as ">= 7.5", two of them as ">= 4.0, < 7.0", or a
// value.
func (p *parser) compared(f *policy.Field, n *yaml.Node, path string, negate bool) []policy.Condition {
	if isFloat(n) { // noted by plain
		return nil
	}
	if tag := n.ShortTag(); tag != "!!str" && (tag != "!!int" || f.Kind != policy.KindNumber) {
		p.bad(n, path, "%.40q is a %s: want a comparison in quotes, such as %q", n.Value, kindOf(n), example(f))
		return nil
	}
	parts := strings.Split(n.Value, ",")
	if len(parts) > 1 && negate {
		p.bad(n, path, "not of two comparisons is not clear: write the other one")
		return nil
	}
	var out []policy.Condition
	for _, part := range parts {
		part = strings.TrimSpace(part)
		rest := strings.TrimLeft(part, "<>=!~")
		c := policy.Condition{Field: f.Name, Operator: policy.Operator(part[:len(part)-len(rest)]), Negate: negate}
		switch c.Operator {
		case "", "=", "==":
			c.Operator = policy.Is
			if len(parts) > 1 {
				p.bad(n, path, "values in one text: write a list, or comparisons such as \">= 4.0, < 7.0\"")
				return nil
			}
		case policy.AtLeast, policy.AtMost, policy.Above, policy.Below:
		case "!=":
			p.bad(n, path, "operator != is not there: write {not: %s}", strings.TrimSpace(rest))
			return nil
		default:
			ops := []string{">=", "<=", ">", "<"}
			p.bad(n, path, "operator %q is none of %s%s", c.Operator, strings.Join(ops, ", "), suggest.Phrase(string(c.Operator), ops))
			return nil
		}
		v := p.scaled(f, strings.TrimSpace(rest), n, path)
		if v == "" {
			return nil
		}
		c.Values = []string{v}
		out = append(out, c)
	}
	return out
}

func example(f *policy.Field) string {
	if f.Kind == policy.KindSeverity {
		return ">= high"
	}
	return ">= " + decimal(75, f.Scale)
}

// scaled returns a severity or a number in canonical form, "" where it is none.
func (p *parser) scaled(f *policy.Field, s string, n *yaml.Node, path string) string {
	if f.Kind == policy.KindSeverity {
		sev, ok := finding.ParseSeverity(s)
		switch {
		case strings.EqualFold(s, "unknown"):
			p.bad(n, path, "an unknown severity is no value: evidence.unrated says what counts for it")
		case !ok:
			p.bad(n, path, "%.40q is none of %s%s", s, strings.Join(severities(), ", "), suggest.Phrase(strings.ToLower(s), severities()))
		}
		return string(sev)
	}
	number, ok := policy.Decimal(s, f.Scale)
	if !ok {
		p.bad(n, path, "%.40q is no number: want digits such as %s", s, decimal(75, f.Scale))
		return ""
	}
	if _, fraction, _ := strings.Cut(s, "."); len(strings.TrimRight(fraction, "0")) > f.Scale {
		p.bad(n, path, "%.40s has more than %d decimal places: it would be cut off", s, f.Scale)
		return ""
	}
	return decimal(number, f.Scale)
}

// decimal writes an integer of a number of decimal places as a decimal text.
func decimal(n int64, places int) string {
	sign, s := "", strconv.FormatInt(n, 10)
	if n < 0 {
		sign, s = "-", s[1:]
	}
	if len(s) <= places {
		s = strings.Repeat("0", places-len(s)+1) + s
	}
	whole, fraction := s[:len(s)-places], strings.TrimRight(s[len(s)-places:], "0")
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}

// value returns one value that a fact may be, "" where it is none.
func (p *parser) value(f *policy.Field, n *yaml.Node, path string) string {
	switch {
	case f.Kind == policy.KindFlag:
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
			return strconv.FormatBool(p.flag(n, path))
		}
		if !isFloat(n) {
			p.bad(n, path, "%.40q: want true or false, without quotes", n.Value)
		}
		return ""
	case n.Kind != yaml.ScalarNode:
		p.bad(n, path, "want a value")
		return ""
	case f.Kind == policy.KindNumber && n.ShortTag() == "!!int":
		return p.scaled(f, n.Value, n, path)
	}
	s := p.text(n, path, policy.MaxText)
	switch {
	case s == "":
		return ""
	case strings.HasPrefix(s, ">") || strings.HasPrefix(s, "<"):
		p.bad(n, path, "%.40q: a comparison stands alone, and goes with numbers and severities; %s is of kind %s", s, f.Name, f.Kind)
		return ""
	case f.Kind == policy.KindSeverity || f.Kind == policy.KindNumber:
		return p.scaled(f, s, n, path)
	case f.Kind == policy.KindPURL:
		if _, err := vex.ParsePattern(s); err != nil {
			p.bad(n, path, "%s", strings.TrimSuffix(err.Error(), ": "+ErrInvalid.Error()))
			return ""
		}
		return s
	case strings.Contains(s, ".*") || strings.HasPrefix(s, "^") || strings.HasSuffix(s, "$"):
		p.warn(n, path, "%.60q looks like a regular expression: here \"*\" stands for any characters, and nothing else is special", s)
	}
	if known := valuesOf(f.Name); known != nil && !has(known, s) && !strings.Contains(s, "*") {
		p.bad(n, path, "%.60q is none of %s%s", s, strings.Join(known, ", "), suggest.Phrase(s, known))
		return ""
	}
	return s
}

// valuesOf lists the values that a fact may have, nil where anything may be.
func valuesOf(name string) []string {
	switch name {
	case "fix":
		return []string{"available", "none", "will_not_fix", "fix_deferred", "end_of_life", "under_investigation", "unimportant"}
	case "vex":
		return append(strs(vex.Statuses), "none")
	case "vex_justification":
		return strs(vex.Justifications)
	case "usage":
		return []string{string(sbom.Reached), string(sbom.Unreached), "unknown"}
	case "file_kind":
		return []string{"executable", "shared-object", "script"}
	case "scope":
		return []string{"runtime", "dev", "optional"}
	case "gap":
		return strs([]sbom.GapCode{sbom.GapUnreadable, sbom.GapLimit, sbom.GapPanic, sbom.GapUncaptured, sbom.GapUnsupported, sbom.GapNoData, sbom.GapNoVersion,
			sbom.GapUnresolved, sbom.GapUnidentified, sbom.GapOddity, sbom.GapEndOfLife, sbom.GapStale, sbom.GapForeignLayer})
	}
	return nil
}
