package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/policy/verify"
)

const replayHelp = `Decide once more what was decided before, with the same inputs and as of the same
time, and compare the bytes. FOLDER is what "--save" wrote. It also recomputes the
verdict from its trace alone.

Exit codes: 0 identical, 1 an input is missing, 4 an input, the trace or the verdict
is another one.`

func (p *program) replayCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "replay FOLDER",
		Short:   "Decide again what was decided before, and compare",
		Long:    replayHelp,
		Example: "  stella scan alpine --policy release.yaml --save verdict\n  stella replay verdict",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			body, trace, err := readVerdict(dir)
			if err != nil {
				return err
			}
			_, err = verify.Verdict(body, trace)
			if err == nil {
				_, err = replay.Run(cmd.Context(), body, trace, saved(dir), replayOptions())
			}
			if errors.Is(err, replay.ErrMismatch) {
				return &codeError{exitVerification, err}
			}
			if err != nil {
				return err
			}
			v, err := policy.DecodeVerdict(body)
			if err == nil {
				fmt.Fprintf(p.stdout, "%s: identical, %s\n", v.Outcome, policy.ContentDigest(body))
			}
			return err
		},
	}
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
the change. The folders are what "--save" wrote.`

func (p *program) diffCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "diff BEFORE AFTER",
		Short:   "Say how two verdicts differ, and what caused each change",
		Long:    diffHelp,
		Example: "  stella diff verdict-monday verdict-tuesday",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var records [2]*replay.Record
			for i, dir := range args {
				r, err := loadRecord(cmd.Context(), dir)
				if err != nil {
					return err
				}
				records[i] = r
			}
			d, err := replay.Diff(cmd.Context(), records[0], records[1], replayOptions())
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(d)
			}
			p.printDiff(d)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
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

func (p *program) printDiff(d *replay.Difference) {
	fmt.Fprintf(p.stdout, "%s → %s%s\n", d.Before, d.After, because(d.Outcome))
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
		fmt.Fprintf(p.stdout, "%-16s %s  %s → %s%s\n", clean(c.Vulnerability), clean(c.Package), before, after, because(c.Causes))
		cause := joinCauses(c.Causes)
		if counts[cause] == 0 {
			order = append(order, cause)
		}
		counts[cause]++
	}
	if len(d.Changes) == 0 {
		fmt.Fprintf(p.stdout, "no finding is decided otherwise\n")
		return
	}
	var parts []string
	for _, c := range order {
		parts = append(parts, fmt.Sprintf("%d by %s", counts[c], c))
	}
	fmt.Fprintf(p.stdout, "%d changes: %s\n", len(d.Changes), strings.Join(parts, ", "))
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
