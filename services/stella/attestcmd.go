package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const attestHelp = `Scan, match and decide as "stella scan" does, and sign what comes out: statements
(in-toto) about the image, each in a Sigstore bundle, one a line, and one that lists
the others. "stella verify" checks them without this program's help.

Sources are those of "stella scan". Without --type everything is signed that is known:
the SBOM as SPDX and CycloneDX, the vulnerabilities where all was assessed, the
verdict where --policy is given, and the evidence that binds them.

With --predicate FILE --type URI --subject NAME=sha256:… a statement of your own is
signed instead. Nothing in it is checked: it is your claim, and not what stella found.

--log enters the signatures into a transparency log in a folder, --rekor into a Rekor v2
log, --tsa has them timestamped. What these answer is verified before it is kept.

Without a key: --identity-token and --fulcio have a key certified for some minutes.

With --server, SOURCE is scan:ID: the server signs what it keeps of that scan, by its keys,
and enters it where its settings say. --type has single statements signed, for whom the
server lets do that.

The policy does not decide the exit code: a verdict that blocks is attested too. --fail-on,
--fail-on-gap and --fail-on-verdict make it.

Exit codes: 0 signed, 1 error, 2 and 3 as --fail-on… say, 4 a log or an authority answered
what is not to be believed, 64 wrong arguments.`

// attestFlags are the flags of stella attest.
type attestFlags struct {
	scanFlags
	author        string
	types         []string
	predicate     string
	subjects      []string
	failOnVerdict bool
	outputs       []string
	attach        bool
	layout        string
	notary        notaryFlags
	server        eitherFlags
}

func (p *program) attestCommand() *cobra.Command {
	var f attestFlags
	cmd := &cobra.Command{
		Use:   "attest SOURCE",
		Short: "Sign what is known about an image, an SBOM or a directory",
		Long:  attestHelp,
		Example: "  stella attest keygen release\n" +
			"  stella attest registry.example/app:1 --key release.key --policy release.yaml -o bundle=bundle.jsonl\n" +
			"  stella attest sbom:sbom.json --key env:SIGNING_KEY --type spdxjson --log ./log --log-key log.key --log-origin log2026.example\n" +
			"  stella attest registry.example/app:1 --key release.key --attach\n" +
			"  stella attest scan:scan-01JE4Z --server https://stella.example -o bundle=bundle.jsonl",
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			remote, err := f.server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			if _, stored := strings.CutPrefix(strings.Join(args, ""), storedScheme); remote && (stored || f.server.url != "") {
				outputs, err := parseOutputs(f.outputs, "bundle", "bundle")
				if err != nil {
					return err
				}
				return p.attestAt(cmd.Context(), args, &f, outputs)
			}
			return p.attest(cmd.Context(), args, &f)
		},
	}
	fs := cmd.Flags()
	f.registerRead(fs)
	f.notary.register(fs)
	fs.StringVar(&f.author, "author", "", "who says what is signed as VEX (default: stella)")
	fs.StringArrayVar(&f.types, "type", nil, "sign only this: spdxjson, cyclonedx, vulns, vuln, openvex, verdict or evidence; may be repeated. With --predicate, its type: a URI")
	fs.StringVar(&f.predicate, "predicate", "", "sign this JSON object as your own claim, instead of what a scan says")
	fs.StringArrayVar(&f.subjects, "subject", nil, "with --predicate, what it is about: NAME=sha256:…; may be repeated")
	fs.StringVar(&f.gate.failOn, "fail-on", "", "exit 2 when a finding is at least this severe: low, medium, high or critical; exit 3 when that cannot be said")
	fs.BoolVar(&f.gate.failOnGap, "fail-on-gap", false, "exit 3 when something that matters was not assessed")
	fs.BoolVar(&f.failOnVerdict, "fail-on-verdict", false, "exit 2 when the policy blocks, 3 when it cannot say")
	fs.BoolVar(&f.attach, "attach", false, "attach the bundles to the image, in its registry or layout")
	fs.StringVar(&f.layout, "attach-layout", "new", "how they are attached: new (OCI 1.1 referrers), or legacy (what cosign before version 3 reads: envelopes without proofs)")
	f.server.register(fs, "type", "quiet")
	fs.StringArrayVarP(&f.outputs, "output", "o", nil, render.Usage("bundle, or with --attach table", "bundle (JSON Lines)"))
	cmd.AddCommand(p.keygenCommand(), p.trustCommand(), p.logCommand())
	return cmd
}

// registerRead registers how a source is read, matched and decided about.
func (f *scanFlags) registerRead(fs *pflag.FlagSet) {
	f.source.register(fs)
	f.db.register(fs)
	f.decide.register(fs)
	fs.BoolVar(&f.noCache, "no-cache", false, "read every layer, keep nothing")
	fs.StringVar(&f.cache, "cache-dir", "", "folder of known layers (default: stella in the user's cache folder)")
	fs.DurationVar(&f.timeout, "timeout", 0, "give up after this time; 0 means never")
	fs.IntVar(&f.jobs, "parallel", 0, "layers read at a time (default: the number of processors)")
	fs.BoolVarP(&f.output.quiet, "quiet", "q", false, "no progress, no notes")
}

// attested is what "stella attest" has to say.
type attested struct {
	Subjects     []string            `json:"subjects"`
	Statements   []attestedStatement `json:"statements"`
	Outcome      string              `json:"outcome,omitempty"`
	Attached     *attachedTo         `json:"attached,omitempty"`
	Certificate  string              `json:"certificate,omitempty"` // whom it is for
	bundles      []byte
	items        []bundle.Item
	predicateOf  []string
	gateDecision error
}

type attestedStatement struct {
	PredicateType string `json:"predicate_type"`
	Digest        string `json:"digest"` // of the payload
	KeyID         string `json:"key_id,omitempty"`
	Logged        int    `json:"logged"`
	Stamped       int    `json:"stamped"`
}

func (p *program) attest(ctx context.Context, args []string, f *attestFlags) error {
	byDefault := "bundle"
	if f.attach {
		byDefault = render.Table
	}
	outputs, err := parseOutputs(f.outputs, byDefault, "bundle")
	if err != nil {
		return err
	}
	if f.layout != "new" && f.layout != "legacy" {
		return usageError("--attach-layout %q: want new or legacy", f.layout)
	}
	if (f.predicate != "") == (len(args) == 1) {
		return usageError("name one SOURCE, or a --predicate of your own\n\nusage: stella attest SOURCE --key KEY")
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	n, err := p.openNotary(ctx, &f.notary, f.source.offline)
	if err != nil {
		return err
	}
	defer n.close()
	var r *attested
	if f.predicate != "" {
		r, err = p.attestClaim(ctx, f, n)
	} else {
		r, err = p.attestSource(ctx, args[0], f, n)
	}
	if err != nil {
		return err
	}
	if err := p.say(outputs, r.answer()); err != nil {
		return err
	}
	return r.gateDecision
}

// attestSource signs what a scan says.
func (p *program) attestSource(ctx context.Context, ref string, f *attestFlags, n *notary) (*attested, error) {
	gate, err := f.gate.parse()
	if err != nil {
		return nil, err
	}
	if len(f.subjects) > 0 {
		return nil, usageError("--subject is for --predicate: what a scan says is about what was scanned")
	}
	if err := p.useKit(ctx, &f.db, &f.decide, f.source.offline); err != nil {
		return nil, err
	}
	m, report, err := p.material(ctx, ref, &f.scanFlags, f.decide.asked())
	if err != nil {
		return nil, err
	}
	m.Author = f.author
	types, err := chosen(m, f.types)
	if err != nil {
		return nil, err
	}
	decision := []string{intoto.PredicateVerdict, intoto.PredicateOpenVEX}
	if i := slices.IndexFunc(types, func(t string) bool { return slices.Contains(decision, t) }); i >= 0 && m.Verdict == nil {
		return nil, usageError("--type %s tells what was decided: give a --policy", kindName(types[i]))
	}
	r := &attested{predicateOf: types}
	if err := n.sign(ctx, r, m.Facts(), types); err != nil {
		return nil, err
	}
	if m.Verdict != nil {
		r.Outcome = string(m.Verdict.Outcome)
	}
	if f.attach {
		if r.Attached, err = p.attachTo(ctx, ref, m.Document, f, r); err != nil {
			return nil, err
		}
	}
	if r.gateDecision = gate.decide(&result{Document: m.Document, Report: report}); r.gateDecision == nil && f.failOnVerdict {
		if m.Verdict == nil {
			return nil, usageError("--fail-on-verdict: nobody decides without --policy")
		}
		r.gateDecision = outcomeExit(m.Verdict.Outcome, m.Verdict.Because)
	}
	return r, nil
}

// material reads a source and matches it; decided says whether it is decided about.
func (p *program) material(ctx context.Context, ref string, f *scanFlags, decides bool) (*export.Material, *finding.Report, error) {
	if name, ok := inRegistry(ref); ok {
		f.decide.vex.image, f.decide.vex.registry = name, f.source.options()
	}
	doc, err := p.document(ctx, ref, f)
	if err != nil {
		return nil, nil, err
	}
	m := &export.Material{Image: ref, Document: doc, Tool: buildVersion().Version, At: f.db.options(p.env).At.UTC().Truncate(time.Second)}
	if m.Neutral, err = neutral(doc); err != nil {
		return nil, nil, err
	}
	if !decides && !f.decide.vex.kept(&f.db, p.env) {
		m.Report, err = f.db.match(ctx, p.env, doc)
		return m, m.Report, err
	}
	d, report, err := p.decide(ctx, &f.decide, &f.db, doc)
	if err != nil {
		return nil, nil, err
	}
	m.Report, m.At, m.Trace = report, d.Verdict.At, d.Trace
	m.Verdict = recordOf(d.Result)
	return m, report, nil
}

// recordOf is a verdict as it is kept.
func recordOf(r *policy.Result) *policy.Record {
	v := r.Verdict
	return &policy.Record{
		Environment: v.Environment, Policy: v.Policy, Outcome: v.Outcome, Because: v.Because, Key: v.Key(), Digest: policy.ContentDigest(r.Body),
		At: v.At, NextChange: v.NextChange, Body: r.Body, Trace: r.Trace,
	}
}

// chosen are the predicate types to sign. Evidence lists what is beside it: it is signed
// with all of that, and nothing else.
func chosen(m *export.Material, names []string) ([]string, error) {
	all := m.Predicates()
	if len(names) == 0 {
		return all, nil
	}
	var out []string
	for _, name := range names {
		t, err := intoto.PredicateType(name)
		if err != nil {
			return nil, &codeError{exitUsage, fmt.Errorf("--type: %w", err)}
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	if !slices.Contains(out, intoto.PredicateEvidence) {
		return out, nil
	}
	for _, t := range out {
		if !slices.Contains(all, t) {
			return nil, usageError("--type %s: evidence does not list it; sign it by itself", intoto.KindOf(t))
		}
	}
	return all, nil
}

// given is a statement of the caller's own.
type given struct{ fact *attest.Fact }

func (g given) Fact(context.Context, string, string, string) (*attest.Fact, error) {
	return g.fact, nil
}

// attestClaim signs what the caller claims.
func (p *program) attestClaim(ctx context.Context, f *attestFlags, n *notary) (*attested, error) {
	if len(f.types) != 1 || len(f.subjects) == 0 {
		return nil, usageError("--predicate needs one --type URI and a --subject NAME=sha256:…")
	}
	if f.attach {
		return nil, usageError("--attach is for what a scan says; attach a bundle of your own with an OCI client")
	}
	t, err := intoto.PredicateType(f.types[0])
	if err != nil {
		return nil, &codeError{exitUsage, fmt.Errorf("--type: %w", err)}
	}
	fact := &attest.Fact{PredicateType: t}
	for _, s := range f.subjects {
		name, digest, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usageError("--subject %q: want NAME=sha256:…", s)
		}
		subject, err := intoto.NewSubject(name, digest)
		if err != nil {
			return nil, &codeError{exitUsage, fmt.Errorf("--subject: %w", err)}
		}
		fact.Subjects = append(fact.Subjects, subject)
	}
	text, err := p.readFile(f.predicate, intoto.MaxStatement)
	if err != nil {
		return nil, err
	}
	fact.Predicate = []byte(strings.TrimSpace(string(text)))
	fact.Digest = policy.ContentDigest(text)
	p.note("%s is signed as your own claim: stella has checked nothing of it", f.predicate)
	r := &attested{predicateOf: []string{t}}
	return r, n.sign(ctx, r, given{fact}, r.predicateOf)
}

// answer is what was signed: as bundles a line each, or in the forms of all commands, of
// which ndjson has the statements.
func (r *attested) answer() *render.Answer {
	return &render.Answer{Value: r, List: "statements", Table: r.table, Other: func(w io.Writer, _ string) error { return writeLine(w, r.bundles) }}
}

func (r *attested) table(w io.Writer) error {
	t := newTable("statement", "payload", "key", "log", "timestamp")
	for i, s := range r.Statements {
		signer := s.KeyID
		if signer == "" {
			signer = r.Certificate
		}
		t.AppendRow([]any{kindName(r.predicateOf[i]), short(s.Digest), short(clean(signer)), yesNo(s.Logged), yesNo(s.Stamped)})
	}
	fmt.Fprintln(w, t.Render())
	for _, s := range r.Subjects {
		fmt.Fprintf(w, "about %s\n", s)
	}
	if r.Outcome != "" {
		fmt.Fprintf(w, "verdict: %s\n", r.Outcome)
	}
	if a := r.Attached; a != nil {
		fmt.Fprintf(w, "attached to %s: %d manifests\n", clean(a.Subject), len(a.Manifests))
	}
	return nil
}

// kindName is the short name of a predicate type, or the type itself.
func kindName(predicateType string) string {
	if k := intoto.KindOf(predicateType); k != "" {
		return string(k)
	}
	return clean(predicateType)
}

// short is the beginning of a digest or of another long name.
func short(s string) string {
	if len(s) > 19 && (strings.HasPrefix(s, "sha256:") || len(s) == 64) {
		return s[:19]
	}
	return s
}

func yesNo(n int) string {
	if n > 0 {
		return "yes"
	}
	return "no"
}

// outcomeExit turns an outcome into an exit code.
func outcomeExit(o policy.Outcome, because string) error {
	return (&decided{Result: &policy.Result{Verdict: &policy.Verdict{Outcome: o, Because: because}}}).exit()
}

// attachable refuses what nothing can be attached to.
func attachable(ref string, doc *sbom.Document) error {
	if doc.Source == nil || doc.Source.Manifest == "" {
		return usageError("--attach: %s is no image in a registry or an OCI layout", ref)
	}
	return nil
}
