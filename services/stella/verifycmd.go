package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const verifyHelp = `Verify what is signed: the attestations of an image, a bundle, or an artifact with
its bundle. Whom to believe is named by --key or --trust-root, and nobody else is.

  IMAGE         an image in a registry, or oci:DIR[:REF]: what is attached to it. Anybody
                may attach something, so one good statement of each --type is enough
  BUNDLE        a file of bundles or envelopes, one a line, or of one bundle: every line
                must be good. Where a line lists what belongs together, nothing may be
                missing or added, and not a byte be another. Paths begin with "./",
                "../" or "/", or end in .json, .jsonl, .sigstore or .bundle; "-" is
                standard input
  FILE          with --bundle: any file that was signed

Nothing but the registry of IMAGE is ever connected to, and with --offline not that.

With --key alone, entries of logs and timestamps cannot be checked: they count as
nothing, and are printed as not checked. With --trust-root, one that it does not name is
refused. What is printed was verified; --output-payload writes the bytes that were.

Exit codes: 0 all that was asked for is proved, 1 it could not be read, 4 it is not
proved (the name of the reason comes first), 64 wrong arguments.`

// verifyFlags are the flags of stella verify.
type verifyFlags struct {
	source          sourceFlags
	keys            []string
	root            string
	identities      []string
	at              string
	types, subjects []string
	threshold       int
	logged, stamped bool
	maxAge          time.Duration
	outcomes        []string
	policy          string
	bundle, digest  string
	payload         string
	replay          string
	outputs         []string
	server          eitherFlags
}

func (f *verifyFlags) register(fs *pflag.FlagSet) {
	f.source.register(fs)
	fs.StringArrayVar(&f.keys, "key", nil, "a public key (PEM) that must have signed; may be repeated, and one of them is enough")
	fs.StringVar(&f.root, "trust-root", "", "whom to believe: what \"stella attest trust\" writes, or a trusted_root.json of Sigstore")
	fs.StringArrayVar(&f.identities, "identity", nil, "who must have signed with a certificate: 'ISSUER|SUBJECT'; may be repeated")
	fs.StringVar(&f.at, "at", "", "verify as of this time, RFC 3339 (default: now)")
	fs.StringArrayVar(&f.types, "type", nil, "there must be such a statement: spdxjson, cyclonedx, vulns, openvex, verdict, evidence, … or a URI; may be repeated")
	fs.StringArrayVar(&f.subjects, "subject", nil, "the statements must be about this, sha256:…; may be repeated for other names of the same thing")
	fs.IntVar(&f.threshold, "threshold", 1, "how many distinct keys must have signed the same statement")
	fs.BoolVar(&f.logged, "logged", false, "there must be a proof that a log has it")
	fs.BoolVar(&f.stamped, "stamped", false, "there must be a timestamp of an authority")
	fs.DurationVar(&f.maxAge, "max-age", 0, "refuse what was signed longer ago, by its timestamp, such as 720h")
	fs.StringSliceVar(&f.outcomes, "outcome", nil, "there must be a verdict, and it must be one of these: pass, warn, block, …")
	fs.StringVar(&f.policy, "policy", "", "a YAML file of requirements, instead of --type, --threshold and --outcome")
	fs.StringVar(&f.bundle, "bundle", "", "the bundle or envelope of FILE")
	fs.StringVar(&f.digest, "digest", "", "the digest that the file of bundles must have, sha256:…")
	fs.StringVar(&f.payload, "output-payload", "", "write the verified bytes of the one statement that was asked for to this file")
	fs.StringVar(&f.replay, "replay", "", "also decide the verdict again from this folder, which \"--save\" wrote")
	f.server.register(fs, "type", "subject", "threshold", "logged", "stamped", "max-age", "digest")
	fs.Lookup("server").Usage = "have this server verify the file, by whom its tenant trusts, and believe it (STELLA_SERVER does not count)"
	fs.StringArrayVarP(&f.outputs, "output", "o", nil, render.Usage(render.Table))
}

func (p *program) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify IMAGE|BUNDLE|FILE",
		Short: "Verify attestations, bundles and signed files",
		Long:  verifyHelp,
		Example: "  stella verify bundle.jsonl --key release.pub\n" +
			"  stella verify registry.example/app:1 --trust-root trust.json --type verdict --outcome pass,warn --logged\n" +
			"  stella verify oci:./layout --offline --trust-root trust.json --policy requirements.yaml\n" +
			"  stella verify ./app.tar.gz --bundle app.sigstore.json --trust-root trusted_root.json --identity 'https://issuer.example|ci@example.com'\n" +
			"  stella verify bundle.jsonl --server https://stella.example",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			none := func(string) string { return "" } // whom to believe is said, and not found in the environment
			remote, err := f.server.asked(none, cmd.Flags())
			if err != nil {
				return err
			}
			if remote {
				outputs, err := parseOutputs(f.outputs, render.Table)
				if err != nil {
					return err
				}
				return p.verifyAt(cmd.Context(), args[0], &f, outputs)
			}
			return p.verify(cmd.Context(), args[0], &f)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

func (p *program) verify(ctx context.Context, what string, f *verifyFlags) error {
	outputs, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	r, err := p.verified(ctx, what, f)
	if err != nil {
		return p.refused(outputs, err)
	}
	return p.say(outputs, &render.Answer{Value: r, List: "statements", Table: r.table})
}

// verified verifies. A panic is a failure like any other: what cannot be read is not
// verified.
func (p *program) verified(ctx context.Context, what string, f *verifyFlags) (r *verifiedReport, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r, err = nil, &refusal{code: "panic", exit: exitVerification, err: fmt.Errorf("verifying panicked, which is a defect of stella: %v\n%s", cause, debug.Stack())}
		}
	}()
	j, err := p.prepareVerification(ctx, f)
	if err != nil {
		return nil, err
	}
	kind, err := p.kindOf(what, f)
	if err != nil {
		return nil, err
	}
	switch kind {
	case verifyArtifact:
		err = j.artifact(ctx, what)
	case verifyLines:
		err = j.file(ctx, what)
	default:
		err = j.image(ctx, what)
	}
	if err == nil {
		err = j.finish(ctx)
	}
	if err != nil {
		return nil, err
	}
	return j.report, nil
}

// refusal is why something is not verified, with its name.
type refusal struct {
	code string
	exit int
	err  error
}

func (r *refusal) Error() string { return r.code + ": " + r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

// refusalOf names an error. What could not be read or reached is the tool's failure;
// everything else is not proved.
func refusalOf(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	r = &refusal{exit: exitVerification, err: err}
	var coded *codeError
	if errors.As(err, &coded) {
		r.exit = coded.exitCode()
		if r.exit == exitUsage {
			r.code = "usage"
			return r
		}
	}
	r.code = codeOf(err)
	if r.code != "" {
		return r
	}
	kind := fault.KindOf(err)
	r.code = kind.Error()
	switch {
	case kind == fault.NotFound, kind == fault.Unavailable, kind == fault.Unauthenticated, kind == fault.Forbidden:
		r.exit = exitError
	case errors.Is(err, fs.ErrNotExist):
		r.code, r.exit = fault.NotFound.Error(), exitError
	case errors.Is(err, fs.ErrPermission):
		r.code, r.exit = fault.Forbidden.Error(), exitError
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		r.code, r.exit = "interrupted", exitError
	case kind == "":
		r.code = "error"
	}
	return r
}

// codeOf is the name that a package of proof gives a refusal, or "".
func codeOf(err error) string {
	if code := attest.Code(err); code != "" {
		if reason := sigstore.ReasonOf(err); reason != "" && !strings.Contains(code, "/") {
			code += "/" + string(reason)
		}
		return code
	}
	for _, prefixed := range []struct{ prefix, reason string }{
		{"certificate", string(sigstore.ReasonOf(err))}, {"log", string(tlog.ReasonOf(err))}, {"timestamp", string(timestamp.ReasonOf(err))}, {"kit", string(role.ReasonOf(err))},
	} {
		if prefixed.reason != "" {
			return prefixed.prefix + "/" + prefixed.reason
		}
	}
	if errors.Is(err, replay.ErrMismatch) && errors.Is(err, errReplay) {
		return "replay"
	}
	return ""
}

// refused says why, in each output that programs read.
func (p *program) refused(outputs render.Outputs, err error) error {
	r := refusalOf(err)
	out := &verifiedReport{Code: r.code, Reason: r.err.Error()}
	if writeErr := p.say(outputs.Programs(), &render.Answer{Value: out}); writeErr != nil {
		return &codeError{r.exit, errors.Join(r, writeErr)}
	}
	return &codeError{r.exit, r}
}

// exitCode is the code that an error carries; an error is never a pass.
func (e *codeError) exitCode() int {
	if e.code == exitPass {
		return exitError
	}
	return e.code
}

// verificationOf gives what a log or a feed refuses the exit code of a failed
// verification.
func verificationOf(err error) error {
	if code := codeOf(err); code != "" {
		return &codeError{exitVerification, fmt.Errorf("%s: %w", code, err)}
	}
	return err
}

// parseOutcomes reads --outcome.
func parseOutcomes(words []string) ([]verdict.Outcome, error) {
	var out []verdict.Outcome
	for _, w := range words {
		o := verdict.Outcome(w)
		if !slices.Contains([]verdict.Outcome{verdict.Pass, verdict.Warn, verdict.NotAssessed, verdict.Block, verdict.Error}, o) {
			return nil, usageError("--outcome %q is no outcome: want pass, warn, not_assessed, block or error", w)
		}
		out = append(out, o)
	}
	return out, nil
}
