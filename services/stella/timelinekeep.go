package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/folder"
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/store"
)

const timelineCheckpointHelp = `Sign what of a timeline no checkpoint covers yet, after a check that it follows from the
last one, and bring what is missing to a folder: DIR/TENANT.jsonl, to which lines are
appended. The folder belongs where the owner of the database cannot write. A server signs by
itself: "stella timeline checkpoints --server" downloads what it signed.

--trust-key names public keys that signed checkpoints before --key did. Without --all a
checkpoint is made when 1000 rows or a minute have passed.

Exit codes: 0 done, 1 error, 4 the timeline does not follow from its last checkpoint, or the
folder has checkpoints that the store has not, 64 wrong arguments.`

// checkpointFlags are the flags of stella timeline checkpoint.
type checkpointFlags struct {
	storeFlags
	key, to string
	trusted []string
	all     bool
}

func (p *program) timelineCheckpoint() *cobra.Command {
	var f checkpointFlags
	cmd := &cobra.Command{
		Use:     "checkpoint",
		Short:   "Sign how the chain stands, and keep that elsewhere",
		Long:    timelineCheckpointHelp,
		Example: "  stella timeline checkpoint --key timeline.key --to /mnt/worm/checkpoints --store sqlite:stella.db --tenant acme --all",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.key == "" || f.to == "" {
				return usageError("who signs, and where is it kept? Give --key and --to")
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				return p.checkpoint(cmd.Context(), t, &f)
			})
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.key, "key", "", keyHelp)
	fs.StringVar(&f.to, "to", "", "the folder of checkpoints")
	fs.StringArrayVar(&f.trusted, "trust-key", nil, "a public key (PEM) that signed before; may be repeated")
	fs.BoolVar(&f.all, "all", false, "sign what there is, also where no checkpoint is due")
	return cmd
}

func (p *program) checkpoint(ctx context.Context, t *store.Tenant, f *checkpointFlags) error {
	k, err := p.openKey(ctx, f.key, false)
	if err != nil {
		return err
	}
	trust := dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{k.Public()}}
	for _, name := range f.trusted {
		old, err := p.readPublicKey(name)
		if err != nil {
			return err
		}
		trust.Keys = append(trust.Keys, old)
	}
	sink, err := folder.New(f.to)
	if err != nil {
		return err
	}
	pub := &timeline.Publisher{Tenant: t.Name(), Source: t.Timeline(), Sink: sink, Signers: []dsse.Signer{k}, Trust: trust}
	run := pub.Publish
	if f.all {
		run = pub.Flush
	}
	made, err := run(ctx)
	if errors.Is(err, timeline.ErrMismatch) || errors.Is(err, timeline.ErrConflict) {
		return &codeError{exitVerification, err}
	}
	if err != nil {
		return err
	}
	path, err := sink.Path(t.Name())
	if err != nil {
		return err
	}
	newest, err := t.Timeline().Checkpoint(ctx, 0)
	if errors.Is(err, timeline.ErrNotFound) {
		fmt.Fprintf(p.stdout, "%s: there is nothing to sign yet\n", clean(path))
		return nil
	}
	if err != nil {
		return err
	}
	c, _, err := timeline.ReadCheckpoint(newest, t.Name(), trust)
	if err != nil {
		return mismatch(err)
	}
	fmt.Fprintf(p.stdout, "%s: %d made, the newest is %d, signed are the rows up to %d\n", clean(path), made, c.Number, c.Last)
	return nil
}

const timelinePruneHelp = `Delete the bodies of what was indexed before a time. The rows of the chain stay, and a row
says who deleted what and why: an export stays provable, without what the events said.
This cannot be undone. It works on a store alone: a server prunes as its retention says.

--before is a time, a date, or a duration back from now such as 2160h.`

func (p *program) timelinePrune() *cobra.Command {
	var f storeFlags
	var before, by, reason string
	cmd := &cobra.Command{
		Use:     "prune",
		Short:   "Delete the bodies of old events, and say so in the chain",
		Long:    timelinePruneHelp,
		Example: "  stella timeline prune --before 2160h --reason \"retention of 90 days\" --store sqlite:stella.db --tenant acme",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if before == "" || reason == "" {
				return usageError("what, and why? Give --before and --reason")
			}
			at, err := p.before(before)
			if err != nil {
				return err
			}
			return p.withTenant(cmd.Context(), &f, func(_ *store.Root, t *store.Tenant) error {
				r, err := t.Timeline().Prune(cmd.Context(), &timeline.Order{Before: at, By: cmp.Or(by, p.env("USER"), "stella"), Reason: reason})
				if err != nil {
					return err
				}
				fmt.Fprintf(p.stdout, "%d bodies are deleted; the rows up to %d have none\n", r.Bodies, r.Last)
				return nil
			})
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&before, "before", "", "what was indexed before this")
	fs.StringVar(&by, "by", "", "who says so (default: USER)")
	fs.StringVar(&reason, "reason", "", "why, for the row that says so")
	return cmd
}

// before reads a time, or a duration back from now.
func (p *program) before(text string) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		if d < 0 {
			return time.Time{}, usageError("--before %q: want a duration back from now, without a sign", text)
		}
		return time.Now().Add(-d), nil
	}
	return p.timeOf("--before", text)
}

const timelineGapsHelp = `Say where the timeline and what was announced differ: events that were announced and have
no row, rows that are missing, a head that is not the last row. It is the database's own
word: who can rewrite it can hide gaps, and that is what checkpoints are for.

Exit codes: 0 there are none, 1 error, 4 there are some, 64 wrong arguments.`

// timelineGap is a gap as -o json writes it.
type timelineGap struct {
	Kind  timeline.GapKind `json:"kind"`
	Topic string           `json:"topic,omitempty"`
	Event string           `json:"event,omitempty"`
	Seq   int64            `json:"seq,omitzero"`
	At    time.Time        `json:"at,omitzero"`
}

func (p *program) timelineGaps() *cobra.Command {
	var f placeFlags
	var grace time.Duration
	var outputs []string
	cmd := &cobra.Command{
		Use:     "gaps",
		Short:   "Say where the timeline and what was announced differ",
		Long:    timelineGapsHelp,
		Example: "  stella timeline gaps --store sqlite:stella.db --tenant acme\n  stella timeline gaps --server https://stella.example",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			if grace < 0 {
				return usageError("--grace %v: want a duration without a sign", grace)
			}
			list := []timeline.Gap{}
			done, err := p.elsewhere(cmd, &f.server, out, func(ctx context.Context, r *service) (_ *render.Answer, err error) {
				list, err = r.notify.Timeline().Gaps(ctx)
				return gapsAnswer(list), err
			})
			if !done {
				err = p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) (err error) {
					list, err = t.Timeline().Gaps(cmd.Context(), grace)
					return p.sayOr(out)(gapsAnswer(list), err)
				})
			}
			if err == nil && len(list) > 0 {
				err = &codeError{exitVerification, fmt.Errorf("timeline/gaps: %d differences between the timeline and what was announced", len(list))}
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&grace, "grace", time.Minute, "how long what was announced may be on its way; a server knows that by itself")
	f.register(cmd)
	outputFlag(cmd, &outputs)
	return cmd
}

func gapsAnswer(list []timeline.Gap) *render.Answer {
	out := []timelineGap{}
	for _, g := range list {
		out = append(out, timelineGap{g.Kind, g.Topic, g.Event, g.Seq, g.At})
	}
	return &render.Answer{Value: out, Table: func(w io.Writer) error { return printGaps(w, list) }}
}

func printGaps(w io.Writer, list []timeline.Gap) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "There are no gaps.")
		return err
	}
	t := newTable("gap", "row", "event", "topic")
	for _, g := range list {
		t.AppendRow([]any{string(g.Kind), g.Seq, clean(g.Event), clean(g.Topic)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
