package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// Options say how [Compile] works. The zero value is ready.
type Options struct {
	// Expressions compiles an expression. Nil refuses policies that have some.
	// policyfile.Expressions is one.
	Expressions func(text string) (Expression, error)
	// Version names the build that evaluates, for people. It is part of verdicts.
	Version string
}

// Engine is a policy that is ready to decide. It is immutable, and safe for
// concurrent use.
type Engine struct {
	policy  *Policy
	text    []byte // canonical
	digest  string
	version string
	rules   []rule
	about   map[About]bool // what rules are about
	// Facts that rules read, sorted by name: those of findings, and those of the
	// image.
	reads, imageReads []*Field
	// readsBasis are those of findings with what exceptions rest on.
	readsBasis []*Field
	// readsItem are those of items.
	readsItem map[About][]*Field
	// Whether rules read how old something is: verdicts then change with the days.
	readsAge, readsImageAge bool
	// rooms are buffers for decisions: they are large, and each evaluation needs one.
	rooms sync.Pool
}

// rule is a rule that is ready to be asked.
type rule struct {
	*Rule
	tests []test
	quote []byte // the id as JSON
	// answers are how traces begin what it answered: ["id","no",
	answers [len(answerNames)]string
}

// Compile checks a policy and makes an engine of it. The policy must not be changed
// afterwards. A nil opts is the default. An error says which rule and condition is
// wrong and why; it wraps ErrInvalid, ErrLimit, or ErrUnsupported.
func Compile(p *Policy, opts *Options) (*Engine, error) {
	if opts == nil {
		opts = new(Options)
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	text, err := canonical(p)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %v: %w", p.ID, err, fault.Invalid)
	}
	e := &Engine{policy: p, text: text, digest: sum.Of(text), version: opts.Version, about: map[About]bool{}, readsItem: map[About][]*Field{}}
	reads := map[About]map[string]bool{AboutFinding: {"severity": true}, AboutSecret: {}, AboutFile: {}, AboutImage: {}} // the threshold reads it
	for i := range p.Rules {
		r := rule{Rule: &p.Rules[i], quote: quoted(p.Rules[i].ID)}
		for a, name := range answerNames {
			r.answers[a] = fmt.Sprintf("[%s,%q,", r.quote, name)
		}
		for n := range r.Conditions {
			t, names, err := r.Conditions[n].compile(r.About, opts.Expressions)
			if err != nil {
				return nil, fmt.Errorf("policy %s: rule %s: condition %d: %w", p.ID, r.ID, n+1, err)
			}
			r.tests = append(r.tests, t)
			for _, name := range names {
				reads[r.About][name] = true
			}
		}
		e.about[r.About] = true
		e.rules = append(e.rules, r)
	}
	e.read(reads)
	return e, nil
}

// read notes which facts are read, by what rules are about.
func (e *Engine) read(reads map[About]map[string]bool) {
	// How many there are is what tells from a trace that none is left out.
	reads[AboutImage]["secrets"] = reads[AboutImage]["secrets"] || e.about[AboutSecret]
	reads[AboutImage]["files"] = reads[AboutImage]["files"] || e.about[AboutFile]
	for i := range fieldList {
		f := &fieldList[i]
		finds := reads[AboutFinding][f.Name]
		if f.Image {
			if finds || reads[AboutSecret][f.Name] || reads[AboutFile][f.Name] || reads[AboutImage][f.Name] {
				e.imageReads = append(e.imageReads, f)
			}
			e.readsImageAge = e.readsImageAge || f.Name == "image_age" && slices.Contains(e.imageReads, f)
			continue
		}
		if finds {
			e.reads = append(e.reads, f)
		}
		if basis := f.Name == "severity" || f.Name == "kev" || f.Name == "fix" || f.Name == "path"; basis || finds {
			e.readsBasis = append(e.readsBasis, f)
		}
		for _, a := range Abouts[1:] {
			if reads[a][f.Name] {
				e.readsItem[a] = append(e.readsItem[a], f)
			}
		}
	}
	e.readsAge = reads[AboutFinding]["age"]
}

// Policy returns the policy. The caller must not change it.
func (e *Engine) Policy() *Policy { return e.policy }

// Digest returns the policy's digest.
func (e *Engine) Digest() string { return e.digest }

// ask asks a rule. by is the index of the condition that decided, -1 for a rule that
// applies.
func (r *rule) ask(f *evaluated) (is answer, by int, why string) {
	is, by = isYes, -1
	for i, t := range r.tests {
		switch a, w := t(f); a {
		case isNo:
			return isNo, i, ""
		case isError:
			if is != isError {
				is, by, why = isError, i, w
			}
		case isUnknown:
			if is == isYes {
				is, by = isUnknown, i
			}
		}
	}
	if !r.Until.IsZero() && !f.in.At.Before(r.Until) {
		return isNo, len(r.tests), ""
	}
	return is, by, why
}

// check says what keeps inputs from being evaluated.
func (in *Inputs) check() error {
	switch {
	case in.At.IsZero():
		return fmt.Errorf("evaluate: no evaluation time: %w", fault.Invalid)
	case len(in.Findings) > MaxFindings:
		return fmt.Errorf("evaluate: %w", &fault.LimitError{What: "findings", Where: in.Subject.Name, Max: MaxFindings, Seen: int64(len(in.Findings))})
	case len(in.Secrets) > MaxItems || len(in.Packages) > MaxItems && countFiles(in.Packages) > MaxItems:
		return fmt.Errorf("evaluate: %w", &fault.LimitError{What: "secrets or files without a package", Where: in.Subject.Name, Max: MaxItems, Seen: int64(max(len(in.Secrets), countFiles(in.Packages)))})
	case len(in.Exceptions) > MaxExceptions:
		return fmt.Errorf("evaluate: %w", &fault.LimitError{What: "exceptions", Where: in.Subject.Name, Max: MaxExceptions, Seen: int64(len(in.Exceptions))})
	}
	ids := make(map[string]bool, len(in.Exceptions))
	for i := range in.Exceptions {
		e := &in.Exceptions[i]
		if err := e.Check(); err != nil {
			return fmt.Errorf("evaluate: %w", err)
		}
		if ids[e.ID] {
			return fmt.Errorf("evaluate: exception %.128q is there twice: %w", e.ID, fault.Invalid)
		}
		ids[e.ID] = true
	}
	return nil
}

// indexExceptions finds the exceptions that may cover a vulnerability: those that
// name it, and those that name a pattern or none.
type indexedExceptions struct {
	byID  map[string][]*exception
	other []*exception
}

func (p *Policy) indexExceptions(list []Exception) (*indexedExceptions, error) {
	out := &indexedExceptions{byID: map[string][]*exception{}}
	for i := range list {
		e, err := list[i].prepare(&p.Exceptions)
		if err != nil {
			return nil, err
		}
		ids := e.Scope.Vulnerabilities
		if len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(id, "*") }) {
			out.other = append(out.other, e)
			continue
		}
		for _, id := range ids {
			out.byID[upper(id)] = append(out.byID[upper(id)], e)
		}
	}
	return out, nil
}

// covering returns the exceptions whose scope covers a finding, or may, the winner
// first.
func (x *indexedExceptions) covering(f *evaluated) []*exception {
	var out []*exception
	take := func(list []*exception) {
		for _, e := range list {
			if e.covers(f) != isNo && !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	take(x.other)
	if len(x.byID) > 0 {
		for _, id := range f.ids {
			take(x.byID[upper(id)])
		}
	}
	slices.SortFunc(out, (*exception).before)
	return out
}
