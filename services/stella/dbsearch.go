package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// found is what a search found.
type found struct {
	Records []foundRecord     `json:"records"`
	Signals []advisory.Signal `json:"signals,omitempty"`
}

type foundRecord struct {
	*advisory.Record
	Text *advisory.Text `json:"text"`
}

func (p *program) dbSearch() *cobra.Command {
	var f dbFlags
	var outputs []string
	var server eitherFlags
	cmd := &cobra.Command{
		Use:     "search ID | ECOSYSTEM NAME",
		Short:   "Show the records that name an id, or that are about a package",
		Long:    "Show the records that name an id, or that are about a package, of the data here or with\n--server of the server's.\n\nExit codes: 0 done, 1 error, 3 there is no data, 64 wrong arguments.",
		Example: "  stella db search CVE-2021-44228\n  stella db search Debian:12 openssl -o ndjson\n  stella db search CVE-2021-44228 --server https://stella.example",
		Args:    usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outs, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &server, outs, func(ctx context.Context, r *service) (*render.Answer, error) {
				return r.searchAt(ctx, args)
			})
			if done {
				return err
			}
			snap, err := f.mustOpen(p.env)
			if err != nil {
				return err
			}
			defer snap.Close()
			var refs []advisory.Ref
			if len(args) == 1 {
				refs, err = snap.Named(cmd.Context(), args[0])
			} else {
				refs, err = recordsAbout(cmd.Context(), snap, args[0], args[1])
			}
			if err != nil {
				return err
			}
			out, err := readRecords(cmd.Context(), snap, refs, args[0])
			if err != nil {
				return err
			}
			return p.say(outs, foundAnswer(out))
		},
	}
	f.registerDir(cmd.Flags())
	server.register(cmd.Flags())
	outputFlag(cmd, &outputs)
	return cmd
}

// recordsAbout returns the records about a package, once each.
func recordsAbout(ctx context.Context, view advisory.View, ecosystem, name string) (refs []advisory.Ref, err error) {
	entries, err := view.Affected(ctx, ecosystem, advisory.CanonicalName(ecosystem, name))
	for _, e := range entries {
		if !slices.Contains(refs, e.Record) {
			refs = append(refs, e.Record)
		}
	}
	return refs, err
}

// readRecords reads records, and the signals of the ids that they name, or id.
func readRecords(ctx context.Context, view advisory.View, refs []advisory.Ref, id string) (*found, error) {
	out := &found{Records: []foundRecord{}}
	ids := []string{id}
	for _, ref := range refs {
		r, err := view.Record(ctx, ref)
		if err != nil {
			return nil, err
		}
		t, err := view.Text(ctx, ref)
		if err != nil {
			return nil, err
		}
		out.Records = append(out.Records, foundRecord{r, t})
		ids = append(append(append(ids, r.ID), r.Aliases...), r.Upstream...)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		signals, err := view.Signals(ctx, id)
		if err != nil {
			return nil, err
		}
		out.Signals = append(out.Signals, signals...)
	}
	return out, nil
}

func foundAnswer(out *found) *render.Answer {
	return &render.Answer{Value: out, List: "records", Table: func(w io.Writer) error {
		var b strings.Builder
		printFound(&b, out)
		_, err := io.WriteString(w, b.String())
		return err
	}}
}

func printFound(w *strings.Builder, out *found) {
	for _, s := range out.Signals {
		fmt.Fprintf(w, "%s  %s: exploited since %s, due %s; EPSS %s (percentile %s, %s)\n", clean(s.Vulnerability), clean(s.Source),
			clean(cmp.Or(s.Exploited, "-")), clean(cmp.Or(s.Due, "-")), clean(cmp.Or(s.EPSS, "-")), clean(cmp.Or(s.Percentile, "-")), clean(cmp.Or(s.Day, "-")))
	}
	for i, r := range out.Records {
		if i > 0 || len(out.Signals) > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  %s\n", clean(r.ID), clean(r.Summary))
		for _, line := range [][2]string{
			{"source", r.Source}, {"modified", r.Modified}, {"withdrawn", r.Withdrawn}, {"aliases", strings.Join(r.Aliases, " ")}, {"upstream", strings.Join(r.Upstream, " ")},
			{"related", strings.Join(r.Related, " ")}, {"link", r.URL}, {"digest", r.Digest},
		} {
			if line[1] != "" {
				fmt.Fprintf(w, "  %-10s%s\n", line[0], clean(line[1]))
			}
		}
		for _, s := range r.Scores {
			fmt.Fprintf(w, "  %-10s%s %s %s\n", "severity", clean(s.Type), clean(s.Value), clean(s.Source))
		}
		for _, a := range r.Text.Affected {
			fmt.Fprintf(w, "  %-10s%s %s %s%s\n", "affects", clean(a.Ecosystem), clean(a.Name), clean(ranges(&a)), clean(strings.TrimRight(" "+string(a.Status), " ")))
		}
	}
	if len(out.Records)+len(out.Signals) == 0 {
		fmt.Fprintln(w, "nothing is known")
	}
}

// ranges writes the versions of an affected package in one line.
func ranges(a *advisory.Affected) string {
	var parts []string
	for _, r := range a.Ranges {
		var events []string
		for _, e := range r.Events {
			switch {
			case e.Introduced != "":
				events = append(events, ">= "+e.Introduced)
			case e.Fixed != "":
				events = append(events, "< "+e.Fixed)
			case e.LastAffected != "":
				events = append(events, "<= "+e.LastAffected)
			}
		}
		parts = append(parts, strings.Join(events, ", "))
	}
	n := 0
	for range a.Versions.All() {
		n++
	}
	if n > 0 {
		parts = append(parts, fmt.Sprintf("%d versions", n))
	}
	return strings.Join(parts, "; ")
}

// difference is one record that differs, as db diff writes it.
type difference struct {
	Ecosystem string `json:"ecosystem"`
	ID        string `json:"id"`
	What      string `json:"what"` // "new", "changed", "withdrawn", "gone"
	Summary   string `json:"summary,omitempty"`
}

func (p *program) dbDiff() *cobra.Command {
	var outputs []string
	cmd := &cobra.Command{
		Use:     "diff OLD NEW",
		Short:   "Say which records differ between two snapshots (files, or folders of advisory data)",
		Long:    "Say which records differ between two snapshots (files, or folders of advisory data). It is\nabout data on this machine alone.\n\nExit codes: 0 compared, whether they differ or not, 1 error, 64 wrong arguments.",
		Example: "  stella db diff yesterday.snapshot ~/.local/share/stella/db",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			from, err := openSnapshot(args[0])
			if err != nil {
				return err
			}
			defer from.Close()
			to, err := openSnapshot(args[1])
			if err != nil {
				return err
			}
			defer to.Close()
			list := []difference{}
			for c, err := range snapshot.Changes(from, to) {
				if err != nil {
					return err
				}
				list = append(list, differenceOf(c))
			}
			return p.say(out, &render.Answer{Value: list, Table: func(w io.Writer) error { return printDifferences(w, list) }})
		},
	}
	outputFlag(cmd, &outputs)
	return cmd
}

func printDifferences(w io.Writer, list []difference) error {
	text := fmt.Sprintf("%d records differ\n", len(list))
	if len(list) > 0 {
		t := newTable("ecosystem", "record", "what", "summary")
		for _, d := range list {
			t.AppendRow(gotable.Row{clean(d.Ecosystem), clean(d.ID), d.What, clean(d.Summary)})
		}
		text += t.Render() + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func differenceOf(c *snapshot.Change) difference {
	d := difference{Ecosystem: c.Part.Ecosystem, ID: c.ID, What: "changed"}
	switch {
	case c.Old == nil:
		d.What = "new"
	case c.Now == nil:
		d.What = "gone"
	case c.Old.Withdrawn == "" && c.Now.Withdrawn != "":
		d.What = "withdrawn"
	}
	if r := cmp.Or(c.Now, c.Old); r != nil {
		d.Summary = r.Summary
	}
	return d
}

// openSnapshot opens a file, or the current one of a folder.
func openSnapshot(path string) (*snapshot.Snapshot, error) {
	if filepath.Ext(path) == ".snapshot" {
		return snapshot.Open(path)
	}
	snap, err := snapshot.Store{Dir: path}.Open()
	if errors.Is(err, snapshot.ErrNotFound) {
		return nil, usageError("%s is neither a .snapshot file nor a folder of advisory data", path)
	}
	return snap, err
}
