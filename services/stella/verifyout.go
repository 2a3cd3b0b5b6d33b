package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/policy/verify"
)

// verifiedReport is what "stella verify" has to say. Without Verified there is nothing
// in it but why.
type verifiedReport struct {
	Verified     bool                `json:"verified"`
	Code         string              `json:"code,omitempty"`
	Reason       string              `json:"reason,omitempty"`
	Kind         string              `json:"kind,omitempty"` // image, evidence, lines or artifact
	Name         string              `json:"name,omitempty"`
	At           time.Time           `json:"at,omitzero"`
	Subjects     []string            `json:"subjects,omitempty"`
	Statements   []verifiedStatement `json:"statements,omitempty"`
	Verdicts     []verifiedVerdict   `json:"verdicts,omitempty"`
	Requirements []requirementMet    `json:"requirements,omitempty"`
	Replayed     string              `json:"replayed,omitempty"` // digest of the verdict that was decided again
	NotChecked   []string            `json:"not_checked,omitempty"`
}

type verifiedStatement struct {
	Line          int           `json:"line,omitzero"`
	PredicateType string        `json:"predicate_type,omitempty"` // "" for a file that was signed itself
	Digest        string        `json:"digest"`                   // of the bytes that were signed
	Subjects      []string      `json:"subjects,omitempty"`
	Signers       []string      `json:"signers"`
	Times         []time.Time   `json:"times,omitempty"`
	Logged        []verifiedLog `json:"logged,omitempty"`
	statement     *intoto.Statement
	payload       []byte
}

type verifiedLog struct {
	Origin    string   `json:"origin"`
	Index     int64    `json:"index"`
	Size      int64    `json:"size,omitzero"`
	Witnesses []string `json:"witnesses,omitempty"`
}

type verifiedVerdict struct {
	Outcome     verdict.Outcome `json:"outcome"`
	Because     string          `json:"because,omitempty"`
	Policy      string          `json:"policy"`
	Environment string          `json:"environment,omitempty"`
	At          time.Time       `json:"at"`
	digest      string
}

type requirementMet struct {
	Name    string   `json:"name"`
	Signers []string `json:"signers"`
}

// add reports what a verification vouches for.
func (r *verifiedReport) add(line int, v *attest.Verified) error {
	s := verifiedStatement{Line: line, Digest: sum.Of(v.Payload), Signers: v.Signers, payload: v.Payload}
	if v.PayloadType == intoto.PayloadType {
		statement, err := intoto.Decode(v.PayloadType, v.Payload)
		if err != nil {
			return err
		}
		s.PredicateType, s.Subjects, s.statement = statement.PredicateType, statement.Digests(), statement
	}
	for _, t := range v.Times {
		s.Times = append(s.Times, t.UTC())
	}
	for _, l := range v.Logged {
		s.Logged = append(s.Logged, verifiedLog{l.Origin, l.Index, l.Size, l.Witnesses})
	}
	r.Statements = append(r.Statements, s)
	for _, what := range v.Unchecked {
		r.notChecked(line, what)
	}
	return nil
}

// notChecked notes what was not checked of a line, together with the same of others.
func (r *verifiedReport) notChecked(line int, what string) {
	for i, s := range r.NotChecked {
		if before, ok := strings.CutSuffix(s, ": "+what); ok {
			r.NotChecked[i] = fmt.Sprintf("%s, %d: %s", strings.Replace(before, "line ", "lines ", 1), line, what)
			return
		}
	}
	if line > 0 {
		what = fmt.Sprintf("line %d: %s", line, what)
	}
	r.NotChecked = append(r.NotChecked, what)
}

// signedBy refuses a statement that fewer distinct keys signed.
func (r *verifiedReport) signedBy(threshold int) error {
	signers := map[string][]string{}
	for i := range r.Statements {
		s := &r.Statements[i]
		signers[s.Digest] = slices.Compact(slices.Sorted(slices.Values(append(signers[s.Digest], s.Signers...))))
	}
	for i := range r.Statements {
		s := &r.Statements[i]
		if got := len(signers[s.Digest]); got < threshold {
			return &attest.Error{Reason: attest.ReasonThreshold, What: fmt.Sprintf("line %d", s.Line), Detail: fmt.Sprintf("%d distinct keys signed it, want %d", got, threshold)}
		}
	}
	return nil
}

// evidence reports what one scan is known by.
func (r *verifiedReport) evidence(e *attest.Evidence) {
	r.Subjects = e.Image
	for _, v := range e.Verdicts {
		r.verdict(v)
	}
}

func (r *verifiedReport) verdict(v *verdict.Verdict) {
	r.Verdicts = append(r.Verdicts, verifiedVerdict{v.Outcome, v.Because, fmt.Sprintf("%s %d", v.Policy.ID, v.Policy.Version), v.Environment, v.At, ""})
}

var errReplay = errors.New("the verdict does not follow from what was saved")

// finish does what is asked for once everything is verified.
func (j *verification) finish(ctx context.Context) error {
	r := j.report
	if len(r.Statements) == 0 {
		return &refusal{code: string(attest.ReasonUnsigned), exit: exitVerification, err: errors.New("nothing was verified")}
	}
	if j.flags.replay != "" {
		if err := j.replay(ctx); err != nil {
			return err
		}
	}
	if j.flags.payload != "" {
		if len(r.Statements) != 1 {
			return usageError("--output-payload: %d statements were verified; choose one with --type", len(r.Statements))
		}
		if err := replaceFile(j.flags.payload, r.Statements[0].payload); err != nil {
			return err
		}
	}
	r.Verified = true
	return nil
}

// replay decides again, and compares with the verdict that was verified.
func (j *verification) replay(ctx context.Context) error {
	body, trace, err := readVerdict(j.flags.replay)
	if err != nil {
		return err
	}
	digest := sum.Of(body)
	signed := func(s verifiedStatement) bool {
		return s.statement != nil && intoto.KindOf(s.PredicateType) == intoto.Verdict && sum.Of(s.statement.Predicate) == digest
	}
	if !slices.ContainsFunc(j.report.Statements, signed) {
		return &refusal{code: "replay", exit: exitVerification, err: fmt.Errorf("%s is of the verdict %s, which is not the one that was verified", j.flags.replay, digest)}
	}
	_, err = verify.Verdict(body, trace)
	if err == nil {
		_, err = replay.Run(ctx, body, trace, saved(j.flags.replay), replayOptions())
	}
	if errors.Is(err, replay.ErrMismatch) {
		return &refusal{code: "replay", exit: exitVerification, err: fmt.Errorf("%w: %w", errReplay, err)}
	}
	j.report.Replayed = digest
	return err
}

// table prints the report for people.
func (r *verifiedReport) table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "verified: %s %s\n", r.Kind, clean(r.Name))
	t := newTable("line", "statement", "signed by", "time", "log")
	for i := range r.Statements {
		s := &r.Statements[i]
		what := "the file itself"
		if s.PredicateType != "" {
			what = kindName(s.PredicateType)
		}
		t.AppendRow([]any{s.Line, what, clean(shortAll(s.Signers)), times(s.Times), logs(s.Logged)})
	}
	b.WriteString(t.Render() + "\n")
	for _, s := range r.Subjects {
		fmt.Fprintf(&b, "about %s\n", clean(s))
	}
	for _, v := range r.Verdicts {
		fmt.Fprintf(&b, "verdict: %s by policy %s", v.Outcome, clean(v.Policy))
		if v.Environment != "" {
			fmt.Fprintf(&b, " for %s", clean(v.Environment))
		}
		fmt.Fprintf(&b, ", as of %s: %s\n", v.At.Format(time.RFC3339), clean(v.Because))
	}
	for _, m := range r.Requirements {
		fmt.Fprintf(&b, "required and there: %s\n", clean(m.Name))
	}
	if r.Replayed != "" {
		fmt.Fprintf(&b, "decided again: identical, %s\n", r.Replayed)
	}
	for _, n := range r.NotChecked {
		fmt.Fprintf(&b, "not checked: %s\n", clean(n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func shortAll(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = short(s)
	}
	return strings.Join(out, ", ")
}

func times(list []time.Time) string {
	if len(list) == 0 {
		return "-"
	}
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.Format(time.RFC3339)
	}
	return strings.Join(out, ", ")
}

func logs(list []verifiedLog) string {
	if len(list) == 0 {
		return "-"
	}
	out := make([]string, len(list))
	for i, l := range list {
		out[i] = fmt.Sprintf("%s entry %d", clean(l.Origin), l.Index)
		if len(l.Witnesses) > 0 {
			out[i] += fmt.Sprintf(", witnessed by %s", clean(strings.Join(l.Witnesses, " and ")))
		}
	}
	return strings.Join(out, "; ")
}
