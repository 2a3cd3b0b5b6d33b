package sbom

import "fmt"

// Check returns what is wrong inside a document, in document order: elements
// without a name, identifiers that are not unique, relationships that lead
// nowhere, words about usage that there are not, secrets of no rule or file. An empty result means a consistent document. It does not judge how
// much the document says.
func (d *Document) Check() []Problem {
	var problems []Problem
	ids := map[string]bool{d.Subject.ID: true}
	for i := range d.Packages {
		p := &d.Packages[i]
		where := fmt.Sprintf("package %d (%s)", i+1, p.Name)
		if p.Name == "" {
			problems = append(problems, Problem{where, "has no name"})
		}
		if p.ID == "" {
			problems = append(problems, Problem{where, "has no identifier"})
		} else if ids[p.ID] {
			problems = append(problems, Problem{where, "identifier " + p.ID + " is not unique"})
		}
		ids[p.ID] = true
		if what := p.Usage.problem(); what != "" {
			problems = append(problems, Problem{where, what})
		}
	}
	for i, r := range d.Relationships {
		for _, end := range []string{r.From, r.To} {
			if !ids[end] {
				problems = append(problems, Problem{fmt.Sprintf("relationship %d", i+1), "leads to unknown element " + end})
			}
		}
	}
	for i, s := range d.Secrets {
		if s.Rule == "" || s.Path == "" || s.Line < 0 {
			problems = append(problems, Problem{fmt.Sprintf("secret %d (%s)", i+1, s.Path), "has no rule, no path or a line below 0"})
		}
	}
	return problems
}

func (u *Usage) problem() string {
	switch {
	case u == nil || u.State == Reached:
		return ""
	case u.State != Unreached:
		return fmt.Sprintf("usage %.60q is neither reached nor unreached", u.State)
	case len(u.Chain) > 0:
		return "is unreached, and there is a way to it"
	}
	return ""
}

// Problem is something inconsistent in a document.
type Problem struct {
	Where string `json:"where"` // the element
	What  string `json:"what"`  // what is wrong with it
}
