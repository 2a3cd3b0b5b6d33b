package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/evidence"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/image"
)

// image verifies what is attached to an image.
func (j *verification) image(ctx context.Context, ref string) error {
	if len(j.flags.subjects) > 0 || j.flags.digest != "" {
		return usageError("--subject and --digest are for files: statements about an image must be about its digest")
	}
	j.report.Kind, j.report.Name = "image", ref
	name := ref
	if rest, ok := inRegistry(ref); ok {
		name = rest
	}
	if !strings.HasPrefix(name, "oci:") {
		if _, err := image.ParseRemote(name); err != nil {
			return &codeError{exitUsage, fmt.Errorf("%w (attestations are in registries, in layouts by oci:DIR, and in files)", err)}
		}
	}
	list, err := image.Attestations(ctx, name, nil, j.flags.source.options())
	if err != nil {
		return err
	}
	j.report.Subjects = slices.Clone(list.Digests)
	j.want.Subjects = list.Digests
	for _, broken := range list.Broken {
		j.report.NotChecked = append(j.report.NotChecked, "what is attached and cannot be read: "+broken.Error())
	}
	var texts [][]byte
	for i := range list.Attestations {
		texts = append(texts, bundlesIn(list.Attestations[i].Content)...)
	}
	if len(j.requirements) == 0 {
		j.requirements = []attest.Requirement{{Name: "a statement", Threshold: j.flags.threshold, Signers: j.with.signers}}
	}
	met, err := j.meet(ctx, texts)
	if err != nil {
		return err
	}
	for i := range met {
		if err := j.whole(ctx, &met[i], &j.requirements[i], texts); err != nil {
			return err
		}
	}
	return j.reportMet(ctx, met, texts)
}

// whole checks, where evidence meets a requirement, that what it lists is attached too,
// signed by whom it must be, and belongs together.
func (j *verification) whole(ctx context.Context, m *attest.Met, r *attest.Requirement, texts [][]byte) error {
	if m.Statement == nil || intoto.KindOf(m.Statement.PredicateType) != intoto.Evidence {
		return nil
	}
	list, err := evidence.Read(m.Statement)
	if err != nil {
		return &attest.Error{Reason: attest.ReasonPredicate, What: "evidence", Err: err}
	}
	want := j.want
	want.Signers = r.Signers
	missing := map[string]bool{}
	for _, i := range list.Items {
		if i.Included && i.Role == evidence.Statement {
			missing[i.Digest] = true
		}
	}
	lines := bytes.Clone(oneLine(texts[m.Lines[0]-1]))
	for _, text := range texts {
		v, err := j.with.Verify(ctx, text, &want)
		if err != nil || !missing[sum.Of(v.Payload)] {
			continue // of somebody else, or about something else
		}
		delete(missing, sum.Of(v.Payload))
		lines = append(lines, oneLine(text)...)
	}
	if _, err := j.with.Evidence(ctx, lines, "", &want); err != nil {
		return fmt.Errorf("what the evidence lists: %w", err)
	}
	return nil
}

// bundlesIn are the bundles and envelopes of a document, which may have one a line.
func bundlesIn(content []byte) [][]byte {
	if one := jsontext.Value(bytes.Clone(content)); one.Compact() == nil {
		return [][]byte{content}
	}
	var out [][]byte
	for line := range bytes.Lines(content) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, line)
		}
	}
	return out
}

// meet holds bundles against the requirements, which must all be met.
func (j *verification) meet(ctx context.Context, texts [][]byte) ([]attest.Met, error) {
	met, err := j.with.Meet(ctx, texts, j.requirements, &j.want)
	if err != nil {
		return nil, err
	}
	var failed []error
	for i := range met {
		m := &met[i]
		if m.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", m.Requirement, telling(m.Err)))
			continue
		}
		j.report.Requirements = append(j.report.Requirements, requirementMet{m.Requirement, m.Signers})
	}
	return met, errors.Join(failed...)
}

// telling leaves out of several reasons that a bundle is of another type, which says
// something only where all are.
func telling(err error) error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	other := func(e error) bool { return errors.Is(e, attest.ReasonPredicateType) }
	if rest := slices.DeleteFunc(slices.Clone(several.Unwrap()), other); len(rest) > 0 {
		return errors.Join(rest...)
	}
	return err
}

// reportMet reports the bundles that meet requirements, each once, as they verify.
func (j *verification) reportMet(ctx context.Context, met []attest.Met, texts [][]byte) error {
	done := map[int]bool{}
	for i := range met {
		r := &j.requirements[i]
		want := j.want
		want.Predicates, want.Signers = r.Predicates, r.Signers
		for _, n := range met[i].Lines {
			if done[n] {
				continue
			}
			done[n] = true
			v, err := j.with.Verify(ctx, texts[n-1], &want)
			if err != nil {
				return err
			}
			if err := j.report.add(n, v); err != nil {
				return err
			}
		}
	}
	for i := range j.report.Statements {
		s := &j.report.Statements[i]
		if intoto.KindOf(s.PredicateType) != intoto.Verdict {
			continue
		}
		v, err := verdict.Read(s.statement)
		if err != nil {
			return err
		}
		j.report.verdict(v)
	}
	return nil
}
