package policyfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/policy"
)

// maxCompared bounds how many pairs of rules are compared, and values within them.
const maxCompared = 5_000_000

// lint warns of rules that can never decide. What it says is certain: it compares
// conditions of facts by what they allow, and expressions by their texts alone.
func (p *parser) lint() {
	rules := p.policy.Rules
	known := make([]knownRule, len(rules))
	compared := 0
	for i := range rules {
		known[i] = newKnownRule(&rules[i])
		at := p.rules[i]
		path := fmt.Sprintf("rules[%d]", i)
		if why := known[i].contradiction(); why != "" {
			p.warn(at, path, "%q can never hold: %s", rules[i].ID, why)
			continue
		}
		for j := 0; j < i && compared < maxCompared; j++ {
			a, b := &known[j], &known[i]
			compared++
			if a.rule.About != b.rule.About || a.fields&^b.fields != 0 || a.expressions > b.expressions {
				continue
			}
			compared += a.values
			if a.ends() && (!b.rule.DespiteVEX || a.rule.DespiteVEX) && a.holdsWith(b) {
				p.warn(at, path, "%q never decides: whenever it holds, %q in line %d has ended it", b.rule.ID, a.rule.ID, p.rules[j].Line)
				break
			}
			if a.rule.Action == b.rule.Action && a.rule.DespiteVEX == b.rule.DespiteVEX && a.rule.Final == b.rule.Final && slices.EqualFunc(a.rule.Conditions, b.rule.Conditions, sameCondition) {
				p.warn(at, path, "%q does what %q in line %d does", b.rule.ID, a.rule.ID, p.rules[j].Line)
				break
			}
		}
	}
	if compared >= maxCompared {
		p.warn(nil, "rules", "there are too many to compare all of them")
	}
}

// expired warns of rules whose time is over.
func (p *parser) expired(at time.Time) {
	for i := range p.policy.Rules {
		if r := &p.policy.Rules[i]; !r.Until.IsZero() && !at.Before(r.Until) {
			p.warn(p.rules[i], fmt.Sprintf("rules[%d].until", i), "%q no longer applies: its time ended at %s", r.ID, r.Until.Format(time.RFC3339))
		}
	}
}

func sameCondition(a, b policy.Condition) bool {
	return compareConditions(a, b) == 0 && a.Expression == b.Expression
}

// knownRule is a rule with what its conditions allow each fact to be.
type knownRule struct {
	rule        *policy.Rule
	fields      uint64 // bits of the facts that its conditions ask about
	expressions int
	values      int // in all of its conditions
	ranges      map[string]*span
}

// span is what a number or a severity may be.
type span struct {
	low, high int64
	among     []int64 // nil for all
	except    []int64
}

func newKnownRule(r *policy.Rule) knownRule {
	k := knownRule{rule: r, ranges: map[string]*span{}}
	for i := range r.Conditions {
		c := &r.Conditions[i]
		k.values += len(c.Values)
		if c.Expression != "" {
			k.expressions++
			continue
		}
		at := slices.IndexFunc(policy.Fields(), func(f policy.Field) bool { return f.Name == c.Field })
		k.fields |= 1 << (at % 64)
		if f := policy.FieldByName(c.Field); f.Kind == policy.KindNumber || f.Kind == policy.KindSeverity {
			s := k.ranges[c.Field]
			if s == nil {
				s = &span{low: -noBound, high: noBound}
				if f.Kind == policy.KindSeverity {
					s.low, s.high = 1, 5
				}
				k.ranges[c.Field] = s
			}
			s.narrow(c, f)
		}
	}
	return k
}

// noBound is beyond every number that a document can have (18 digits), and so small
// that differences do not overflow.
const noBound = 1 << 61

// numbers are the values of a condition as integers, sorted.
func numbers(c *policy.Condition, f *policy.Field) []int64 {
	var out []int64
	for _, v := range c.Values {
		if f.Kind == policy.KindSeverity {
			out = append(out, int64(rank(v)))
		} else if n, ok := policy.Decimal(v, f.Scale); ok {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// in reports whether a sorted list has an element.
func in[T cmp.Ordered](list []T, x T) bool {
	_, ok := slices.BinarySearch(list, x)
	return ok
}

// narrow takes away what a condition does not allow.
func (s *span) narrow(c *policy.Condition, f *policy.Field) {
	list := numbers(c, f)
	if len(list) == 0 {
		return
	}
	switch op := turned(c); op {
	case policy.AtLeast:
		s.low = max(s.low, list[0])
	case policy.Above:
		s.low = max(s.low, list[0]+1)
	case policy.AtMost:
		s.high = min(s.high, list[0])
	case policy.Below:
		s.high = min(s.high, list[0]-1)
	default:
		switch {
		case c.Negate:
			s.except = append(s.except, list...)
			slices.Sort(s.except)
		case s.among == nil:
			s.among = list
		default:
			s.among = slices.DeleteFunc(slices.Clone(s.among), func(n int64) bool { return !in(list, n) })
		}
	}
}

// turned is the operator of a condition without its negation.
func turned(c *policy.Condition) policy.Operator {
	if !c.Negate {
		return c.Operator
	}
	switch c.Operator {
	case policy.AtLeast:
		return policy.Below
	case policy.Above:
		return policy.AtMost
	case policy.AtMost:
		return policy.Above
	case policy.Below:
		return policy.AtLeast
	}
	return c.Operator
}

// values lists what is left where that is a short list; ok is false for a range.
func (s *span) values() (out []int64, ok bool) {
	list := s.among
	if list == nil {
		if s.high-s.low > 16 {
			return nil, s.high < s.low
		}
		for n := s.low; n <= s.high; n++ {
			list = append(list, n)
		}
	}
	for _, n := range list {
		if n >= s.low && n <= s.high && !in(s.except, n) {
			out = append(out, n)
		}
	}
	return out, true
}

// within reports whether everything that is left meets a condition.
func (s *span) within(c *policy.Condition, f *policy.Field) bool {
	want := &span{low: -noBound, high: noBound}
	want.narrow(c, f)
	if left, ok := s.values(); ok {
		return !slices.ContainsFunc(left, func(n int64) bool {
			return n < want.low || n > want.high || want.among != nil && !in(want.among, n) || in(want.except, n)
		})
	}
	return s.low >= want.low && s.high <= want.high && want.among == nil &&
		!slices.ContainsFunc(want.except, func(n int64) bool { return n >= s.low && n <= s.high && !in(s.except, n) })
}

// contradiction says why the rule can never hold, "" where it may.
func (k *knownRule) contradiction() string {
	for _, f := range policy.Fields() {
		if s := k.ranges[f.Name]; s != nil {
			if left, ok := s.values(); ok && len(left) == 0 {
				return "nothing is left that " + f.Name + " could be"
			}
		}
	}
	list := k.rule.Conditions
	for i := range list {
		if list[i].Expression == "false" {
			return "its expression is false"
		}
		for j := range list[:i] {
			if excludes(&list[j], &list[i]) {
				return "two of its conditions about " + subjectOf(&list[i]) + " exclude each other"
			}
		}
	}
	return ""
}

func subjectOf(c *policy.Condition) string {
	if c.Expression != "" {
		return "the same expression"
	}
	return c.Field
}

// excludes reports whether two conditions can never hold together.
func excludes(a, b *policy.Condition) bool {
	if a.Expression != "" || b.Expression != "" {
		not := func(s string) []string { return []string{"!" + s, "!(" + s + ")"} }
		return a.Expression != "" && b.Expression != "" && (slices.Contains(not(a.Expression), b.Expression) || slices.Contains(not(b.Expression), a.Expression))
	}
	if a.Field != b.Field || a.Operator != b.Operator {
		return false
	}
	switch f := policy.FieldByName(a.Field); f.Kind {
	case policy.KindFlag:
		return (a.Values[0] == "true") != a.Negate != ((b.Values[0] == "true") != b.Negate)
	case policy.KindText:
		switch {
		case !a.Negate && !b.Negate:
			return apart(a.Values, b.Values)
		case a.Negate && !b.Negate:
			return subset(b.Values, a.Values)
		case b.Negate && !a.Negate:
			return subset(a.Values, b.Values)
		}
	case policy.KindTexts, policy.KindPURL, policy.KindLabels:
		return a.Negate != b.Negate && (a.Negate && subset(b.Values, a.Values) || b.Negate && subset(a.Values, b.Values))
	}
	return false
}

// apart reports whether no text can match one of some values and one of others, in any
// case.
func apart(some, others []string) bool {
	seen := make(map[string]bool, len(some))
	for _, v := range some {
		if strings.Contains(v, "*") {
			return false
		}
		seen[strings.ToLower(v)] = true
	}
	return !slices.ContainsFunc(others, func(v string) bool { return strings.Contains(v, "*") || seen[strings.ToLower(v)] })
}

// subset reports whether what any of some values matches one of others, which are
// sorted, matches too.
func subset(some, others []string) bool {
	return in(others, "*") || !slices.ContainsFunc(some, func(v string) bool { return !in(others, v) })
}

// ends reports whether nothing comes after the rule where it holds.
func (k *knownRule) ends() bool {
	return k.rule.Action != policy.ActionWarn && k.rule.Until.IsZero()
}

// holdsWith reports whether the rule holds whenever another does: each of its
// conditions follows from the other's.
func (k *knownRule) holdsWith(o *knownRule) bool {
	return !slices.ContainsFunc(k.rule.Conditions, func(c policy.Condition) bool { return !o.implies(&c) })
}

func (k *knownRule) implies(c *policy.Condition) bool {
	if c.Expression == "" {
		if s := k.ranges[c.Field]; s != nil {
			return s.within(c, policy.FieldByName(c.Field))
		}
	}
	return slices.ContainsFunc(k.rule.Conditions, func(has policy.Condition) bool {
		switch {
		case c.Expression != "" || has.Expression != "":
			return c.Expression == has.Expression
		case has.Field != c.Field || has.Operator != c.Operator:
			return false
		case policy.FieldByName(c.Field).Kind == policy.KindFlag:
			return ((has.Values[0] == "true") != has.Negate) == ((c.Values[0] == "true") != c.Negate)
		case has.Negate != c.Negate:
			return false
		case c.Negate:
			return subset(c.Values, has.Values)
		case policy.FieldByName(c.Field).Kind == policy.KindLabels:
			return subset(has.Values, c.Values) || !slices.ContainsFunc(has.Values, func(v string) bool {
				key, _, _ := strings.Cut(v, "=")
				return !in(c.Values, v) && !in(c.Values, key)
			})
		}
		return subset(has.Values, c.Values)
	})
}
