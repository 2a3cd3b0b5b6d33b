package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
)

// answer checks what a rule answered: that each of its conditions that stands for a
// comparison says what the answer needs.
func (c *check) answer(d *policy.Decided, r *policy.Rule, a policy.AskedRule, severity finding.Severity) error {
	over := !r.Until.IsZero() && !c.trace.At.Before(r.Until)
	n := len(r.Conditions)
	if bad := a.By < -1 || a.By > n || a.By == n && !over || (a.By == -1) != (a.Is == "yes"); bad || over && a.Is != "no" {
		return fmt.Errorf("it cannot answer %s by condition %d", a.Is, a.By)
	}
	for i := range r.Conditions {
		is, err := c.condition(d, &r.Conditions[i], severity)
		if err != nil {
			return fmt.Errorf("condition %d: %w", i+1, err)
		}
		if !agrees(a, i, is) {
			return fmt.Errorf("condition %d says %q of the facts, which does not go with the answer %s by condition %d", i+1, is, a.Is, a.By+1)
		}
	}
	return nil
}

// agrees reports whether what the ith condition says goes with a rule's answer. An
// expression, which says "", goes with any.
func agrees(a policy.AskedRule, i int, is string) bool {
	switch {
	case is == "":
		return true
	case a.Is == "yes":
		return is == "yes"
	case a.Is == "error":
		return i != a.By && is != "no"
	case i > a.By:
		return a.Is == "no" || is != "no"
	case i == a.By:
		return is == a.Is
	case a.Is == "unknown":
		return is == "yes"
	}
	return is != "no"
}

// condition says "yes", "no" or "unknown" of the facts; "" for an expression.
func (c *check) condition(d *policy.Decided, x *policy.Condition, severity finding.Severity) (string, error) {
	if x.Expression != "" {
		return "", nil
	}
	field := policy.FieldByName(x.Field)
	if field == nil {
		return "", fmt.Errorf("field %q is unknown", x.Field)
	}
	facts := d.Facts
	if field.Image {
		facts = c.trace.Facts
	}
	fact, ok := facts[x.Field]
	if !ok {
		return "", fmt.Errorf("fact %s is missing", x.Field)
	}
	if x.Field == "severity" && severity != finding.Unknown {
		fact = jsontext.Value(strconv.Itoa(severity.Rank())) // an exception may have lowered it
	}
	var holds bool
	switch asked := field.Unknown != "" && slices.Contains(x.Values, field.Unknown); {
	case string(fact) != "null":
		var err error
		if holds, err = compare(field, x, fact); err != nil {
			return "", fmt.Errorf("fact %s: %w", x.Field, err)
		}
	case !asked:
		return "unknown", nil
	default:
		holds = true
	}
	if holds != x.Negate {
		return "yes", nil
	}
	return "no", nil
}

// compare says whether a fact is any of the values.
func compare(f *policy.Field, x *policy.Condition, fact jsontext.Value) (bool, error) {
	fold := f.Name == "vulnerability" || f.Name == "advisory"
	switch f.Kind {
	case policy.KindNumber, policy.KindSeverity:
		n, _, err := number(fact)
		return err == nil && anyNumber(f, x, n), err
	case policy.KindFlag:
		return x.Values[0] == string(fact), nil
	case policy.KindTexts:
		var list []string
		err := json.Unmarshal(fact, &list)
		return slices.ContainsFunc(list, func(s string) bool { return anyText(x.Values, s, fold) }), err
	case policy.KindLabels:
		var labels map[string]string
		err := json.Unmarshal(fact, &labels)
		return anyLabel(x.Values, labels), err
	}
	var s string
	if err := json.Unmarshal(fact, &s); err != nil {
		return false, err
	}
	if x.Operator == policy.Matches {
		return anyPackage(x.Values, s)
	}
	return anyText(x.Values, s, fold), nil
}

func anyText(values []string, s string, fold bool) bool {
	return slices.ContainsFunc(values, func(pattern string) bool {
		if fold {
			return wild(strings.ToUpper(pattern), strings.ToUpper(s))
		}
		return wild(pattern, s)
	})
}

// wild matches with "*" for any characters, by trying every split.
func wild(pattern, s string) bool {
	star := strings.IndexByte(pattern, '*')
	if star < 0 {
		return pattern == s
	}
	if !strings.HasPrefix(s, pattern[:star]) {
		return false
	}
	pattern, s = pattern[star+1:], s[star:]
	for i := 0; i <= len(s); i++ {
		if wild(pattern, s[i:]) {
			return true
		}
		if strings.IndexByte(pattern, '*') < 0 && len(s)-i > len(pattern) {
			i = len(s) - len(pattern) - 1 // only the end is left to try
		}
	}
	return false
}

func anyLabel(values []string, labels map[string]string) bool {
	for _, want := range values {
		key, pattern, pair := strings.Cut(want, "=")
		if has, ok := labels[key]; ok && (!pair || wild(pattern, has)) {
			return true
		}
	}
	return false
}

func anyPackage(values []string, url string) (bool, error) {
	product := vex.Product{PURL: url}
	product.Prepare()
	for _, v := range values {
		p, err := vex.ParsePattern(v)
		if err != nil {
			return false, err
		}
		if p.Covers(&product) {
			return true, nil
		}
	}
	return false, nil
}

func anyNumber(f *policy.Field, x *policy.Condition, n int64) bool {
	return slices.ContainsFunc(x.Values, func(text string) bool {
		want, ok := policy.Decimal(text, f.Scale)
		if f.Kind == policy.KindSeverity {
			s, known := finding.ParseSeverity(text)
			want, ok = int64(s.Rank()), known
		}
		if !ok {
			return false
		}
		switch x.Operator {
		case policy.AtLeast:
			return n >= want
		case policy.AtMost:
			return n <= want
		case policy.Above:
			return n > want
		case policy.Below:
			return n < want
		}
		return n == want
	})
}

// number reads an integer; null is an unknown one.
func number(v jsontext.Value) (n int64, known bool, err error) {
	if v == nil || string(v) == "null" {
		return 0, false, nil
	}
	n, err = strconv.ParseInt(string(v), 10, 64)
	return n, true, err
}
