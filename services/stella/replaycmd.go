package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/policy/verify"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const replayHelp = `Decide once more what was decided before, with the same inputs and as of the same
time, and compare the bytes. FOLDER is what "--save" wrote; scan:ID is what --server decided
about a scan, as far as it still has the inputs. It also recomputes the verdict from its
trace alone.

Exit codes: 0 identical, 1 an input is missing or another one by now, 4 an input, the
trace or the verdict is not what was signed, 64 wrong arguments.`

// verdictsFlags say where verdicts of scans are.
type verdictsFlags struct {
	serverFlags
	environment string
	outputs     []string
}

func (f *verdictsFlags) register(cmd *cobra.Command) {
	f.serverFlags.register(cmd.Flags())
	cmd.Flags().StringVar(&f.environment, "environment", "", "of scan:ID the verdict of this environment (default: the worst)")
	outputFlag(cmd, &f.outputs)
}

// replayed is what "stella replay" has to say: the verdict is identical.
type replayed struct {
	Outcome policy.Outcome `json:"outcome"`
	Verdict string         `json:"verdict"` // its digest
}

func (p *program) replayCommand() *cobra.Command {
	var f verdictsFlags
	cmd := &cobra.Command{
		Use:     "replay FOLDER|scan:ID",
		Short:   "Decide again what was decided before, and compare",
		Long:    replayHelp,
		Example: "  stella scan alpine --policy release.yaml --save verdict\n  stella replay verdict\n  stella replay scan:scan-01JE4Z --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			body, err := p.replayed(cmd.Context(), args[0], &f)
			if errors.Is(err, replay.ErrMismatch) {
				return &codeError{exitVerification, err}
			}
			if err != nil {
				return err
			}
			v, err := policy.DecodeVerdict(body)
			if err != nil {
				return err
			}
			r := replayed{v.Outcome, policy.ContentDigest(body)}
			return p.say(out, &render.Answer{Value: r, Table: line("%s: identical, %s", r.Outcome, r.Verdict)})
		},
	}
	f.register(cmd)
	return cmd
}

// replayed decides again, and returns the verdict that is identical.
func (p *program) replayed(ctx context.Context, name string, f *verdictsFlags) ([]byte, error) {
	id, stored := strings.CutPrefix(name, storedScheme)
	if !stored {
		body, trace, err := readVerdict(name)
		if err == nil {
			_, err = verify.Verdict(body, trace)
		}
		if err == nil {
			_, err = replay.Run(ctx, body, trace, saved(name), replayOptions())
		}
		return body, err
	}
	r, err := p.connect(ctx, &f.serverFlags)
	if err != nil {
		return nil, err
	}
	is, err := r.ruled(ctx, id, f.environment)
	if err != nil {
		return nil, r.explain(err)
	}
	if _, err := verify.Verdict(is.Body, is.Trace); err != nil {
		return nil, err
	}
	record, err := r.inputs(ctx, id, is)
	if err != nil {
		return nil, r.explain(fmt.Errorf("%s: the verdict follows from its trace, and cannot be decided again: %w", clean(name), err))
	}
	inputs, err := objectsOf(record)
	if err == nil {
		_, err = replay.Run(ctx, is.Body, is.Trace, inputs, replayOptions())
	}
	return is.Body, err
}

func readVerdict(dir string) (body, trace []byte, err error) {
	if body, err = os.ReadFile(filepath.Join(dir, "verdict.json")); err == nil {
		trace, err = os.ReadFile(filepath.Join(dir, "trace.json"))
	}
	return body, trace, err
}

const diffHelp = `Say how what was decided differs between two verdicts, and for each finding why: the
image, the advisories, what suppliers say, the policy, exceptions, or the time. It
decides with every combination of what differs, and names the smallest that explains
the change. Each is a folder that "--save" wrote, or scan:ID for what --server decided about
a scan, as far as it still has the inputs.

Exit codes: 0 compared, whether they differ or not, 1 error, 4 an input is not what was
signed, 64 wrong arguments.`

func (p *program) diffCommand() *cobra.Command {
	var f verdictsFlags
	cmd := &cobra.Command{
		Use:     "diff BEFORE AFTER",
		Short:   "Say how two verdicts differ, and what caused each change",
		Long:    diffHelp,
		Example: "  stella diff verdict-monday verdict-tuesday\n  stella diff scan:scan-01JE4Z scan:scan-01JE50 --server https://stella.example -o ndjson",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			var records [2]*replay.Record
			for i, dir := range args {
				r, err := p.record(cmd.Context(), &f, dir)
				if err != nil {
					return err
				}
				records[i] = r
			}
			d, err := replay.Diff(cmd.Context(), records[0], records[1], replayOptions())
			if err != nil {
				return err
			}
			return p.say(out, &render.Answer{Value: d, List: "changes", Table: func(w io.Writer) error { return printDiff(w, d) }})
		},
	}
	f.register(cmd)
	return cmd
}

func loadRecord(ctx context.Context, dir string) (*replay.Record, error) {
	body, _, err := readVerdict(dir)
	if err != nil {
		return nil, err
	}
	v, err := policy.DecodeVerdict(body)
	if err != nil {
		return nil, err
	}
	opts := replayOptions()
	opts.Everything = true
	return replay.Load(ctx, v, saved(dir), opts)
}

func printDiff(out io.Writer, d *replay.Difference) error {
	w := new(strings.Builder)
	fmt.Fprintf(w, "%s → %s%s\n", d.Before, d.After, because(d.Outcome))
	counts := map[string]int{}
	var order []string
	for _, c := range d.Changes {
		before, after := string(c.Before), string(c.After)
		if before == "" {
			before = "absent"
		}
		if after == "" {
			after = "absent"
		}
		fmt.Fprintf(w, "%-16s %s  %s → %s%s\n", clean(c.Vulnerability), clean(c.Package), before, after, because(c.Causes))
		cause := joinCauses(c.Causes)
		if counts[cause] == 0 {
			order = append(order, cause)
		}
		counts[cause]++
	}
	if len(d.Changes) == 0 {
		w.WriteString("no finding is decided otherwise\n")
		_, err := io.WriteString(out, w.String())
		return err
	}
	var parts []string
	for _, c := range order {
		parts = append(parts, fmt.Sprintf("%d by %s", counts[c], c))
	}
	fmt.Fprintf(w, "%d changes: %s\n", len(d.Changes), strings.Join(parts, ", "))
	_, err := io.WriteString(out, w.String())
	return err
}

func because(causes []replay.Cause) string {
	if len(causes) == 0 {
		return ""
	}
	return "  (" + joinCauses(causes) + ")"
}

func joinCauses(causes []replay.Cause) string {
	out := make([]string, len(causes))
	for i, c := range causes {
		out[i] = string(c)
	}
	return strings.Join(out, " and ")
}
