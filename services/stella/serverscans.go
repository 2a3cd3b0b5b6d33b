package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

func (p *program) scansCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scans",
		Short: "Scans of a server: list, show, cancel, export",
		Long:  "Look at the scans of a server, cancel them, and download what was made of them.\n\n" + serverHelp + "\n\nExit codes: 0 done, 1 error, 64 wrong arguments.",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.scansList(), p.scansShow(), p.scansCancel(), p.scansExport())
	return cmd
}

// scansFlags are what all of its commands have.
type scansFlags struct {
	serverFlags
	outputs []string
}

func (f *scansFlags) add(cmd *cobra.Command) *cobra.Command {
	f.register(cmd.Flags())
	outputFlag(cmd, &f.outputs)
	return cmd
}

// ask connects, asks, and writes what came.
func (f *scansFlags) ask(ctx context.Context, p *program, do func(*service) (*render.Answer, error)) error {
	out, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	r, err := p.connect(ctx, &f.serverFlags)
	if err != nil {
		return err
	}
	a, err := do(r)
	if err != nil {
		return r.explain(err)
	}
	return p.say(out, a)
}

func (p *program) scansList() *cobra.Command {
	var f scansFlags
	var q scan.Query
	var state string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List scans, the newest first",
		Example: "  stella scans list --server https://stella.example --state failed",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.State = scan.State(state); state != "" && !q.State.Known() {
				return usageError("--state %q: want one of %v", state, scan.States())
			}
			if q.Limit < 1 || q.Limit > 1000 {
				return usageError("--limit %d: want 1 to 1000", q.Limit)
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				page, err := r.scans.List(cmd.Context(), q)
				return &render.Answer{Value: page, List: "scans", Table: func(w io.Writer) error { return writeScans(w, page) }}, err
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "those in this state alone: queued, running, evaluating, completed, failed, cancelled or dead")
	cmd.Flags().StringVar(&q.Image, "image", "", "those of this image alone, by the reference that was submitted")
	cmd.Flags().StringVar(&q.After, "after", "", "go on after this place, which the page before gave")
	cmd.Flags().IntVar(&q.Limit, "limit", 50, "how many, 1 to 1000")
	return f.add(cmd)
}

func writeScans(w io.Writer, page *scan.Page) error {
	t := newTable("scan", "status", "outcome", "findings", "submitted", "image")
	for i := range page.Jobs {
		j := &page.Jobs[i]
		outcome, findings := "-", "-"
		if s := j.Summary; s != nil {
			outcome, findings = cmp.Or(strings.ReplaceAll(s.Outcome, "_", " "), "-"), fmt.Sprint(s.Findings)
			if s.Snapshot == "" {
				findings = "not assessed"
			}
		}
		t.AppendRow([]any{j.ID, string(j.State), clean(outcome), findings, j.Created.UTC().Format(time.DateTime), clean(j.Image)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	if page.Next != "" && err == nil {
		_, err = fmt.Fprintf(w, "\nmore: --after %s\n", clean(page.Next))
	}
	return err
}

func (p *program) scansShow() *cobra.Command {
	var f scansFlags
	return f.add(&cobra.Command{
		Use:     "show SCAN",
		Short:   "Say how a scan stands",
		Example: "  stella scans show scan-01JE4Z --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) { return scanAnswer(r.scans.Job(cmd.Context(), args[0])) })
		},
	})
}

func (p *program) scansCancel() *cobra.Command {
	var f scansFlags
	var reason string
	cmd := &cobra.Command{
		Use:     "cancel SCAN",
		Short:   "Cancel a scan that has not ended",
		Example: "  stella scans cancel scan-01JE4Z --server https://stella.example --reason \"wrong tag\"",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				return scanAnswer(r.scans.Cancel(cmd.Context(), args[0], reason))
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who look at it later")
	return f.add(cmd)
}

// scanAnswer says how a scan stands.
func scanAnswer(j *scan.Job, err error) (*render.Answer, error) {
	return &render.Answer{Value: j, Table: func(w io.Writer) error { return writeScan(w, j) }}, err
}

func writeScan(w io.Writer, j *scan.Job) error {
	lines := [][2]string{
		{"scan", j.ID}, {"status", string(j.State)}, {"reason", j.Reason}, {"image", j.Image}, {"platform", j.Platform}, {"owner", j.Owner},
		{"submitted", j.Created.UTC().Format(time.RFC3339)}, {"changed", j.Updated.UTC().Format(time.RFC3339)}, {"attempt", fmt.Sprint(j.Attempt)},
	}
	for _, cause := range j.Causes {
		lines = append(lines, [2]string{"before", cause})
	}
	if s := j.Summary; s != nil {
		assessed := fmt.Sprint(s.Findings)
		if s.Snapshot == "" {
			assessed = "not assessed: no advisory data"
		}
		lines = append(lines, [][2]string{
			{"digest", s.ImageDigest}, {"document", s.SBOMDigest}, {"packages", fmt.Sprint(s.Packages)}, {"findings", assessed}, {"gaps", fmt.Sprint(s.Gaps)},
			{"outcome", strings.ReplaceAll(s.Outcome, "_", " ")}, {"verdict", s.Verdict},
		}...)
		if s.Unsigned {
			lines = append(lines, [2]string{"signature", "is missing"})
		}
	}
	for _, l := range lines {
		if l[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-10s %s\n", l[0], clean(l[1])); err != nil {
			return err
		}
	}
	return nil
}

// exportPoll is how long to wait before an export that is being made is asked for again.
const exportPoll = 500 * time.Millisecond

func (p *program) scansExport() *cobra.Command {
	var f serverFlags
	var name, file string
	var document bool
	timeout := 5 * time.Minute
	cmd := &cobra.Command{
		Use:   "export SCAN",
		Short: "Download what a server made of a scan",
		Long: `Download an export of a scan, and have it made where nobody has: the signed statements
where they hold the document, or with --document the document. What comes is compared with
its digest; who signed it, "stella verify FILE.jsonl --key …" says.

Exit codes: 0 all is there, 1 error, 64 wrong arguments.`,
		Example: "  stella scans export scan-01JE4Z --format spdx --file sbom.bundle.jsonl --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			format := export.Format(name)
			if !format.Known() {
				return usageError("--format %q: want %s", name, joinFormats(export.Formats()))
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			r, err := p.connect(ctx, &f)
			if err != nil {
				return err
			}
			o := new(attesthttp.Download)
			if document {
				o.Accept = format.MediaType()
			}
			text, err := r.download(ctx, args[0], format, o)
			if err != nil {
				return r.explain(err)
			}
			if file == "" {
				return writeLine(p.stdout, text)
			}
			return replaceFile(file, text)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVarP(&name, "format", "f", "spdx", "spdx, cyclonedx, sarif, junit, csv, openvex, csaf or evidence")
	cmd.Flags().StringVar(&file, "file", "", "write to this file (default: standard output)")
	cmd.Flags().BoolVar(&document, "document", false, "the document alone, without signatures")
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "give up after this time")
	return cmd
}

// download gets an export, and has it made where it is not there.
func (r *service) download(ctx context.Context, id string, f export.Format, o *attesthttp.Download) ([]byte, error) {
	asked := false
	for {
		var b bytes.Buffer
		_, err := r.exports.Export(ctx, id, f, &b, o)
		switch {
		case err == nil:
			return b.Bytes(), nil
		case errors.Is(err, fault.NotFound) && !asked:
			if _, err := r.exports.Request(ctx, id, f); err != nil {
				return nil, err
			}
			asked = true
		case !errors.Is(err, fault.Unavailable) && !(asked && errors.Is(err, fault.NotFound)):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		case <-time.After(exportPoll):
		}
	}
}
