package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
)

// Explained tells the story of an explanation: whether a vulnerability affects a
// package, by which records and comparisons. Nothing was decided, so it has no outcome;
// its Because begins with the conclusion. Nil gives nil.
func Explained(x *finding.Explanation) *Story {
	if x == nil {
		return nil
	}
	name := strings.TrimSpace(x.Package.Name + " " + x.Package.Version)
	out := &Story{Title: x.Asked + " in " + name + ": " + words(x.Conclusion), Because: concluded(x.Conclusion) + ": " + inner(x.Why) + "."}
	out.Steps = append(out.Steps, explainedPackage(x, name))
	for i := range x.Records {
		out.Steps = append(out.Steps, explainedRecord(&x.Records[i], x.Snapshot))
	}
	if len(x.Records) == 0 {
		out.Steps = append(out.Steps, Step{Kind: StepRecord, Title: "no record of the data is about " + x.Asked, Refs: snapshotRef(x.Snapshot)})
	}
	if b := x.Backport; b != nil {
		step := Step{Kind: StepRecord, Title: "repaired by the distribution, and by others", Text: add(nil, capital(b.Why))}
		for _, list := range [][]finding.FixedIn{b.Upstream, b.Distribution} {
			for _, f := range list {
				step.Text = append(step.Text, fmt.Sprintf("%s: %s of %s is repaired in %s.", f.Record, f.Name, f.Ecosystem, strings.Join(f.Versions, ", ")))
			}
		}
		out.Steps = append(out.Steps, step)
	}
	out.Steps = append(out.Steps, explainedVerdict(x), explainedNext(x))
	return out
}

// concluded begins a sentence about a conclusion.
func concluded(c finding.Conclusion) string {
	switch c {
	case finding.Affected:
		return "The package is affected"
	case finding.NotAffected:
		return "The package is not affected"
	case finding.UnknownID:
		return "Nobody can say whether the package is affected"
	}
	return "The package is not assessed"
}

func explainedPackage(x *finding.Explanation, name string) Step {
	step := Step{Kind: StepPackage, Title: name}
	step.Text = add(step.Text, prefixed("Its package URL is ", x.Package.PURL), prefixed("It was installed by the distribution's package ", x.Package.Owner))
	if also := others(x.Vulnerabilities, x.Asked); also != "" {
		step.Text = append(step.Text, x.Asked+" stands for "+also+".")
	}
	s := &x.Scope
	switch {
	case s.Name == "":
	case len(s.Ecosystems) == 0:
		step.Text = append(step.Text, "It is looked up nowhere: "+inner(s.Name)+".")
	default:
		step.Text = append(step.Text, "It is looked up in "+s.Name+prefixed(", by the order of versions of ", s.Scheme)+".")
		for _, l := range s.Lookups {
			step.Text = append(step.Text, "As "+strings.TrimSpace(l.Name+" "+l.Version)+": "+inner(l.Why)+".")
		}
		for _, e := range s.Ecosystems {
			step.Text = append(step.Text, "The newest record of "+e.Name+" is of "+cmp.Or(e.Modified, "an unknown day")+".")
		}
	}
	return step
}

func explainedRecord(r *finding.ConsideredRecord, snapshot string) Step {
	word := ": does not apply"
	if r.Applies {
		word = ": applies"
	}
	step := Step{Kind: StepRecord, Title: r.ID + word, Text: add(nil, capital(r.Why))}
	if len(r.Path) > 2 {
		step.Text = append(step.Text, "It leads there by "+strings.Join(r.Path, " → ")+".")
	}
	step.Text = add(step.Text, prefixed("It was taken back on ", r.Withdrawn))
	for i := range r.Entries {
		e := &r.Entries[i]
		step.Text = append(step.Text, "About "+e.Name+" in "+e.Ecosystem+prefixed(" of ", e.Stream)+prefixed(", status ", e.Status)+": "+inner(e.Why)+".")
		for _, c := range e.Compared {
			step.Text = append(step.Text, c.Type+" "+c.Range+": "+c.Answer+prefixed("; ", inner(c.Why))+".")
		}
	}
	if len(r.Elsewhere) > 0 {
		text := "It is about " + strings.Join(r.Elsewhere, ", ")
		if len(r.Entries) > 0 {
			text = "It is also about " + strings.Join(r.Elsewhere, ", ")
		}
		if r.More > 0 {
			text += fmt.Sprintf(" and %d more", r.More)
		}
		step.Text = append(step.Text, text+".")
	}
	step.Refs = append([]Ref{{Name: strings.TrimSpace(r.ID + prefixed(" from ", r.Source)), Digest: r.Digest}}, snapshotRef(snapshot)...)
	return step
}

func snapshotRef(digest string) []Ref {
	if digest == "" {
		return nil
	}
	return []Ref{{Name: "advisory data", Digest: digest}}
}

// explainedVerdict says what matching makes of it.
func explainedVerdict(x *finding.Explanation) Step {
	step := Step{Kind: StepVerdict, Title: words(x.Conclusion)}
	for i := range x.Findings {
		f := &x.Findings[i]
		step.Text = append(step.Text, "A scan reports "+f.Vulnerability+" by "+f.Advisory+", severity "+cmp.Or(string(f.Severity), "unknown")+".")
		step.Text = append(step.Text, likely(f)...)
		if f.URL != "" {
			step.Refs = append(step.Refs, Ref{Name: f.Advisory, URL: f.URL})
		}
	}
	if len(x.Findings) == 0 {
		step.Text = append(step.Text, "A scan reports no finding of it.")
	}
	for _, g := range x.Gaps {
		step.Text = append(step.Text, "Whatever the vulnerability, it is not assessed: "+prefixedBy(g.Where, ": ")+inner(g.What)+".")
	}
	return step
}

func explainedNext(x *finding.Explanation) Step {
	step := Step{Kind: StepNext, Title: "what changes it"}
	told := map[string]bool{}
	for i := range x.Findings {
		if text := fixedIn(&x.Findings[i]); !told[text] {
			told[text] = true
			step.Text = append(step.Text, text)
		}
	}
	if x.Conclusion == finding.UnknownID {
		step.Text = append(step.Text, "Data that has a record of "+x.Asked+" may say: is the id right, and is the source of it among the data?")
	}
	step.Text = append(step.Text, "Newer advisory data, or another version of the package, may change it.")
	return step
}
