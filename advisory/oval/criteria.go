package oval

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// criteria is a node of a definition's tree.
type criteria struct {
	Operator string      `xml:"operator,attr"`
	Negate   string      `xml:"negate,attr"`
	Nodes    []criteria  `xml:"criteria"`
	Leaves   []criterion `xml:"criterion"`
	Extends  []struct{}  `xml:"extend_definition"`
}

type criterion struct {
	Ref     string `xml:"test_ref,attr"`
	Comment string `xml:"comment,attr"`
	Negate  string `xml:"negate,attr"`
}

// way is one way in which a definition can hold: everything in it holds.
type way struct {
	product string // "Red Hat Enterprise Linux 8"
	module  string // "nodejs:18"
	bounds  []bound
}

// bound is what a way asks of a package. Without versions, the package need
// only be there.
type bound struct {
	name             string
	less, lessEqual  string
	above, fromEqual string
	equals           []string
	absent           bool // it must not be there
}

// ways resolves a node to the ways in which it holds.
func (t *tables) ways(c *criteria, depth int) ([]way, error) {
	if depth > maxDepth {
		return nil, &fault.LimitError{What: "levels of criteria", Where: "the definition", Max: maxDepth}
	}
	if isTrue(c.Negate) || len(c.Extends) > 0 {
		return nil, fmt.Errorf("criteria that are negated or of another definition: %w", fault.Unsupported)
	}
	var children [][]way
	for i := range c.Leaves {
		w, err := t.leaf(&c.Leaves[i])
		if err != nil {
			return nil, err
		}
		children = append(children, []way{w})
	}
	for i := range c.Nodes {
		w, err := t.ways(&c.Nodes[i], depth+1)
		if err != nil {
			return nil, err
		}
		children = append(children, w)
	}
	switch c.Operator {
	case "OR":
		return either(children)
	case "AND", "":
		return all(children)
	}
	return nil, fmt.Errorf("the operator %.20q: %w", c.Operator, fault.Unsupported)
}

func isTrue(s string) bool { return s == "true" || s == "1" }

func either(children [][]way) (out []way, err error) {
	for _, list := range children {
		if len(out)+len(list) > maxWays {
			return nil, tooMany()
		}
		out = append(out, list...)
	}
	return out, nil
}

func all(children [][]way) ([]way, error) {
	out := []way{{}}
	for _, list := range children {
		if len(list) == 0 {
			continue
		}
		if len(out)*len(list) > maxWays {
			return nil, tooMany()
		}
		next := make([]way, 0, len(out)*len(list))
		for _, a := range out {
			for _, b := range list {
				next = append(next, and(a, b))
			}
		}
		out = next
	}
	return out, nil
}

func tooMany() error {
	return &fault.LimitError{What: "ways in which it can hold", Where: "the definition", Max: maxWays}
}

// and is the way of both.
func and(a, b way) way {
	out := way{product: a.product, module: a.module}
	if out.product == "" {
		out.product = b.product
	}
	if out.module == "" {
		out.module = b.module
	}
	out.bounds = append(append(make([]bound, 0, len(a.bounds)+len(b.bounds)), a.bounds...), b.bounds...)
	return out
}

// leaf resolves a test.
func (t *tables) leaf(c *criterion) (way, error) {
	if module := moduleOf(c.Comment); module != "" {
		if isTrue(c.Negate) {
			return way{}, fmt.Errorf("a negated test %.80q: %w", c.Comment, fault.Unsupported)
		}
		return way{module: module}, nil
	}
	tst, known := t.tests[c.Ref]
	if !known {
		return fromComment(c)
	}
	if product := productOf(c.Comment); product != "" && (tst.kind != "rpminfo_test" || !t.isPackage(tst, c.Comment)) {
		return way{product: product}, nil
	}
	if tst.kind != "rpminfo_test" || tst.unless {
		return way{}, nil // what is running, the content of a file, or a live patch that is not there
	}
	name := t.objects[tst.object]
	if name == "" {
		return fromComment(c)
	}
	b := bound{name: name, absent: tst.none}
	bare := len(tst.states) == 0
	for _, ref := range tst.states {
		s, known := t.states[ref]
		if !known {
			return fromComment(c)
		}
		if !s.known {
			continue // who signed it
		}
		bare = true
		if err := b.limit(s); err != nil {
			return way{}, err
		}
	}
	if !bare {
		return way{}, nil
	}
	if isTrue(c.Negate) {
		return way{}, fmt.Errorf("a negated test %.80q: %w", c.Comment, fault.Unsupported)
	}
	return way{bounds: []bound{b}}, nil
}

// isPackage reports whether a test whose comment ends with "is installed" is of
// a package and not of the product that a release package stands for.
func (t *tables) isPackage(tst test, comment string) bool {
	name := t.objects[tst.object]
	if name == "" || strings.HasSuffix(name, "-release") || strings.Contains(name, " ") {
		return false
	}
	return strings.HasPrefix(comment, name)
}

// limit adds a bound of versions.
func (b *bound) limit(s state) error {
	nothing := strings.TrimLeft(s.evr, "0:-.") == ""
	switch {
	case s.evr == "":
		return fmt.Errorf("a bound of %.80q is empty: %w", b.name, fault.Invalid)
	case s.op == "less than":
		b.less = s.evr
	case s.op == "less than or equal":
		b.lessEqual = s.evr
	case s.op == "greater than" && nothing, s.op == "greater than or equal" && nothing:
		// every version, as SUSE writes what has no fix
	case s.op == "greater than":
		b.above = s.evr
	case s.op == "greater than or equal":
		b.fromEqual = s.evr
	case s.op == "equals" && nothing:
		b.absent = true // no version, as SUSE writes what is not affected
	case s.op == "equals":
		b.equals = append(b.equals, s.evr)
	default:
		return fmt.Errorf("a version of %.80q that is %.40q: %w", b.name, s.op, fault.Unsupported)
	}
	return nil
}

// moduleOf reads "Module nodejs:18 is enabled".
func moduleOf(comment string) string {
	rest, ok := strings.CutPrefix(comment, "Module ")
	name, ok2 := strings.CutSuffix(rest, " is enabled")
	if !ok || !ok2 || !strings.Contains(name, ":") || strings.Contains(name, " ") {
		return ""
	}
	return name
}

// productOf reads "Oracle Linux 8 is installed". A package's name has no space.
func productOf(comment string) string {
	name, ok := strings.CutSuffix(strings.TrimSpace(comment), " is installed")
	if !ok || !strings.Contains(name, " ") {
		return ""
	}
	return name
}

// fromComment reads a test by its comment: the document lacks it, its object or
// its state.
func fromComment(c *criterion) (way, error) {
	comment := strings.TrimSpace(c.Comment)
	if isTrue(c.Negate) {
		return way{}, fmt.Errorf("a negated test %.80q: %w", comment, fault.Unsupported)
	}
	if product := productOf(comment); product != "" {
		return way{product: product}, nil
	}
	name, evr, ok := strings.Cut(comment, " is earlier than ")
	switch {
	case ok && !strings.ContainsAny(name, " ") && evr != "" && !strings.ContainsAny(evr, " "):
		return way{bounds: []bound{{name: name, less: evr}}}, nil
	case strings.Contains(comment, " is signed with "), strings.Contains(comment, " arch is "), strings.HasSuffix(comment, "-based"),
		strings.HasSuffix(comment, " must be installed"):
		return way{}, nil
	}
	return way{}, fmt.Errorf("the document lacks the test %.80q (%.80q), or what it refers to: %w", c.Ref, comment, fault.Invalid)
}
