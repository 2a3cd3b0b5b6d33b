package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/report"
	"github.com/stella-ops/stella/policy/sarif"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// The exit codes, which are those of the stella command.
const (
	exitPass        = 0
	exitError       = 1
	exitBlocked     = 2
	exitNotAssessed = 3
	exitUsage       = 64
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], time.Now(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// job is what one run is told.
type job struct {
	source, policy, db, out, environment string
	at                                   time.Time // of the evaluation
}

// run is main with everything that it reads and writes as arguments.
func run(ctx context.Context, args []string, now time.Time, stdout, stderr io.Writer) int {
	j := job{at: now.UTC().Truncate(time.Second)}
	flags := flag.NewFlagSet("ci-scan", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&j.policy, "policy", "policy.yaml", "the policy, a YAML `file`")
	flags.StringVar(&j.db, "db", "advisories", "the `folder` of advisory data")
	flags.StringVar(&j.out, "out", ".", "the `folder` for reports")
	flags.StringVar(&j.environment, "environment", "", "what is decided for, such as production")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: ci-scan [flags] SOURCE")
		return exitUsage
	}
	j.source = flags.Arg(0)
	outcome, err := j.run(ctx, stdout)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "ci-scan:", err)
		return exitError
	case outcome.Allows():
		return exitPass
	case outcome == policy.Block:
		return exitBlocked
	case outcome == policy.NotAssessed:
		return exitNotAssessed
	}
	return exitError // the policy itself failed: never a pass
}

// run does the steps in their order. The policy is read first: a mistake in it should not
// cost a scan.
func (j *job) run(ctx context.Context, stdout io.Writer) (policy.Outcome, error) {
	engine, err := readPolicy(j.policy)
	if err != nil {
		return "", err
	}
	doc, err := scanImage(ctx, j.source)
	if err != nil {
		return "", err
	}
	found, signals, err := match(ctx, j.db, j.at, doc)
	if err != nil {
		return "", err
	}
	result, err := j.decide(engine, doc, found, signals)
	if err != nil {
		return "", err
	}
	trace, err := policy.DecodeTrace(result.Trace)
	if err != nil {
		return "", err
	}
	if err := j.reports(doc, found, result, trace); err != nil {
		return "", err
	}
	fmt.Fprintf(stdout, "%s: %s\n", result.Verdict.Outcome, result.Verdict.Because)
	return result.Verdict.Outcome, report.Markdown(stdout, trace, &report.Options{Findings: found.Findings})
}

func readPolicy(name string) (*policy.Engine, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p, _, err := policyfile.Parse(name, text)
	if err != nil {
		return nil, err
	}
	return policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
}

func scanImage(ctx context.Context, source string) (*sbom.Document, error) {
	img, err := image.Open(ctx, source, nil)
	if err != nil {
		return nil, err
	}
	result, err := (&scan.Scanner{Analyzers: all.Set()}).Scan(ctx, img)
	if err := errors.Join(err, img.Close()); err != nil {
		return nil, err
	}
	return result.Document, nil
}

// match says what is known. Without advisory data that is nothing, which the report says:
// it is then a gap, and never a pass.
func match(ctx context.Context, dir string, at time.Time, doc *sbom.Document) (*finding.Report, []string, error) {
	matcher := advisory.Matcher{Options: advisory.Options{At: at}}
	var signals []string
	switch data, err := (snapshot.Store{Dir: dir}).Open(); {
	case err == nil:
		defer data.Close()
		matcher.View = data
		for _, o := range data.Manifest().Overlays {
			name, _, _ := strings.Cut(o.Source, "-")
			signals = append(signals, name) // "kev", "epss": without them their facts are unknown
		}
	case !errors.Is(err, snapshot.ErrNotFound):
		return nil, nil, err
	}
	found, err := matcher.Match(ctx, doc)
	return found, signals, err
}

func (j *job) decide(engine *policy.Engine, doc *sbom.Document, found *finding.Report, signals []string) (*policy.Result, error) {
	in := &policy.Inputs{At: j.at, Environment: j.environment, Signals: signals}
	in.Of(doc)
	in.Findings, in.Gaps = found.Findings, append(in.Gaps, found.Gaps...)
	text, err := encode(doc, format.StellaJSON)
	if err != nil {
		return nil, err
	}
	in.Digests = policy.Digests{
		SBOM:       policy.ContentDigest(text),
		Report:     policy.ReportDigest(in.Findings, in.Gaps),
		Advisories: found.Snapshot,
	}
	return engine.Evaluate(in)
}

// reports writes everything that is kept of the run.
func (j *job) reports(doc *sbom.Document, found *finding.Report, result *policy.Result, trace *policy.Trace) error {
	cdx, err := encode(doc, format.CycloneDXJSON)
	if err != nil {
		return err
	}
	spdx, err := encode(doc, format.SPDXJSON)
	if err != nil {
		return err
	}
	log, err := sarif.Encode(trace, &sarif.Options{Findings: found.Findings, Packages: doc.Packages, Secrets: doc.Secrets})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(j.out, 0o755); err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"sbom.cdx.json": cdx, "sbom.spdx.json": spdx, "scan.sarif": log,
		"verdict.json": result.Body, "trace.json": result.Trace,
	} {
		if err := os.WriteFile(filepath.Join(j.out, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func encode(doc *sbom.Document, name string) ([]byte, error) {
	var b bytes.Buffer
	_, err := format.Encode(&b, doc, name, nil)
	return b.Bytes(), err
}
