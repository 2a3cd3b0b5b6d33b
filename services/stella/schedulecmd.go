package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const scheduleHelp = `

Schedules are a server's: --server or STELLA_SERVER names it.

Exit codes: 0 done, 1 error, 64 wrong arguments.`

func (p *program) scheduleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Schedules of a server: list, show, set, run, delete",
		Long:  "Look at the schedules by which a server scans and decides again what it knows, make them, run\nthem now and delete them.\n\n" + serverHelp,
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.scheduleList(), p.scheduleShow(), p.scheduleSet(), p.scheduleRun(), p.scheduleDelete())
	return cmd
}

// pageSize is how many a list is asked for at a time.
const pageSize = 100

func (p *program) scheduleList() *cobra.Command {
	var f scansFlags
	return f.add(&cobra.Command{
		Use:     "list",
		Short:   "List the schedules of a server",
		Long:    "List the schedules of a server, by id." + scheduleHelp,
		Example: "  stella schedule list --server https://stella.example",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				list, err := pages(func(after string) ([]schedule.Plan, string, error) {
					list, err := r.schedules.List(cmd.Context(), after, pageSize)
					if len(list) < pageSize {
						return list, "", err
					}
					return list, list[len(list)-1].ID, err
				})
				return &render.Answer{Value: list, Table: func(w io.Writer) error { return printPlans(w, list) }}, err
			})
		},
	})
}

func printPlans(w io.Writer, list []schedule.Plan) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "There are none: \"stella schedule set ID --cron …\" makes one.")
		return err
	}
	t := newTable("schedule", "kind", "cron", "images", "next", "version")
	for i := range list {
		s := &list[i]
		next := timeOrDash(s.Due)
		if s.Disabled {
			next = "disabled"
		}
		t.AppendRow(gotable.Row{clean(s.ID), string(s.Kind), clean(strings.TrimRight(s.Cron+" "+s.Zone, " ")), clean(selected(&s.Selection)), next, s.Version})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// selected says in one line which images a schedule is about.
func selected(s *schedule.Selection) string {
	parts := slices.Clone(s.Images)
	for _, name := range sortedNames(s.Labels) {
		parts = append(parts, name+"="+s.Labels[name])
	}
	return cmp.Or(strings.Join(parts, " "), "all")
}

// planned is a schedule with its newest runs, as -o json writes it.
type planned struct {
	*schedule.Plan
	Runs []schedule.Run `json:"runs"`
}

func (p *program) scheduleShow() *cobra.Command {
	var f scansFlags
	limit := 10
	cmd := f.add(&cobra.Command{
		Use:     "show ID [RUN]",
		Short:   "Show a schedule of a server with its newest runs, or one run",
		Long:    "Show a schedule of a server with its newest runs, or one run with what went wrong in it." + scheduleHelp,
		Example: "  stella schedule show nightly --server https://stella.example",
		Args:    usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > 1000 {
				return usageError("--limit %d: want 1 to 1000", limit)
			}
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				if len(args) > 1 {
					return runAnswer(r.schedules.Run(cmd.Context(), args[0], args[1]))
				}
				plan, err := r.schedules.Plan(cmd.Context(), args[0])
				if err != nil {
					return nil, err
				}
				runs, err := r.schedules.Runs(cmd.Context(), args[0], "", limit)
				return &render.Answer{Value: planned{plan, append([]schedule.Run{}, runs...)}, List: "runs", Table: func(w io.Writer) error {
					if err := printPlans(w, []schedule.Plan{*plan}); err != nil || len(runs) == 0 {
						return err
					}
					return printRuns(w, runs)
				}}, err
			})
		},
	})
	cmd.Flags().IntVar(&limit, "limit", limit, "how many runs, 1 to 1000")
	return cmd
}

func printRuns(w io.Writer, list []schedule.Run) error {
	t := newTable("run", "cause", "window", "state", "images", "submitted", "skipped", "failed")
	for i := range list {
		r := &list[i]
		t.AppendRow(gotable.Row{clean(r.ID), clean(r.Cause), timeOrDash(r.Window), string(r.State), r.Selected, r.Submitted, r.Skipped, r.Failed})
	}
	_, err := fmt.Fprintf(w, "\n%s\n", t.Render())
	return err
}

func runAnswer(r *schedule.Run, err error) (*render.Answer, error) {
	return &render.Answer{Value: r, Table: func(w io.Writer) error {
		if err := printRuns(w, []schedule.Run{*r}); err != nil {
			return err
		}
		var b strings.Builder
		if r.Reason != "" {
			fmt.Fprintf(&b, "because %s\n", clean(r.Reason))
		}
		for _, problem := range r.Problems {
			fmt.Fprintf(&b, "%s: %s\n", clean(problem.Image), clean(problem.Reason))
		}
		_, err := io.WriteString(w, b.String())
		return err
	}}, err
}

// scheduleSetFlags are the flags of stella schedule set.
type scheduleSetFlags struct {
	scansFlags
	plan     schedule.Plan
	kind     string
	priority int
}

func (p *program) scheduleSet() *cobra.Command {
	var f scheduleSetFlags
	cmd := f.add(&cobra.Command{
		Use:   "set ID",
		Short: "Make a schedule of a server, or change one",
		Long: `Make a schedule of a server, or change what the flags name of one that is there.

--cron has five fields, as in "0 3 * * 1-5", of --zone, UTC without one. --kind rescan reads
the images again, evaluate matches what is known of them with newer advisories, and watch
scans where a tag has moved.` + scheduleHelp,
		Example: "  stella schedule set nightly --cron \"0 3 * * *\" --zone Europe/Vienna --kind rescan --image \"registry.example/*\" --server https://stella.example\n" +
			"  stella schedule set nightly --disabled --server https://stella.example",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return p.setSchedule(cmd, args[0], &f) },
	})
	fs := cmd.Flags()
	fs.StringVar(&f.plan.Cron, "cron", "", "when: minute, hour, day, month and day of the week")
	fs.StringVar(&f.plan.Zone, "zone", "", "the time zone of --cron, such as Europe/Vienna")
	fs.StringVar(&f.kind, "kind", string(schedule.Rescan), "what is done: rescan, evaluate or watch")
	fs.StringArrayVar(&f.plan.Selection.Images, "image", nil, "a pattern of images, with * for any characters; may be repeated (default: all that were scanned)")
	fs.StringToStringVar(&f.plan.Selection.Labels, "label", nil, "a label that the scan must have, KEY=VALUE; may be repeated")
	fs.IntVar(&f.plan.Jitter, "jitter", 0, "spread the runs over so many seconds")
	fs.BoolVar(&f.plan.Disabled, "disabled", false, "let its windows pass; --disabled=false has it run again")
	fs.IntVar(&f.priority, "priority", 0, "of its scans (default: that of scans for which nobody waits)")
	return cmd
}

func (p *program) setSchedule(cmd *cobra.Command, id string, f *scheduleSetFlags) error {
	changed := cmd.Flags().Changed
	return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
		plan, err := r.schedules.Plan(cmd.Context(), id)
		if errors.Is(err, fault.NotFound) {
			if f.plan.Cron == "" {
				return nil, usageError("there is no schedule %q at %s, and a new one needs --cron", id, r.server)
			}
			plan, err = &schedule.Plan{ID: id, Kind: schedule.Kind(f.kind)}, nil
		}
		if err != nil {
			return nil, err
		}
		for name, take := range map[string]func(){
			"cron": func() { plan.Cron = f.plan.Cron }, "zone": func() { plan.Zone = f.plan.Zone }, "kind": func() { plan.Kind = schedule.Kind(f.kind) },
			"image": func() { plan.Selection.Images = f.plan.Selection.Images }, "label": func() { plan.Selection.Labels = f.plan.Selection.Labels },
			"jitter": func() { plan.Jitter = f.plan.Jitter }, "disabled": func() { plan.Disabled = f.plan.Disabled }, "priority": func() { plan.Priority = &f.priority },
		} {
			if changed(name) {
				take()
			}
		}
		if err := plan.Check(); err != nil {
			return nil, &codeError{exitUsage, err}
		}
		return r.keepSchedule(cmd.Context(), plan)
	})
}

// keepSchedule keeps a schedule in place of the one of its version, and says how it stands.
func (r *service) keepSchedule(ctx context.Context, plan *schedule.Plan) (*render.Answer, error) {
	if err := r.schedules.Set(ctx, plan, plan.Version, ""); err != nil {
		return nil, err
	}
	now, err := r.schedules.Plan(ctx, plan.ID)
	return &render.Answer{Value: now, Table: func(w io.Writer) error { return printPlans(w, []schedule.Plan{*now}) }}, err
}

func (p *program) scheduleRun() *cobra.Command {
	var f scansFlags
	var key string
	cmd := f.add(&cobra.Command{
		Use:     "run ID",
		Short:   "Run a schedule of a server now",
		Long:    "Run a schedule of a server now, also one that is disabled. \"stella schedule show ID RUN\" says how\nit stands. The same --key asks for the same run." + scheduleHelp,
		Example: "  stella schedule run nightly --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				run, _, err := r.schedules.Request(cmd.Context(), args[0], key, "")
				return runAnswer(run, err)
			})
		},
	})
	cmd.Flags().StringVar(&key, "key", "", "a name of this request, so that asking again runs nothing twice")
	return cmd
}

func (p *program) scheduleDelete() *cobra.Command {
	var f scansFlags
	return f.add(&cobra.Command{
		Use:     "delete ID",
		Short:   "Delete a schedule of a server",
		Long:    "Delete a schedule of a server. Scans that it submitted stay." + scheduleHelp,
		Example: "  stella schedule delete nightly --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd.Context(), p, func(r *service) (*render.Answer, error) {
				plan, err := r.schedules.Plan(cmd.Context(), args[0])
				if err != nil {
					return nil, err
				}
				return &render.Answer{Value: plan, Table: line("schedule %s is deleted", clean(plan.ID))}, r.schedules.Delete(cmd.Context(), plan.ID, plan.Version)
			})
		},
	})
}
