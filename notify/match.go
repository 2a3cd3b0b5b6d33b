package notify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/cel"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// condition is one part of a Match. said tells a reader why it holds, or does not.
type condition struct {
	holds func(*Notice) bool
	said  func(*Notice) string
}

// matcher is a compiled Match: all conditions must hold. It is safe for concurrent use.
type matcher struct {
	types      []event.Type
	conditions []condition
	labels     bool // some condition asks for labels
}

func (m *matcher) matches(n *Notice) bool {
	if !slices.Contains(m.types, n.Type) {
		return false
	}
	for i := range m.conditions {
		if !m.conditions[i].holds(n) {
			return false
		}
	}
	return true
}

// maxReason bounds one reason, in bytes: rules and events may hold long texts.
const maxReason = 500

// why says why a notice matches, and against, "" for nothing, what speaks against it.
func (m *matcher) why(n *Notice) (why []string, against string) {
	if !slices.Contains(m.types, n.Type) {
		return nil, fmt.Sprintf("the event is %s, and not %s", n.Type, or(m.types))
	}
	why = append(why, "the event is "+string(n.Type))
	for i := range m.conditions {
		c := &m.conditions[i]
		if !c.holds(n) {
			return why, short(c.said(n))
		}
		why = append(why, short(c.said(n)))
	}
	return why, ""
}

func short(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason], "") + "…"
}

func or[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, " or ")
}

// compile checks a Match. Errors name the member.
func (m *Match) compile() (*matcher, error) {
	c := &compiler{out: &matcher{types: m.Types}}
	if len(m.Types) == 0 {
		c.out.types = defaultTypes
	}
	for _, t := range m.Types {
		if !slices.Contains(Types(), t) {
			c.fail("types", "%.60q is no event that people can be told of: want %s", t, or(Types()))
		}
	}
	c.severity(m.Severity)
	c.patterns("images", m.Images, "the image", func(n *Notice) []string { return []string{n.Image, repository(n.Image)} })
	c.patterns("namespaces", m.Namespaces, "the namespace", func(n *Notice) []string { return []string{namespace(n.Image)} })
	c.patterns("vulnerabilities", m.Vulnerabilities, "the vulnerability", func(n *Notice) []string { return []string{n.Vulnerability} })
	c.labelled(m.Labels)
	c.answer(m.Exploited, "exploited", func(n *Notice) Answer { return n.Exploited })
	c.answer(m.Fixed, "fixed by a newer version", func(n *Notice) Answer { return n.Fixed })
	c.patterns("causes", m.Causes, "the cause", func(n *Notice) []string { return []string{n.Cause} })
	c.patterns("environments", m.Environments, "the environment", func(n *Notice) []string { return []string{n.Environment} })
	c.patterns("outcomes", m.Outcomes, "the outcome", func(n *Notice) []string { return []string{n.Outcome} })
	c.verdict(m.Verdict)
	c.when(m.When)
	return c.out, c.err
}

type compiler struct {
	out *matcher
	err error // the first
}

func (c *compiler) fail(member, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %s: %w", member, fmt.Sprintf(format, args...), fault.Invalid)
	}
}

func (c *compiler) add(holds func(*Notice) bool, said func(*Notice) string) {
	c.out.conditions = append(c.out.conditions, condition{holds, said})
}

func (c *compiler) severity(least finding.Severity) {
	if least == "" {
		return
	}
	sev, ok := finding.ParseSeverity(string(least))
	if !ok {
		c.fail("severity", "%.40q is none", least)
	}
	c.add(func(n *Notice) bool {
		switch {
		case n.Severity != "":
			return n.Severity.Rank() >= sev.Rank()
		case n.Findings != nil: // counted, and none has a severity that is known
			return n.Findings[""] > 0
		}
		return true
	}, func(n *Notice) string {
		switch {
		case n.Severity != "":
			return fmt.Sprintf("the severity is %s, the least is %s", n.Severity, sev)
		case n.Findings != nil && n.Findings[""] == 0:
			return fmt.Sprintf("there are no findings, the least severity is %s", sev)
		}
		return "the severity is not known"
	})
}

// patterns adds a condition: one of the values is what the patterns ask for.
func (c *compiler) patterns(member string, list []string, what string, values func(*Notice) []string) {
	if len(list) == 0 {
		return
	}
	g, err := parseGlobs(list)
	if err != nil {
		c.fail(member, "%v", err)
		return
	}
	c.add(func(n *Notice) bool { return g.match(values(n)...) }, func(n *Notice) string {
		v := values(n)[0]
		if v == "" {
			v = "unknown"
		}
		return fmt.Sprintf("%s is %s, asked for is %s", what, v, strings.Join(list, ", "))
	})
}

func (c *compiler) labelled(labels map[string]string) {
	if len(labels) > MaxPatterns {
		c.fail("labels", "%d patterns are over the limit of %d", len(labels), MaxPatterns)
		return
	}
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c.out.labels = true
		g, err := parseGlob(labels[name])
		if err != nil {
			c.fail("labels", "pattern %.80q of %.80q: %v", labels[name], name, err)
			return
		}
		c.add(func(n *Notice) bool { v, ok := n.Labels[name]; return ok && g.match(v) },
			func(n *Notice) string {
				if v, ok := n.Labels[name]; ok {
					return fmt.Sprintf("the label %s is %s, asked for is %s", name, v, labels[name])
				}
				return fmt.Sprintf("the scan has no label %s", name)
			})
	}
}

func (c *compiler) answer(wanted bool, what string, get func(*Notice) Answer) {
	if !wanted {
		return
	}
	c.add(func(n *Notice) bool { return get(n) != No }, func(n *Notice) string {
		switch get(n) {
		case Yes:
			return "it is " + what
		case No:
			return "it is not " + what
		}
		return "whether it is " + what + " is not known"
	})
}

// outcomes from the best to the worst.
var outcomes = []string{"pass", "warn", "block", "error"}

func (c *compiler) verdict(want string) {
	if want == "" {
		return
	}
	if want != "worse" && want != "better" && want != "changed" {
		c.fail("verdict", "%.40q: want worse, better or changed", want)
		return
	}
	c.add(func(n *Notice) bool {
		if n.Type != event.VerdictChanged {
			return false
		}
		was, is := slices.Index(outcomes, n.Before), slices.Index(outcomes, n.Outcome)
		switch {
		case want == "changed":
			return n.Before != n.Outcome
		case is < 0 || was < 0 && n.Before != "":
			return true // nobody knows which is worse
		case want == "worse":
			return is > max(was, 0)
		}
		return is < was
	}, func(n *Notice) string {
		if n.Type != event.VerdictChanged {
			return "no verdict changed"
		}
		if n.Before == "" {
			return "the verdict is " + n.Outcome + ", the first one"
		}
		return fmt.Sprintf("the verdict is %s and was %s", n.Outcome, n.Before)
	})
}

func (c *compiler) when(text string) {
	if text == "" {
		return
	}
	env, err := cel.New(fields(), nil)
	if err != nil {
		c.fail("when", "%v", err)
		return
	}
	p, err := env.Compile(text)
	if err != nil {
		c.fail("when", "%v", err)
		return
	}
	for _, name := range p.Reads() {
		c.out.labels = c.out.labels || name == "labels"
	}
	c.add(func(n *Notice) bool { ok, err := p.Eval(n.field); return ok || err != nil }, func(n *Notice) string {
		ok, err := p.Eval(n.field)
		switch {
		case err != nil: // rather told once too much
			return fmt.Sprintf("whether %s holds could not be told: %v", p.Text(), err)
		case ok:
			return p.Text() + " holds"
		}
		return p.Text() + " does not hold"
	})
}
