package requirement

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/internal/sum"
)

// Parse reads a document of the given name, YAML or JSON. There is at least one
// requirement, and each has a name of its own. Unknown and repeated members, anchors,
// aliases and further documents are refused. An error is a [*DocumentError], or wraps
// ErrLimit.
func Parse(name string, text []byte) ([]attest.Requirement, error) {
	if len(text) > MaxDocument {
		return nil, &fault.LimitError{What: "bytes", Where: "requirements " + name, Max: MaxDocument, Seen: int64(len(text))}
	}
	p := &parser{names: map[string]int{}}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var root, more yaml.Node
	if err := d.Decode(&root); err != nil || len(root.Content) == 0 {
		p.report(nil, "", "want requirements: %s", strings.TrimPrefix(fmt.Sprint(err), "yaml: "))
		return nil, p.err(name)
	}
	if d.Decode(&more) == nil {
		p.report(nil, "", "there is a second document in it")
	}
	out := p.document(root.Content[0])
	if len(p.found) > 0 {
		return nil, p.err(name)
	}
	return out, nil
}

type parser struct {
	found []Problem
	names map[string]int // lines of the requirements' names
}

func (p *parser) report(n *yaml.Node, path, format string, args ...any) {
	problem := Problem{Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		problem.Line = n.Line
	}
	if len(p.found) < MaxProblems {
		p.found = append(p.found, problem)
	}
}

func (p *parser) err(name string) error {
	slices.SortStableFunc(p.found, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &DocumentError{Name: name, Problems: p.found}
}

// fields are the members of a mapping that are known; nil is none.
func (p *parser) fields(n *yaml.Node, path string, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode || n.Anchor != "" {
		p.report(n, path, "want members: %s", strings.Join(known, ", "))
		return nil
	}
	out := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || !slices.Contains(known, k.Value):
			hint := ""
			if near := suggest.Nearest(k.Value, known); near != "" {
				hint = fmt.Sprintf(", did you mean %s?", near)
			}
			p.report(k, path, "unknown member %.80q%s", k.Value, hint)
		case out[k.Value] != nil:
			p.report(k, path, "member %q is there twice", k.Value)
		case v.Anchor != "" || v.Kind == yaml.AliasNode:
			p.report(v, path, "anchors and aliases are not read")
		default:
			out[k.Value] = v
		}
	}
	return out
}

func (p *parser) document(n *yaml.Node) []attest.Requirement {
	f := p.fields(n, "", "requirements")
	list := p.list(f["requirements"], "requirements", MaxRequirements)
	if f != nil && len(list) == 0 {
		p.report(n, "", "there are no requirements: then nothing is proved")
	}
	var out []attest.Requirement
	for i, node := range list {
		out = append(out, p.requirement(node, fmt.Sprintf("requirements[%d]", i)))
	}
	return out
}

func (p *parser) requirement(n *yaml.Node, path string) (r attest.Requirement) {
	f := p.fields(n, path, "name", "types", "signers", "threshold", "logged", "stamped", "max_age", "verdict")
	if f == nil {
		return r
	}
	if r.Name = p.text(f["name"], path+".name"); r.Name == "" {
		p.report(n, path, "it needs a name")
	} else if line := p.names[r.Name]; line > 0 {
		p.report(n, path, "the name %q is that of the requirement in line %d", r.Name, line)
	}
	p.names[r.Name] = n.Line
	for _, node := range p.list(f["types"], path+".types", MaxItems) {
		t, err := intoto.PredicateType(p.text(node, path+".types"))
		if err != nil {
			p.report(node, path+".types", "%v", message(err))
		}
		r.Predicates = append(r.Predicates, t)
	}
	for _, node := range p.list(f["signers"], path+".signers", MaxItems) {
		r.Signers = append(r.Signers, p.signer(node, path+".signers"))
	}
	r.Threshold = p.number(f["threshold"], path+".threshold")
	r.Logged, r.Stamped = p.flag(f["logged"], path+".logged"), p.flag(f["stamped"], path+".stamped")
	r.MaxAge = p.age(f["max_age"], path+".max_age")
	if v := f["verdict"]; v != nil {
		r.Decision = p.decision(v, path+".verdict")
		if len(r.Predicates) == 0 {
			r.Predicates = []string{intoto.PredicateVerdict}
		} else if len(r.Predicates) != 1 || !intoto.SamePredicate(intoto.PredicateVerdict, r.Predicates[0]) {
			p.report(v, path+".verdict", "types are others: such a statement says nothing of a verdict")
		}
	}
	if len(r.Predicates) == 0 {
		p.report(n, path, "it needs types, or a verdict")
	}
	return r
}

func (p *parser) decision(n *yaml.Node, path string) *attest.Decision {
	d := new(attest.Decision)
	f := p.fields(n, path, "outcomes", "policies", "environment", "max_age", "standing")
	for _, node := range p.list(f["outcomes"], path+".outcomes", MaxItems) {
		o := verdict.Outcome(p.text(node, path+".outcomes"))
		if !slices.Contains(outcomes, o) {
			p.report(node, path+".outcomes", "%.80q is no outcome: want %s", o, join(outcomes))
		}
		d.Outcomes = append(d.Outcomes, o)
	}
	for _, node := range p.list(f["policies"], path+".policies", MaxItems) {
		digest := p.text(node, path+".policies")
		if !sum.Is(digest) {
			p.report(node, path+".policies", "%.80q is no digest: want sha256: and 64 hexadecimal digits", digest)
		}
		d.Policies = append(d.Policies, digest)
	}
	if e := f["environment"]; e != nil {
		if d.Environment = p.text(e, path+".environment"); d.Environment == "" {
			p.report(e, path+".environment", "it is empty")
		}
	}
	d.MaxAge, d.Standing = p.age(f["max_age"], path+".max_age"), p.flag(f["standing"], path+".standing")
	return d
}

var outcomes = []verdict.Outcome{verdict.Pass, verdict.Warn, verdict.NotAssessed, verdict.Block, verdict.Error}

func join(list []verdict.Outcome) string {
	out := make([]string, len(list))
	for i, o := range list {
		out[i] = string(o)
	}
	return strings.Join(out, ", ")
}

// message is an error's text without its kind, which the reader knows.
func message(err error) string { return strings.TrimSuffix(err.Error(), ": "+string(fault.Invalid)) }

// signer is the id of a key, or the identity of a certificate.
func (p *parser) signer(n *yaml.Node, path string) string {
	s := p.text(n, path)
	if identity, ok := strings.CutPrefix(s, "sigstore:"); ok {
		if issuer, subject, ok := strings.Cut(identity, "|"); !ok || issuer == "" || subject == "" {
			p.report(n, path, "%.200q: want sigstore:ISSUER|SUBJECT", s)
		}
		return s
	}
	if b, err := hex.DecodeString(s); err != nil || len(b) != 32 || strings.ToLower(s) != s {
		p.report(n, path, "%.200q: want the id of a key, 64 hexadecimal digits, or sigstore:ISSUER|SUBJECT", s)
	}
	return s
}

func (p *parser) list(n *yaml.Node, path string, most int) []*yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind != yaml.SequenceNode:
		p.report(n, path, "want a list")
	case len(n.Content) == 0:
		p.report(n, path, "the list is empty: leave it out where it asks for nothing")
	case len(n.Content) > most:
		p.report(n, path, "%d elements, more than %d", len(n.Content), most)
	default:
		return n.Content
	}
	return nil
}

func (p *parser) text(n *yaml.Node, path string) string {
	switch {
	case n == nil:
		return ""
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str" || n.Anchor != "":
		p.report(n, path, "want text")
	case len(n.Value) > MaxText:
		p.report(n, path, "%d bytes, more than %d", len(n.Value), MaxText)
	default:
		return n.Value
	}
	return ""
}

func (p *parser) flag(n *yaml.Node, path string) bool {
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Value != "true" && n.Value != "false" {
		p.report(n, path, "want true or false")
	}
	return n.Value == "true"
}

func (p *parser) number(n *yaml.Node, path string) int {
	if n == nil {
		return 0
	}
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v < 1 || v > MaxThreshold {
		p.report(n, path, "want a number from 1 to %d", MaxThreshold)
		return 0
	}
	return v
}

// age reads a duration as package time does, or whole days as in "30d".
func (p *parser) age(n *yaml.Node, path string) time.Duration {
	if n == nil {
		return 0
	}
	const day = 24 * time.Hour
	d, err := time.ParseDuration(n.Value)
	if days, ok := strings.CutSuffix(n.Value, "d"); ok {
		var v int64
		if v, err = strconv.ParseInt(days, 10, 64); err == nil && v < math.MaxInt64/int64(day) {
			d = time.Duration(v) * day
		}
	}
	if n.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		p.report(n, path, "want a time that is not 0, such as 30d or 12h")
		return 0
	}
	return d
}
