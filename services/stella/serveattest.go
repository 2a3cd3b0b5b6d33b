package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// attestAt has a server sign what it keeps of a scan, and gives the bundles.
func (p *program) attestAt(ctx context.Context, args []string, f *attestFlags, outputs render.Outputs) error {
	id, ok := "", false
	if len(args) == 1 {
		id, ok = strings.CutPrefix(args[0], storedScheme)
	}
	if !ok || id == "" {
		return usageError("a server signs what it keeps of a scan: want scan:ID, with an ID of \"stella scans list\" (--server= signs here)")
	}
	return p.at(ctx, &f.server.serverFlags, outputs, func(r *service) (*render.Answer, error) {
		out, err := r.evidence(ctx, id)
		if len(f.types) > 0 {
			out, err = r.signEach(ctx, id, f.types)
		}
		if err != nil {
			return nil, err
		}
		return out.answer(), nil
	})
}

// evidence is what a server's Export Center signs about a scan: statements about all that is
// kept, and one that lists them.
func (r *service) evidence(ctx context.Context, id string) (*attested, error) {
	text, err := r.download(ctx, id, export.Evidence, new(attesthttp.Download))
	if err != nil {
		return nil, err
	}
	out := new(attested)
	if out.items, err = bundle.ReadAll(bytes.NewReader(text), nil); err != nil {
		return nil, fmt.Errorf("evidence of scan %s: %w", clean(id), err)
	}
	var types []string
	for _, item := range out.items {
		if item.Bundle == nil || item.Bundle.Envelope == nil {
			return nil, fmt.Errorf("evidence of scan %s: line %d is no bundle of a statement: %w", clean(id), item.Line, fault.Invalid)
		}
		statement, err := intoto.Decode(item.Bundle.Envelope.PayloadType, item.Bundle.Envelope.Payload)
		if err != nil {
			return nil, err
		}
		types = append(types, statement.PredicateType)
	}
	err = out.describe(types)
	out.bundles = text // byte by byte
	return out, err
}

// signEach has statements signed one by one, for whom the server's settings let sign.
func (r *service) signEach(ctx context.Context, id string, names []string) (*attested, error) {
	out := new(attested)
	var types []string
	for _, name := range names {
		t, err := intoto.PredicateType(name)
		if err != nil {
			return nil, &codeError{exitUsage, fmt.Errorf("--type: %w", err)}
		}
		b, err := r.signed(ctx, id, t)
		if errors.Is(err, fault.Forbidden) {
			err = fmt.Errorf("%w\nwithout --type the server's Export Center signs all that is kept, for whoever may have exports", err)
		}
		if err != nil {
			return nil, err
		}
		types = append(types, t)
		out.items = append(out.items, bundle.Item{Bundle: b})
	}
	return out, out.describe(types)
}

// signed has one statement signed and kept, and returns its bundle as it stands.
func (r *service) signed(ctx context.Context, id, predicateType string) (*bundle.Bundle, error) {
	s, err := r.exports.Sign(ctx, attest.Order{ScanID: id, Predicate: predicateType})
	if err != nil {
		return nil, err
	}
	a, err := r.exports.Attest(ctx, s.Encoded, id)
	if err != nil {
		return nil, err
	}
	return a.Bundle, nil
}

// verifyAt has a server verify a file, by whom the tenant trusts and as of now.
func (p *program) verifyAt(ctx context.Context, what string, f *verifyFlags, outputs render.Outputs) error {
	text, err := p.readFile(what, attest.MaxLines)
	if err != nil {
		return err
	}
	check := &attesthttp.Check{Subjects: f.subjects, Threshold: f.threshold, Logged: f.logged, Stamped: f.stamped, MaxAge: f.maxAge, Digest: f.digest}
	for _, name := range f.types {
		t, err := intoto.PredicateType(name)
		if err != nil {
			return &codeError{exitUsage, fmt.Errorf("--type: %w", err)}
		}
		check.Predicates = append(check.Predicates, t)
	}
	if f.digest == "" {
		text = oneLine(text)
	}
	_, err = bundle.Decode(text)
	check.Lines = err != nil // not one bundle
	check.Evidence = check.Lines && listsOthers(text)
	r, err := p.connect(ctx, &f.server.serverFlags)
	if err != nil {
		return err
	}
	v, err := r.exports.Verify(ctx, text, check)
	switch code := attesthttp.Code(err); {
	case code != "":
		return p.refused(outputs, &refusal{code: code, exit: exitVerification, err: err})
	case err != nil:
		return r.explain(err)
	}
	out := &verifiedReport{Verified: true, Kind: "lines", Name: what, At: v.At.UTC()}
	for i := range v.Lines {
		out.proved(i+1, &v.Lines[i])
	}
	out.NotChecked = append(out.NotChecked, "here nothing was: it is the word of "+r.server)
	return p.say(outputs, &render.Answer{Value: out, List: "statements", Table: out.table})
}

// proved reports what a server vouches for.
func (r *verifiedReport) proved(line int, p *attesthttp.Proof) {
	s := verifiedStatement{Line: line, PredicateType: p.PredicateType, Digest: p.Payload, Signers: p.Signers}
	for _, subject := range p.Subjects {
		s.Subjects = append(s.Subjects, subject.Digests...)
	}
	for _, t := range p.Times {
		s.Times = append(s.Times, t.UTC())
	}
	for _, l := range p.Logged {
		s.Logged = append(s.Logged, verifiedLog{l.Origin, l.Index, l.Size, l.Witnesses})
	}
	r.Statements = append(r.Statements, s)
	for _, what := range p.Unchecked {
		r.notChecked(line, what)
	}
}
