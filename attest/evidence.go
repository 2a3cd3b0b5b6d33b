package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/evidence"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// MaxLines bounds the text of lines that are verified together, in bytes.
const MaxLines = 512 << 20

// Line is a line of a bundle.jsonl that was verified.
type Line struct {
	Verified
	Number int // from 1
}

// Lines verifies each line of a bundle.jsonl as [Verifier.Verify] does: all of them are
// good, or there is an error that names the line. digest is that of the whole text where
// it is known from elsewhere, else "": without it nobody can tell that whole lines are
// missing.
func (v *Verifier) Lines(ctx context.Context, text []byte, digest string, want *Expectation) ([]Line, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	if len(text) > MaxLines {
		return nil, refuse(ReasonMalformed, "lines", "", &fault.LimitError{What: "bytes", Where: "lines", Max: MaxLines, Seen: int64(len(text))})
	}
	if want.Canonical && !bytes.HasSuffix(text, []byte("\n")) {
		return nil, refuse(ReasonMalformed, "lines", "the last line has no end", nil)
	}
	var out []Line
	for lines := bundle.NewReader(bytes.NewReader(text), &bundle.ReaderOptions{Digest: digest}); ; {
		item, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, refuse(ReasonMalformed, "lines", "", err)
		}
		raw, _, _ := bytes.Cut(text[item.Offset:], []byte("\n"))
		verified, err := v.line(ctx, raw, item, want)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", item.Line, err)
		}
		out = append(out, Line{Verified: *verified, Number: item.Line})
	}
	if len(out) == 0 {
		return nil, refuse(ReasonMalformed, "lines", "there are none", nil)
	}
	return out, nil
}

// line verifies a line that was read.
func (v *Verifier) line(ctx context.Context, raw []byte, item *bundle.Item, want *Expectation) (*Verified, error) {
	if err := ctx.Err(); err != nil { // the rest is not verified
		return nil, fmt.Errorf("verify: %w", err)
	}
	if item.Other != nil {
		return nil, refuse(ReasonMalformed, "bundle", "", errNeither)
	}
	return v.item(ctx, raw, item, want)
}

// Evidence is what is proved about one scan.
type Evidence struct {
	evidence.Evidence
	// Verdicts are those that were decided, in the order of their lines; none where
	// nobody decided.
	Verdicts []*verdict.Verdict
	Lines    []Line
}

// Evidence verifies the lines of evidence about one scan, and that they belong together:
// one of them lists all the others, nothing that it lists as being there is missing, and
// nothing else is there; each verdict was made on what is listed, and each that is listed
// is there. Expectation's Predicates say which must be among them.
func (v *Verifier) Evidence(ctx context.Context, text []byte, digest string, want *Expectation) (*Evidence, error) {
	if err := want.check(); err != nil {
		return nil, err
	}
	each := *want
	each.Predicates = nil
	lines, err := v.Lines(ctx, text, digest, &each)
	if err != nil {
		return nil, err
	}
	out := &Evidence{Lines: lines}
	if err := out.list(); err != nil {
		return nil, err
	}
	if err := out.belong(); err != nil {
		return nil, err
	}
	for _, p := range want.Predicates {
		if !slices.ContainsFunc(lines, func(l Line) bool { return intoto.SamePredicate(p, l.Statement.PredicateType) }) {
			return nil, refuse(ReasonEvidence, "evidence", fmt.Sprintf("no statement of %s is among its %d", p, len(lines)), nil)
		}
	}
	return out, nil
}

// list finds the line that lists the others.
func (e *Evidence) list() error {
	found := false
	for _, l := range e.Lines {
		if l.Statement == nil {
			return refuse(ReasonStatement, fmt.Sprintf("line %d", l.Number), "it is no statement", nil)
		}
		if intoto.KindOf(l.Statement.PredicateType) != intoto.Evidence {
			continue
		}
		if found {
			return refuse(ReasonEvidence, fmt.Sprintf("line %d", l.Number), "a second list", nil)
		}
		list, err := evidence.Read(l.Statement)
		if err != nil {
			return refuse(ReasonPredicate, fmt.Sprintf("line %d", l.Number), "", err)
		}
		e.Evidence, found = *list, true
	}
	if !found {
		return refuse(ReasonEvidence, "lines", "none of them lists what belongs together", nil)
	}
	return nil
}

// belong compares the lines with the list.
func (e *Evidence) belong() error {
	listed, missing := map[string][]evidence.Item{}, map[string]bool{}
	for _, i := range e.Items {
		if i.Included && i.Role == evidence.Statement {
			listed[i.Digest] = append(listed[i.Digest], i)
			missing[i.Digest] = true
		}
	}
	named := e.Named()
	for _, l := range e.Lines {
		what, payload := fmt.Sprintf("line %d", l.Number), sum.Of(l.Payload)
		kind := intoto.KindOf(l.Statement.PredicateType)
		if kind != intoto.Evidence && !missing[payload] {
			return refuse(ReasonEvidence, what, "the statement "+payload+" is not listed, or is there twice", nil)
		}
		delete(missing, payload)
		for _, i := range listed[payload] {
			if i.PredicateType != l.Statement.PredicateType || i.Size != 0 && i.Size != int64(len(l.Payload)) {
				return refuse(ReasonEvidence, what, fmt.Sprintf("listed as %.200q of %d bytes, and it is %.200q of %d", i.PredicateType, i.Size, l.Statement.PredicateType, len(l.Payload)), nil)
			}
		}
		if !l.Statement.About(named...) {
			return refuse(ReasonSubject, what, "about something else than the evidence", nil)
		}
		if kind != intoto.Verdict {
			continue
		}
		verd, err := verdict.Read(l.Statement)
		if err != nil {
			return refuse(ReasonPredicate, what, "", err)
		}
		if err := e.Binds(verd, sum.Of(l.Statement.Predicate)); err != nil {
			return refuse(ReasonEvidence, what, "", err)
		}
		e.Verdicts = append(e.Verdicts, verd)
	}
	for _, i := range e.Items { // else whoever decides by the verdicts would not hear of it
		if i.Role == evidence.Verdict && !slices.ContainsFunc(e.Lines, func(l Line) bool { return l.decides(i.Digest) }) {
			return refuse(ReasonEvidence, "evidence", "verdict "+i.Digest+" is listed, and no line says what it is", nil)
		}
	}
	if len(missing) > 0 {
		var list []string
		for d := range missing {
			list = append(list, d)
		}
		slices.Sort(list)
		return refuse(ReasonEvidence, "evidence", "statements that are listed and not there: "+strings.Join(list, ", "), nil)
	}
	return nil
}

// decides reports whether the line states the verdict of a digest.
func (l *Line) decides(digest string) bool {
	return l.Statement != nil && intoto.KindOf(l.Statement.PredicateType) == intoto.Verdict && sum.Of(l.Statement.Predicate) == digest
}

// Decision is what a verdict must say to be good enough. The zero value takes one that lets
// the image be used, by whichever policy. Where tenants who do not trust each other share a
// signing key, name the Policies: a verdict does not say whose it is, and anybody can have
// a policy by which everything passes.
type Decision struct {
	// Outcomes are those that are good enough; none means those that let the image be
	// used, pass and warn.
	Outcomes []verdict.Outcome
	// Policies are digests of policies, of which it must follow from one; none means any.
	Policies []string
	// Environment is what it must be decided for, where that is not "".
	Environment string
	// MaxAge refuses a verdict as of longer before At; 0 means any.
	MaxAge time.Duration
	// Standing refuses a verdict that the passing of time alone may have changed.
	Standing bool
}

// Check returns nil if a verdict is good enough at a time. Otherwise the error is an
// *Error with ReasonOutcome or ReasonAge.
func (d *Decision) Check(v *verdict.Verdict, at time.Time) error {
	switch age := at.Sub(v.At); {
	case len(d.Outcomes) > 0 && !slices.Contains(d.Outcomes, v.Outcome), len(d.Outcomes) == 0 && !v.Outcome.Allows():
		return refuse(ReasonOutcome, "verdict", fmt.Sprintf("%s: %.500q", v.Outcome, v.Because), nil)
	case len(d.Policies) > 0 && !slices.Contains(d.Policies, v.Inputs.Policy):
		return refuse(ReasonOutcome, "verdict", fmt.Sprintf("by the policy %s, %.80q version %d, and another one is asked for", v.Inputs.Policy, v.Policy.ID, v.Policy.Version), nil)
	case d.Environment != "" && d.Environment != v.Environment:
		return refuse(ReasonOutcome, "verdict", fmt.Sprintf("for environment %q, want %q", v.Environment, d.Environment), nil)
	case d.MaxAge != 0 && age > d.MaxAge:
		return refuse(ReasonAge, "verdict", fmt.Sprintf("as of %s, which is %s ago", v.At.Format(time.RFC3339), age), nil)
	case age < -skew:
		return refuse(ReasonAge, "verdict", fmt.Sprintf("as of %s, which is in the future", v.At.Format(time.RFC3339)), nil)
	case d.Standing && !v.NextChange.IsZero() && !at.Before(v.NextChange):
		return refuse(ReasonAge, "verdict", fmt.Sprintf("it held until %s", v.NextChange.Format(time.RFC3339)), nil)
	}
	return nil
}

// Decide holds the verdicts of evidence against a decision: there must be one, and all
// must be good enough.
func (e *Evidence) Decide(d *Decision, at time.Time) error {
	if len(e.Verdicts) == 0 {
		return refuse(ReasonOutcome, "evidence", "nobody has decided about it", nil)
	}
	var failed []error
	for _, v := range e.Verdicts {
		if err := d.Check(v, at); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
