package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Decide by a policy, say why, and work on policies",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.policyEval(), p.policyExplain(), p.policyTest(), p.policyLint(), p.policyFormat(), p.policyDefault(), p.policySchema(),
		p.policyList(), p.policyShow(), p.policyAdd(), p.policyActivate(), p.policyDeactivate(), p.policySimulate(), p.exceptionCommand())
	return cmd
}

const policyEvalHelp = `Match an SBOM with advisory data, and decide about what is found by a policy,
suppliers' statements and exceptions. The outcome is the worst of all findings
and gaps: pass, warn, not_assessed, block, or error.

-o verdict writes what is signed, -o trace how it came about; "--save FOLDER" keeps
everything that it follows from, so that "stella replay FOLDER" gives the same bytes
again. "stella scan" takes the same flags.

` + storedHelp + ` "stella policy simulate" has the
server decide, by its data.

Exit codes: 0 pass or warn, 1 error, 2 block, 3 not assessed, 64 wrong arguments.`

// evaluation are the flags of commands that decide about an SBOM.
type evaluation struct {
	decide decideFlags
	db     dbFlags
}

func (f *evaluation) register(cmd *cobra.Command) {
	f.decide.register(cmd.Flags())
	f.db.register(cmd.Flags())
	cmd.Flags().Lookup("policy").DefValue = "default"
	f.decide.policy = "default"
}

func (p *program) policyEval() *cobra.Command {
	var f evaluation
	var output outputFlags
	var server serverFlags
	cmd := &cobra.Command{
		Use:     "eval FILE",
		Short:   "Decide about an SBOM document",
		Long:    policyEvalHelp,
		Example: "  stella policy eval sbom.cdx.json --policy release.yaml --environment production\n  stella policy eval sbom.json --vex .vex --exceptions exceptions.yaml -o sarif=results.sarif --save verdict",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := output.parse()
			if err != nil {
				return err
			}
			doc, err := p.readStored(cmd.Context(), &server, args[0])
			if err != nil {
				return err
			}
			d, found, err := p.decide(cmd.Context(), &f.decide, &f.db, doc)
			if err != nil {
				return err
			}
			r := newResult(args[0], doc, found, d)
			r.showExcused = f.decide.showExcused
			if err := p.write(outputs, r, output.indent); err != nil {
				return err
			}
			return d.exit()
		},
	}
	output.register(cmd.Flags())
	f.register(cmd)
	server.register(cmd.Flags())
	return cmd
}

// maxTrace bounds a trace, in bytes.
const maxTrace = 1 << 30

func (p *program) policyTest() *cobra.Command {
	var outputs []string
	cmd := &cobra.Command{
		Use:     "test POLICY TESTS...",
		Short:   "Run tests of a policy: findings, and what is to be decided about them",
		Long:    "Run tests of a policy: findings, and what is to be decided about them.\n\nExit codes: 0 all pass, 1 one does not, or an error, 64 wrong arguments.",
		Example: "  stella policy test release.yaml release_test.yaml",
		Args:    usage(cobra.MinimumNArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			pol, err := p.readPolicy(args[0])
			if err != nil {
				return err
			}
			var all []policyfile.TestResult
			failed := 0
			for _, name := range args[1:] {
				text, err := p.readFile(name, policyfile.MaxDocument)
				if err != nil {
					return err
				}
				results, err := policyfile.Test(pol, name, text)
				if err != nil {
					return &codeError{exitUsage, err}
				}
				for _, r := range results {
					if !r.Passed {
						failed++
					}
				}
				all = append(all, results...)
			}
			if err := p.say(out, &render.Answer{Value: all, Table: func(w io.Writer) error { return printTests(w, all, failed) }}); err != nil {
				return err
			}
			if failed > 0 {
				return &codeError{code: exitError}
			}
			return nil
		},
	}
	outputFlag(cmd, &outputs)
	return cmd
}

func printTests(w io.Writer, all []policyfile.TestResult, failed int) error {
	var b strings.Builder
	for i := range all {
		printTest(&b, &all[i])
	}
	fmt.Fprintf(&b, "%d of %d tests pass\n", len(all)-failed, len(all))
	_, err := io.WriteString(w, b.String())
	return err
}

func printTest(w *strings.Builder, r *policyfile.TestResult) {
	if r.Passed {
		fmt.Fprintf(w, "ok    %s\n", clean(r.Name))
		return
	}
	fmt.Fprintf(w, "FAIL  %s\n      want %s\n      got  %s, because %s\n", clean(r.Name), clean(r.Want.String()), clean(r.Got.String()), clean(r.Because))
}

// linted is one thing that is wrong with a policy.
type linted struct {
	File string `json:"file"`
	problem
	text string
}

func (p *program) policyLint() *cobra.Command {
	var outputs []string
	cmd := &cobra.Command{
		Example: "  stella policy lint release.yaml\n  stella policy lint policies/*.yaml -o json",
		Use:     "lint POLICY...",
		Short:   "Say what is wrong with policies: errors, rules that are never reached, contradictions",
		Long:    "Say what is wrong with policies: errors, rules that are never reached, contradictions.\n\nExit codes: 0 nothing or warnings alone, 1 errors, 64 wrong arguments.",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			broken := 0
			list := []linted{}
			for _, name := range args {
				text, err := p.readFile(name, policyfile.MaxDocument)
				if err != nil {
					return err
				}
				for _, d := range policyfile.Lint(name, text, (&dbFlags{}).options(p.env).At) {
					if !d.Warning {
						broken++
					}
					list = append(list, linted{name, problem{d.Warning, d.Line, d.Column, d.Path, d.Message}, d.String()})
				}
			}
			if err := p.say(out, &render.Answer{Value: list, Table: func(w io.Writer) error { return printLinted(w, list) }}); err != nil {
				return err
			}
			if broken > 0 {
				return &codeError{code: exitError}
			}
			return nil
		},
	}
	outputFlag(cmd, &outputs)
	return cmd
}

func printLinted(w io.Writer, list []linted) error {
	var b strings.Builder
	for _, d := range list {
		kind := "error"
		if d.Warning {
			kind = "warning"
		}
		for line := range strings.Lines(d.text) {
			fmt.Fprintf(&b, "%s: %s\n", kind, clean(strings.TrimRight(line, "\n")))
			kind = "  "
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *program) policyFormat() *cobra.Command {
	return &cobra.Command{
		Use:     "format POLICY",
		Short:   "Write a policy in its canonical form, with its digest",
		Example: "  stella policy format release.yaml",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			pol, err := p.readPolicy(args[0])
			if err != nil {
				return err
			}
			text, err := policyfile.Format(pol)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "# %s\n%s", pol.Digest(), text)
			return nil
		},
	}
}

func (p *program) policyDefault() *cobra.Command {
	return &cobra.Command{
		Use:     "default",
		Short:   "Print the policy that is built in, to begin one's own with",
		Example: "  stella policy default > release.yaml",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, text, err := policyfile.Default()
			if err == nil {
				_, err = p.stdout.Write(text)
			}
			return err
		},
	}
}

func (p *program) policySchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of policies, for editors",
		Example: "  stella policy schema > policy.schema.json",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			text, err := policyfile.Schema()
			if err == nil {
				_, err = p.stdout.Write(append(text, '\n'))
			}
			return err
		},
	}
}

// newResult is what a scan has to say, with what was decided about it.
func newResult(ref string, doc *sbom.Document, found *finding.Report, d *decided) *result {
	r := &result{Reference: ref, Document: doc, Report: found, Decided: d}
	if d != nil {
		r.Report, r.Excused = d.suppressed(found)
	}
	return r
}
