package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	policyreport "github.com/stella-ops/stella/policy/report"
	"github.com/stella-ops/stella/scan/sbom"
)

func (p *program) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Decide by a policy, say why, and work on policies",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.policyEval(), p.policyExplain(), p.policyTest(), p.policyLint(), p.policyFormat(), p.policyDefault(), p.policySchema())
	return cmd
}

const policyEvalHelp = `Match an SBOM with advisory data, and decide about what is found by a policy,
suppliers' statements and exceptions. The outcome is the worst of all findings
and gaps: pass, warn, not_assessed, block, or error.

-o verdict writes what is signed, -o trace how it came about; "--save FOLDER" keeps
everything that it follows from, so that "stella replay FOLDER" gives the same bytes
again. "stella scan" takes the same flags.

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
			doc, _, err := p.readSBOM(args[0])
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
	return cmd
}

const policyExplainHelp = `Say how what was decided came about: for each finding the facts, what each rule
answered and by which condition, who said what and why that counts or does not, and
which exceptions were considered.

TRACE is a trace.json, or a folder that "--save" wrote. Without VULNERABILITY it
explains what does not pass.`

func (p *program) policyExplain() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "explain TRACE [VULNERABILITY]",
		Short:   "Say why a verdict is what it is",
		Long:    policyExplainHelp,
		Example: "  stella policy explain verdict CVE-2024-3094",
		Args:    usage(cobra.RangeArgs(1, 2)),
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if info, err := os.Stat(name); err == nil && info.IsDir() {
				name += "/trace.json"
			}
			text, err := p.readFile(name, maxTrace)
			if err != nil {
				return err
			}
			t, err := policy.DecodeTrace(text)
			if err != nil {
				return err
			}
			opts := &policyreport.Options{Passing: all}
			if len(args) > 1 {
				opts.Vulnerability = args[1]
			}
			return policyreport.Text(p.stdout, t, opts)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "explain what passes as well")
	return cmd
}

// maxTrace bounds a trace, in bytes.
const maxTrace = 1 << 30

func (p *program) policyTest() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "test POLICY TESTS...",
		Short:   "Run tests of a policy: findings, and what is to be decided about them",
		Example: "  stella policy test release.yaml release_test.yaml",
		Args:    usage(cobra.MinimumNArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
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
					if !asJSON {
						p.printTest(&r)
					}
				}
				all = append(all, results...)
			}
			if asJSON {
				if err := p.printJSON(all); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(p.stdout, "%d of %d tests pass\n", len(all)-failed, len(all))
			}
			if failed > 0 {
				return &codeError{code: exitError}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func (p *program) printTest(r *policyfile.TestResult) {
	if r.Passed {
		fmt.Fprintf(p.stdout, "ok    %s\n", clean(r.Name))
		return
	}
	fmt.Fprintf(p.stdout, "FAIL  %s\n      want %s\n      got  %s, because %s\n", clean(r.Name), clean(r.Want.String()), clean(r.Got.String()), clean(r.Because))
}

func (p *program) policyLint() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lint POLICY...",
		Short: "Say what is wrong with policies: errors, rules that are never reached, contradictions",
		Long:  "Say what is wrong with policies: errors, rules that are never reached, contradictions.\n\nExit codes: 0 nothing or warnings alone, 1 errors.",
		Args:  usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			broken := 0
			for _, name := range args {
				text, err := p.readFile(name, policyfile.MaxDocument)
				if err != nil {
					return err
				}
				for _, d := range policyfile.Lint(name, text, (&dbFlags{}).options(p.env).At) {
					kind := "error"
					if d.Warning {
						kind = "warning"
					} else {
						broken++
					}
					for line := range strings.Lines(d.String()) {
						fmt.Fprintf(p.stdout, "%s: %s\n", kind, clean(strings.TrimRight(line, "\n")))
						kind = "  "
					}
				}
			}
			if broken > 0 {
				return &codeError{code: exitError}
			}
			return nil
		},
	}
	return cmd
}

func (p *program) policyFormat() *cobra.Command {
	return &cobra.Command{
		Use:   "format POLICY",
		Short: "Write a policy in its canonical form, with its digest",
		Args:  usage(cobra.ExactArgs(1)),
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
		Use:   "default",
		Short: "Print the policy that is built in, to begin one's own with",
		Args:  usage(cobra.NoArgs),
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
		Use:   "schema",
		Short: "Print the JSON Schema of policies, for editors",
		Args:  usage(cobra.NoArgs),
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
