package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/analyzer/secrets"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// secretFlags say whether a scan looks for secrets, and by which rules.
type secretFlags struct {
	on        bool
	rules     string
	keys      []string
	threshold int
}

func (f *secretFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.on, "secrets", false, "look for credentials in all text files too, by the rules that are built in")
	fs.StringVar(&f.rules, "secret-rules", "", "look for credentials by the rules in this signed bundle (\"stella secrets sign\" makes one)")
	fs.StringArrayVar(&f.keys, "secret-key", nil, "a public key that signed --secret-rules, as PEM; may be repeated")
	fs.IntVar(&f.threshold, "secret-threshold", 0, "how many of the keys must have signed (default: all that are named)")
}

// analyzers are the default ones, and the one for secrets where it is asked for.
func (p *program) analyzers(f *secretFlags) (*analyzer.Set, error) {
	switch {
	case f.rules == "" && (len(f.keys) > 0 || f.threshold != 0):
		return nil, usageError("--secret-key and --secret-threshold are for --secret-rules")
	case f.rules == "" && !f.on:
		return all.Set(), nil
	case f.rules == "":
		return analyzer.NewSet(append(all.Default(), secrets.Analyzer{})...), nil
	case f.on:
		return nil, usageError("--secrets has rules of its own: give it or --secret-rules")
	case len(f.keys) == 0:
		return nil, usageError("--secret-rules: whose rules are they? Give --secret-key; rules that nobody signed are not used")
	}
	trust := dsse.Trust{Threshold: f.threshold}
	if f.threshold == 0 {
		trust.Threshold = len(f.keys)
	}
	for _, file := range f.keys {
		k, err := p.readPublicKey(file)
		if err != nil {
			return nil, err
		}
		trust.Keys = append(trust.Keys, k)
	}
	text, err := p.readFile(f.rules, 2*secrets.MaxBundle)
	if err != nil {
		return nil, err
	}
	r, err := secrets.Open(text, trust)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.rules, err)
	}
	return analyzer.NewSet(append(all.Default(), secrets.Analyzer{Rules: r})...), nil
}

func (p *program) secretsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets",
		Short: "Check and sign rules that say what a secret looks like",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.secretsCheck(), p.secretsSign())
	return cmd
}

const secretsCheckHelp = `Read rules as "stella scan" does, and run the examples of each: every text of match must
give a finding of its rule, no text of miss may. Without a file the rules are those that
are built in.

A file is YAML or JSON and is not signed yet: "stella secrets sign" does that.

Exit codes: 0 all is well, 1 a rule is wrong or does not do what its examples say, 64 wrong
arguments.`

// checkedRuleSet is what "stella secrets check" has to say.
type checkedRuleSet struct {
	Name   string `json:"name"`
	Rules  int    `json:"rules"`
	Digest string `json:"digest"`
}

func (p *program) secretsCheck() *cobra.Command {
	var outputs []string
	cmd := &cobra.Command{
		Use:     "check [RULES]",
		Short:   "Say what is wrong with rules, by their own examples",
		Long:    secretsCheckHelp,
		Example: "  stella secrets check\n  stella secrets check rules.yaml",
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			r, err := p.checkedRules(args)
			if err != nil {
				return err
			}
			v := checkedRuleSet{r.Name(), len(r.Rules()), r.Digest()}
			return p.say(out, &render.Answer{Value: v, Table: func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s: %d rules, %s\n", clean(v.Name), v.Rules, v.Digest)
				return err
			}})
		},
	}
	outputFlag(cmd, &outputs)
	return cmd
}

// checkedRules reads rules whose examples hold.
func (p *program) checkedRules(args []string) (*secrets.Rules, error) {
	r := secrets.Default()
	if len(args) > 0 {
		text, err := p.readFile(args[0], secrets.MaxBundle)
		if err != nil {
			return nil, err
		}
		if r, err = secrets.Parse(args[0], text); err != nil {
			return nil, err
		}
	}
	return r, r.Check()
}

func (p *program) secretsSign() *cobra.Command {
	var keys []string
	var out string
	var offline bool
	cmd := &cobra.Command{
		Use:     "sign RULES",
		Short:   "Check rules and sign them, for --secret-rules",
		Example: "  stella secrets sign rules.yaml --key release.key -o rules.dsse.json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(keys) == 0 || out == "" {
				return usageError("who signs, and where to? Give --key and --output (\"stella attest keygen\" makes a key)")
			}
			return p.signRules(cmd.Context(), args, keys, out, offline)
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, keyHelp+"; may be repeated")
	cmd.Flags().StringVarP(&out, "output", "o", "", "the file to write, a DSSE envelope")
	cmd.Flags().BoolVar(&offline, "offline", false, "refuse key services")
	return cmd
}

func (p *program) signRules(ctx context.Context, args, keys []string, out string, offline bool) error {
	r, err := p.checkedRules(args)
	if err != nil {
		return err
	}
	var signers []dsse.Signer
	for _, ref := range keys {
		k, err := p.openKey(ctx, ref, offline)
		if err != nil {
			return err
		}
		signers = append(signers, k)
	}
	envelope, err := r.Sign(ctx, signers...)
	if err != nil {
		return err
	}
	if err := replaceFile(out, append(envelope, '\n')); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s: %d rules, %s, signed by %d keys\n", clean(r.Name()), len(r.Rules()), r.Digest(), len(signers))
	return nil
}
