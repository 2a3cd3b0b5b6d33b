package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store"
)

const notifyDeliveriesHelp = `List what was told to whom, and what came of it, the newest first. "stella notify show ID"
has the attempts and what was sent.

Statuses: pending, sending, delivered, parked (waits for somebody), dead (no attempt is
left), suppressed (noted, and not to be sent).`

func (p *program) notifyDeliveries() *cobra.Command {
	var f storeFlags
	var q notify.Query
	var status string
	var outputs []string
	cmd := &cobra.Command{
		Use:     "deliveries",
		Short:   "List what was told to whom, and what came of it",
		Long:    notifyDeliveriesHelp,
		Example: "  stella notify deliveries --store sqlite:stella.db --tenant acme --status dead",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(outputs, "table", "table", "json")
			if err != nil {
				return err
			}
			known := []notify.Status{notify.Pending, notify.Sending, notify.Delivered, notify.Parked, notify.Dead, notify.Suppressed}
			if q.Status = notify.Status(status); status != "" && !slices.Contains(known, q.Status) {
				return usageError("--status %q: want %s", status, strings.Join(texts(known), ", "))
			}
			if q.Limit < 1 || q.Limit > 1000 {
				return usageError("--limit %d: want 1 to 1000", q.Limit)
			}
			return p.withTenant(cmd.Context(), &f, func(_ *store.Root, t *store.Tenant) error {
				page, err := t.Notify().Deliveries(cmd.Context(), q)
				if err != nil {
					return err
				}
				return p.emit(out, func(w io.Writer, format string) error { return writeDeliveries(w, format, page) })
			})
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&status, "status", "", "those that stand so")
	fs.StringVar(&q.Endpoint, "endpoint", "", "those to this endpoint")
	fs.StringVar(&q.Rule, "rule", "", "those of this rule")
	fs.StringVar(&q.User, "user", "", "those of this user's preferences")
	fs.StringVar(&q.ScanID, "scan", "", "those that tell of this scan")
	fs.StringVar(&q.After, "after", "", "go on after a page: its \"next\"")
	fs.IntVar(&q.Limit, "limit", 100, "how many, 1 to 1000")
	outputFlag(cmd, &outputs)
	return cmd
}

// deliveryPage is a page as -o json writes it.
type deliveryPage struct {
	Deliveries []notify.Delivery `json:"deliveries"`
	Next       string            `json:"next,omitempty"`
}

func writeDeliveries(w io.Writer, format string, page *notify.Page) error {
	if format == "json" {
		return writeJSON(w, deliveryPage{append([]notify.Delivery{}, page.Deliveries...), page.Next})
	}
	t := newTable("delivery", "created", "status", "attempts", "to", "rule", "message")
	for i := range page.Deliveries {
		d := &page.Deliveries[i]
		t.AppendRow([]any{clean(d.ID), d.Created.UTC().Format(time.DateTime), string(d.Status), d.Attempts, clean(targetName(notify.Target{Endpoint: d.Endpoint, To: d.To})), clean(d.Rule), clean(d.Title)})
	}
	text := t.Render() + "\n"
	if len(page.Deliveries) == 0 {
		text = "There are none.\n"
	}
	if page.Next != "" {
		text += "There are more: --after " + clean(page.Next) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func (p *program) notifyShow() *cobra.Command {
	var f storeFlags
	var payload string
	var outputs []string
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a delivery: its attempts, and what was sent",
		Long:    "Show a delivery: how it stands, every attempt and what was answered.\n\n--payload FILE writes the bytes that are sent; \"-\" is standard output, which then has nothing else.",
		Example: "  stella notify show dlv-0b9f… --store sqlite:stella.db --tenant acme --payload mail.eml",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, "table", "table", "json")
			if err != nil {
				return err
			}
			return p.withTenant(cmd.Context(), &f, func(_ *store.Root, t *store.Tenant) error {
				d, attempts, err := t.Notify().Delivery(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if payload == "-" {
					return writeLine(p.stdout, d.Payload.Body)
				}
				if payload != "" {
					if err := replaceFile(payload, d.Payload.Body); err != nil {
						return err
					}
				}
				return p.emit(out, func(w io.Writer, format string) error { return writeDelivery(w, format, d, attempts) })
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&payload, "payload", "", "a file for what is sent")
	outputFlag(cmd, &outputs)
	return cmd
}

func writeDelivery(w io.Writer, format string, d *notify.Delivery, attempts []notify.Attempt) error {
	if format == "json" {
		return writeJSON(w, told{*d, attempts})
	}
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", name, clean(value))
		}
	}
	line("delivery", d.ID)
	line("status", string(d.Status))
	line("because", d.Reason)
	line("message", d.Title)
	line("to", targetName(notify.Target{Endpoint: d.Endpoint, To: d.To}))
	line("rule", d.Rule)
	line("incident", d.Incident)
	line("tells of", fmt.Sprintf("%d notices", d.Total))
	line("payload", fmt.Sprintf("%s, %d bytes, %s", d.Payload.MediaType, len(d.Payload.Body), d.Digest))
	line("created", d.Created.UTC().Format(time.RFC3339))
	if !d.Due.IsZero() {
		line("due", d.Due.UTC().Format(time.RFC3339))
	}
	if d.Duplicate {
		line("note", "the receiver may have it more than once")
	}
	for _, n := range d.Notes {
		line("note", n)
	}
	if len(attempts) > 0 {
		t := newTable("attempt", "started", "took", "outcome", "reason")
		for i := range attempts {
			a := &attempts[i]
			t.AppendRow([]any{a.Number, a.Started.UTC().Format(time.RFC3339), a.Latency.Round(time.Millisecond).String(), clean(answerOf(a)), clean(a.Reason)})
		}
		b.WriteString("\n" + t.Render() + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *program) notifyReplay() *cobra.Command {
	var f storeFlags
	var dead bool
	var endpoint, by string
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Have deliveries sent again that are dead or parked",
		Long: "Have deliveries sent again that are dead or parked: the same bytes under the same id, so\na receiver that has one already knows it. The platform's workers send them.\n\n" +
			"--dead takes all that are dead, with --endpoint those to one endpoint.\n\nExit codes: 0 all are queued, 1 some are not, or an error, 64 wrong arguments.",
		Example: "  stella notify replay dlv-0b9f… --store sqlite:stella.db --tenant acme\n  stella notify replay --dead --endpoint ops --store sqlite:stella.db --tenant acme",
		Args:    usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dead == (len(args) > 0) {
				return usageError("which ones? Give their ids, or --dead")
			}
			if endpoint != "" && !dead {
				return usageError("--endpoint belongs to --dead")
			}
			return p.withTenant(cmd.Context(), &f, func(_ *store.Root, t *store.Tenant) error {
				return p.replayDeliveries(cmd.Context(), t.Notify(), args, endpoint, cmp.Or(by, p.env("USER"), "stella"))
			})
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&dead, "dead", false, "all that are dead")
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "with --dead, those to this endpoint")
	cmd.Flags().StringVar(&by, "by", "", "who says so (default: USER)")
	return cmd
}

// replayDeliveries has deliveries sent again: those of the ids, or all that are dead.
func (p *program) replayDeliveries(ctx context.Context, n *store.Notify, ids []string, endpoint, by string) error {
	if len(ids) == 0 {
		q := notify.Query{Status: notify.Dead, Endpoint: endpoint, Limit: 1000}
		for more := true; more; more = q.After != "" { // all of them first: each that is queued leaves the list
			page, err := n.Deliveries(ctx, q)
			if err != nil {
				return err
			}
			for i := range page.Deliveries {
				ids = append(ids, page.Deliveries[i].ID)
			}
			q.After = page.Next
		}
	}
	var failed []error
	for _, id := range ids {
		d, err := n.Replay(ctx, id, by)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		fmt.Fprintf(p.stdout, "%s to %s: %s\n", clean(d.ID), clean(targetName(notify.Target{Endpoint: d.Endpoint, To: d.To})), d.Status)
	}
	fmt.Fprintf(p.stdout, "%d of %d are queued\n", len(ids)-len(failed), len(ids))
	return errors.Join(failed...)
}

func (p *program) notifyAck() *cobra.Command {
	var f storeFlags
	var by, note string
	cmd := &cobra.Command{
		Use:     "ack INCIDENT",
		Short:   "Note that somebody takes care of an incident: nobody else is told",
		Example: "  stella notify ack dlv-0b9f… --by ann@example.com --note \"on it\" --store sqlite:stella.db --tenant acme",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by == "" {
				return usageError("who takes care? Give --by NAME")
			}
			return p.withTenant(cmd.Context(), &f, func(_ *store.Root, t *store.Tenant) error {
				in, err := t.Notify().Acknowledge(cmd.Context(), args[0], by, note)
				if err != nil {
					return err
				}
				fmt.Fprintf(p.stdout, "%s: %s takes care since %s\n", clean(in.ID), clean(in.AcknowledgedBy), in.Acknowledged.UTC().Format(time.RFC3339))
				if in.AcknowledgedBy != by {
					p.note("%s was first", in.AcknowledgedBy)
				}
				return nil
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&by, "by", "", "who takes care")
	cmd.Flags().StringVar(&note, "note", "", "what others should know")
	return cmd
}

func (p *program) notifyEndpoints() *cobra.Command {
	var f storeFlags
	var outputs []string
	cmd := &cobra.Command{
		Use:     "endpoints",
		Short:   "Say how endpoints do: failures, rests, and what waits for them",
		Example: "  stella notify endpoints --store sqlite:stella.db --tenant acme",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(outputs, "table", "table", "json")
			if err != nil {
				return err
			}
			return p.withTenant(cmd.Context(), &f, func(_ *store.Root, t *store.Tenant) error {
				list, err := t.Notify().States(cmd.Context())
				if err != nil {
					return err
				}
				return p.emit(out, func(w io.Writer, format string) error {
					if format == "json" {
						return writeJSON(w, append([]notify.EndpointState{}, list...))
					}
					table := newTable("endpoint", "failures", "rests until", "waiting", "parked", "dead")
					for _, s := range list {
						until := "-"
						if !s.Until.IsZero() {
							until = s.Until.UTC().Format(time.RFC3339)
						}
						table.AppendRow([]any{clean(targetName(notify.Target{Endpoint: s.Endpoint, To: s.To})), s.Failures, until, s.Waiting, s.Parked, s.Dead})
					}
					_, err := fmt.Fprintln(w, table.Render())
					return err
				})
			})
		},
	}
	f.register(cmd)
	outputFlag(cmd, &outputs)
	return cmd
}
