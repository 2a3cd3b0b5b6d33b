package csaf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// grouper makes the statements of one vulnerability.
type grouper struct {
	*reader
	v       *csaf.Vulnerability
	pointer string
	at      time.Time
	// What is said of products, as indexes of flags, threats and remediations.
	flags, threats, remediations map[string][]int
}

// statements passes on the statements. It reports whether to go on.
func (g *grouper) statements() (bool, error) {
	lists := g.v.ProductStatus.Lists()
	if len(lists) == 0 {
		return true, nil
	}
	if name, _ := nameOf(g.v); name == "" {
		return g.out.Broken(g.pointer, fmt.Errorf("it names no vulnerability: %w", fault.Invalid)), nil
	}
	if goOn, err := g.index(); !goOn || err != nil {
		return goOn, err
	}
	for _, l := range lists {
		if !g.list(l) {
			return false, nil
		}
	}
	return true, nil
}

// index notes what is said of which product.
func (g *grouper) index() (goOn bool, err error) {
	g.flags, g.threats, g.remediations = map[string][]int{}, map[string][]int{}, map[string][]int{}
	for i := range g.v.Flags {
		f := &g.v.Flags[i]
		if !slices.Contains(vex.Justifications, vex.Justification(f.Label)) {
			err := fmt.Errorf("label %.60q is none of %v: %w", f.Label, vex.Justifications, fault.Invalid)
			if !g.out.Broken(g.pointer+"/flags/"+strconv.Itoa(i), err) {
				return false, nil
			}
			continue
		}
		if err := g.note(g.flags, i, f.ProductIDs, f.GroupIDs); err != nil {
			return false, err
		}
	}
	for i := range g.v.Threats {
		t := &g.v.Threats[i]
		if t.Category != "impact" || isSeverity(t.Details) {
			continue
		}
		if err := g.note(g.threats, i, t.ProductIDs, t.GroupIDs); err != nil {
			return false, err
		}
	}
	for i := range g.v.Remediations {
		rem := &g.v.Remediations[i]
		if err := g.note(g.remediations, i, rem.ProductIDs, rem.GroupIDs); err != nil {
			return false, err
		}
	}
	return true, nil
}

// note adds index i to what is said of products. Groups may name all products many
// times over, so that all that is named is bounded.
func (g *grouper) note(where map[string][]int, i int, ids, groups []string) error {
	all := g.products.Expand(ids, groups)
	if g.expanded += len(all); g.expanded > g.limits.MaxProducts {
		return &fault.LimitError{What: "products that flags, threats and remediations name", Where: g.pointer, Max: int64(g.limits.MaxProducts)}
	}
	for _, id := range all {
		where[id] = append(where[id], i)
	}
	return nil
}

// isSeverity reports whether an impact is a publisher's word for how bad it is.
func isSeverity(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "critical", "important", "high", "moderate", "medium", "low", "none", "unspecified", "informational":
		return true
	}
	return false
}

// statuses are what the groups of lists say.
var statuses = map[csaf.StatusGroup]vex.Status{
	csaf.Affected: vex.Affected, csaf.NotAffected: vex.NotAffected, csaf.Fixed: vex.Fixed, csaf.UnderInvestigation: vex.UnderInvestigation,
}

// list passes on the statements of one list: one for all products of which the same
// is said. Its pointer is that of the first.
func (g *grouper) list(l csaf.StatusList) bool {
	status := statuses[l.Group]
	if status == "" {
		return true
	}
	type group struct {
		pointer   string
		statement *vex.Statement
	}
	var order []*group
	groups := map[string]*group{}
	for i, id := range l.IDs {
		pointer := g.pointer + "/product_status/" + l.Name + "/" + strconv.Itoa(i)
		products, err := g.productsOf(id, status)
		if err != nil {
			if !g.out.Broken(pointer, err) {
				return false
			}
			continue
		}
		key := g.key(status, id)
		have := groups[key]
		if have == nil || len(have.statement.Products)+len(products) > vex.MaxProducts {
			have = &group{pointer, g.statement(status, id)}
			groups[key] = have
			order = append(order, have)
		}
		have.statement.Products = append(have.statement.Products, products...)
	}
	for _, s := range order {
		if !g.out.Statement(s.pointer, s.statement) {
			return false
		}
	}
	return true
}

// key is equal for products of which the same is said.
func (g *grouper) key(status vex.Status, id string) string {
	switch status {
	case vex.NotAffected:
		return fmt.Sprint(g.flags[id], g.threats[id])
	case vex.Affected:
		return fmt.Sprint(g.remediations[id])
	}
	return ""
}

// statement is the statement about a product, without products.
func (g *grouper) statement(status vex.Status, id string) *vex.Statement {
	s := &vex.Statement{Status: status, Time: g.at}
	s.Vulnerability, s.Aliases = nameOf(g.v)
	switch status {
	case vex.NotAffected:
		if flags := g.flags[id]; len(flags) > 0 {
			s.Justification = vex.Justification(g.v.Flags[flags[0]].Label)
		}
		s.Impact = join(g.threats[id], func(i int) string { return g.v.Threats[i].Details })
	case vex.Affected:
		s.Action = join(g.remediations[id], func(i int) string { return action(&g.v.Remediations[i]) })
	}
	return s
}

// join puts texts together until they are too long for a statement anyhow.
func join(indexes []int, text func(int) string) string {
	var b strings.Builder
	for _, i := range indexes {
		if b.Len() > vex.MaxText {
			break
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		b.WriteString(strings.TrimSpace(text(i)))
	}
	return b.String()
}

// action is a remediation as a text: "vendor_fix: Update to 1.2. https://…".
func action(r *csaf.Remediation) string {
	out := r.Category + ": " + strings.TrimSpace(r.Details)
	if r.URL != "" {
		out += " " + r.URL
	}
	return out
}
