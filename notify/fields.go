package notify

import (
	"github.com/stella-ops/stella/internal/cel"
)

// celFields are what expressions may read of a notice.
var celFields = []struct {
	name string
	kind cel.Type
	get  func(*Notice) any
}{
	{"blocked", cel.Int, func(n *Notice) any { return int64(n.Blocked) }},
	{"before", cel.String, func(n *Notice) any { return n.Before }},
	{"blocking", cel.Strings, func(n *Notice) any { return append([]string{}, n.Blocking...) }},
	{"by", cel.String, func(n *Notice) any { return n.By }},
	{"cause", cel.String, func(n *Notice) any { return n.Cause }},
	{"critical", cel.Int, func(n *Notice) any { return int64(n.Findings["critical"]) }},
	{"environment", cel.String, func(n *Notice) any { return n.Environment }},
	{"exploited", cel.String, func(n *Notice) any { return string(n.Exploited) }},
	{"findings", cel.Int, func(n *Notice) any { return int64(n.count()) }},
	{"fixed", cel.String, func(n *Notice) any { return string(n.Fixed) }},
	{"high", cel.Int, func(n *Notice) any { return int64(n.Findings["high"]) }},
	{"image", cel.String, func(n *Notice) any { return n.Image }},
	{"labels", cel.Map, func(n *Notice) any {
		if n.Labels == nil {
			return map[string]string{}
		}
		return n.Labels
	}},
	{"namespace", cel.String, func(n *Notice) any { return namespace(n.Image) }},
	{"outcome", cel.String, func(n *Notice) any { return n.Outcome }},
	{"owner", cel.String, func(n *Notice) any { return n.Owner }},
	{"policy", cel.String, func(n *Notice) any { return n.Policy }},
	{"reason", cel.String, func(n *Notice) any { return n.Reason }},
	{"repository", cel.String, func(n *Notice) any { return repository(n.Image) }},
	{"severity", cel.String, func(n *Notice) any { return string(n.Severity) }},
	{"subject", cel.String, func(n *Notice) any { return n.Subject }},
	{"summary", cel.String, func(n *Notice) any { return n.Summary }},
	{"type", cel.String, func(n *Notice) any { return string(n.Type) }},
	{"vulnerability", cel.String, func(n *Notice) any { return n.Vulnerability }},
}

// Fields lists the names that an expression of Match.When may read: strings, but for
// labels, a map from string to string, blocking, a list of strings, and blocked, critical,
// high and findings, which are numbers. exploited and fixed are "yes", "no", or "" where
// nobody knows.
func Fields() []string {
	out := make([]string, len(celFields))
	for i, f := range celFields {
		out[i] = f.name
	}
	return out
}

func fields() []cel.Var {
	out := make([]cel.Var, len(celFields))
	for i, f := range celFields {
		out[i] = cel.Var{Name: f.name, Type: f.kind}
	}
	return out
}

// field is what an expression reads.
func (n *Notice) field(name string) (any, bool) {
	for i := range celFields {
		if celFields[i].name == name {
			return celFields[i].get(n), true
		}
	}
	return nil, false
}

// count is how many findings there are.
func (n *Notice) count() int {
	sum := 0
	for _, k := range n.Findings {
		sum += k
	}
	return sum
}

// value is what the notice has in a field that notices may agree in.
func (n *Notice) value(f Field) string {
	switch f {
	case FieldImage:
		return n.Image
	case FieldRepository:
		return repository(n.Image)
	case FieldNamespace:
		return namespace(n.Image)
	case FieldScan:
		return n.ScanID
	case FieldVulnerability:
		return n.Vulnerability
	case FieldEnvironment:
		return n.Environment
	case FieldOwner:
		return n.Owner
	case FieldEvent, GroupNone:
		return n.Event
	}
	return ""
}
