package sbom

import "fmt"

// Check returns what is wrong inside a document, in document order: elements
// without a name, identifiers that are not unique, relationships that lead
// nowhere. An empty result means a consistent document. It does not judge how
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
	}
	for i, r := range d.Relationships {
		for _, end := range []string{r.From, r.To} {
			if !ids[end] {
				problems = append(problems, Problem{fmt.Sprintf("relationship %d", i+1), "leads to unknown element " + end})
			}
		}
	}
	return problems
}

// Problem is something inconsistent in a document.
type Problem struct {
	Where string `json:"where"` // the element
	What  string `json:"what"`  // what is wrong with it
}
