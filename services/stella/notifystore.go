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
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/store"
)

const notifyDeliveriesHelp = `List what was told to whom, and what came of it, the newest first. "stella notify show ID"
has the attempts and what was sent.

Statuses: pending, sending, delivered, parked (waits for somebody), dead (no attempt is
left), suppressed (noted, and not to be sent).`

func (p *program) notifyDeliveries() *cobra.Command {
	var f placeFlags
	var q notify.Query
	var status string
	var outputs []string
	cmd := &cobra.Command{
		Use:     "deliveries",
		Short:   "List what was told to whom, and what came of it",
		Long:    notifyDeliveriesHelp,
		Example: "  stella notify deliveries --store sqlite:stella.db --tenant acme --status dead\n  stella notify deliveries --server https://stella.example -o ndjson",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(outputs, render.Table)
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
			done, err := p.elsewhere(cmd, &f.server, out, func(ctx context.Context, r *service) (*render.Answer, error) {
				page, err := r.notify.Deliveries(ctx, q)
				return deliveriesAnswer(page, err)
			})
			if done {
				return err
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				page, err := t.Notify().Deliveries(cmd.Context(), q)
				return p.sayOr(out)(deliveriesAnswer(page, err))
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

func deliveriesAnswer(page *notify.Page, err error) (*render.Answer, error) {
	if err != nil {
		return nil, err
	}
	return &render.Answer{
		Value: deliveryPage{append([]notify.Delivery{}, page.Deliveries...), page.Next}, List: "deliveries",
		Table: func(w io.Writer) error { return printDeliveries(w, page) },
	}, nil
}

func printDeliveries(w io.Writer, page *notify.Page) error {
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
	var f placeFlags
	var payload string
	var outputs []string
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a delivery: its attempts, and what was sent",
		Long:    "Show a delivery: how it stands, every attempt and what was answered.\n\n--payload FILE writes the bytes that are sent; \"-\" is standard output, which then has nothing else.",
		Example: "  stella notify show dlv-0b9f… --store sqlite:stella.db --tenant acme --payload mail.eml\n  stella notify show dlv-0b9f --server https://stella.example -o json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			show := func(d *notify.Delivery, attempts []notify.Attempt) (*render.Answer, error) {
				switch payload {
				case "":
					return deliveryAnswer(d, attempts), nil
				case "-":
					return &render.Answer{Value: told{*d, attempts}, Table: func(w io.Writer) error { return writeLine(w, d.Payload.Body) }}, nil
				}
				return deliveryAnswer(d, attempts), replaceFile(payload, d.Payload.Body)
			}
			done, err := p.elsewhere(cmd, &f.server, out, func(ctx context.Context, r *service) (*render.Answer, error) {
				d, attempts, err := r.notify.Delivery(ctx, args[0])
				if err != nil {
					return nil, err
				}
				if payload != "" { // it is another right to read it
					sent, err := r.notify.Payload(ctx, args[0])
					if err != nil {
						return nil, err
					}
					d.Payload = sent
				}
				return show(d, attempts)
			})
			if done {
				return err
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				d, attempts, err := t.Notify().Delivery(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return p.sayOr(out)(show(d, attempts))
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&payload, "payload", "", "a file for what is sent")
	outputFlag(cmd, &outputs)
	return cmd
}

func deliveryAnswer(d *notify.Delivery, attempts []notify.Attempt) *render.Answer {
	return &render.Answer{Value: told{*d, attempts}, Table: func(w io.Writer) error { return printDelivery(w, d, attempts) }}
}

func printDelivery(w io.Writer, d *notify.Delivery, attempts []notify.Attempt) error {
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
	var f placeFlags
	var dead bool
	var endpoint, by string
	cmd := &cobra.Command{
		Use:   "replay [ID...]",
		Short: "Have deliveries sent again that are dead or parked",
		Long: "Have deliveries sent again that are dead or parked: the same bytes under the same id, so\na receiver that has one already knows it. The platform's workers send them.\n\n" +
			"--dead takes all that are dead, with --endpoint those to one endpoint.\n\nExit codes: 0 all are queued, 1 some are not, or an error, 64 wrong arguments.",
		Example: "  stella notify replay dlv-0b9f… --store sqlite:stella.db --tenant acme\n  stella notify replay --dead --endpoint ops --store sqlite:stella.db --tenant acme\n  stella notify replay dlv-0b9f --server https://stella.example",
		Args:    usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dead == (len(args) > 0) {
				return usageError("which ones? Give their ids, or --dead")
			}
			if endpoint != "" && !dead {
				return usageError("--endpoint belongs to --dead")
			}
			done, err := p.elsewhere(cmd, &f.server, nil, func(ctx context.Context, r *service) (*render.Answer, error) {
				list, err := r.replayed(ctx, args, endpoint)
				p.work.wipe()
				printReplayed(p.stdout, list)
				return new(render.Answer), err
			})
			if done {
				return err
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
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

// deadDeliveries are the ids of all that are dead, with an endpoint those to it: each that is
// queued leaves the list.
func deadDeliveries(ctx context.Context, n interface {
	Deliveries(context.Context, notify.Query) (*notify.Page, error)
}, endpoint string) (ids []string, err error) {
	q := notify.Query{Status: notify.Dead, Endpoint: endpoint, Limit: 1000}
	for more := true; more; more = q.After != "" {
		page, err := n.Deliveries(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Deliveries {
			ids = append(ids, page.Deliveries[i].ID)
		}
		q.After = page.Next
	}
	return ids, nil
}

func printReplayed(w io.Writer, list []notify.Delivery) {
	for i := range list {
		d := &list[i]
		fmt.Fprintf(w, "%s to %s: %s\n", clean(d.ID), clean(targetName(notify.Target{Endpoint: d.Endpoint, To: d.To})), d.Status)
	}
	fmt.Fprintf(w, "%d are queued\n", len(list))
}

// replayDeliveries has deliveries sent again: those of the ids, or all that are dead.
func (p *program) replayDeliveries(ctx context.Context, n *store.Notify, ids []string, endpoint, by string) error {
	if len(ids) == 0 {
		var err error
		if ids, err = deadDeliveries(ctx, n, endpoint); err != nil {
			return err
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
	var f placeFlags
	var by, note string
	cmd := &cobra.Command{
		Use:     "ack INCIDENT",
		Short:   "Note that somebody takes care of an incident: nobody else is told",
		Example: "  stella notify ack dlv-0b9f… --by ann@example.com --note \"on it\" --store sqlite:stella.db --tenant acme\n  stella notify ack dlv-0b9f --note \"on it\" --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			remote, err := f.server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			if remote {
				return p.acknowledgeAt(cmd.Context(), &f, args[0], by, note)
			}
			if by == "" {
				return usageError("who takes care? Give --by NAME")
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				in, err := t.Notify().Acknowledge(cmd.Context(), args[0], by, note)
				if err != nil {
					return err
				}
				p.printAcknowledged(in)
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

// acknowledgeAt notes at a server that who is logged in takes care.
func (p *program) acknowledgeAt(ctx context.Context, f *placeFlags, id, by, note string) error {
	if by != "" {
		return usageError("--by: at a server it is who is logged in")
	}
	r, err := p.connect(ctx, &f.server.serverFlags)
	if err != nil {
		return err
	}
	in, err := r.notify.Acknowledge(ctx, id, note)
	if err != nil {
		return r.explain(err)
	}
	p.printAcknowledged(in)
	return nil
}

func (p *program) printAcknowledged(in *notify.Incident) {
	fmt.Fprintf(p.stdout, "%s: %s takes care since %s\n", clean(in.ID), clean(in.AcknowledgedBy), in.Acknowledged.UTC().Format(time.RFC3339))
}

func (p *program) notifyEndpoints() *cobra.Command {
	var f placeFlags
	var outputs []string
	cmd := &cobra.Command{
		Use:     "endpoints",
		Short:   "Say how endpoints do: failures, rests, and what waits for them",
		Example: "  stella notify endpoints --store sqlite:stella.db --tenant acme\n  stella notify endpoints --server https://stella.example -o template='{{range .}}{{.endpoint}} {{.dead}}{{\"\\n\"}}{{end}}'",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &f.server, out, func(ctx context.Context, r *service) (*render.Answer, error) {
				list, err := r.notify.States(ctx)
				return statesAnswer(list), err
			})
			if done {
				return err
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				list, err := t.Notify().States(cmd.Context())
				if err != nil {
					return err
				}
				return p.say(out, statesAnswer(list))
			})
		},
	}
	f.register(cmd)
	outputFlag(cmd, &outputs)
	return cmd
}

// statesAnswer says how endpoints do.
func statesAnswer(list []notify.EndpointState) *render.Answer {
	return &render.Answer{Value: append([]notify.EndpointState{}, list...), Table: func(w io.Writer) error {
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
	}}
}
