package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/store/event"
)

const notifySendHelp = `Tell people what happened, now and from this machine: by the rules of the settings it is
decided who is told, messages are delivered, and what came of each attempt is printed.
Nothing is kept: there is no store, no other message of before, and nobody who could take
note. So digests and quiet hours are left aside, and so are escalations.

--event says what happened, as for "stella notify preview"; --sample makes something up,
which is delivered all the same. Secrets are read where the settings say: env:NAME or
file:PATH. --allow lets receivers be reached whose networks are not public.

What fails is tried again, as deliveries always are, until --wait is over. A receiver
that may have a message already is told so, and knows it by its id.

Exit codes: 0 all was delivered, or nobody is to be told, 1 something was not delivered, or
an error, 64 wrong arguments.`

// sendFlags are the flags of stella notify send.
type sendFlags struct {
	eventFlags
	reachFlags
}

// reachFlags say how receivers are reached.
type reachFlags struct {
	settings string
	allow    []string
	wait     time.Duration
	outputs  []string
}

func (f *reachFlags) registerReach(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.settings, "settings", "", "the file of settings")
	fs.DurationVar(&f.wait, "wait", 30*time.Second, "how long what fails is tried again")
	allowFlag(cmd, &f.allow)
	outputFlag(cmd, &f.outputs)
}

func (p *program) notifySend() *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send",
		Short: "Tell people what happened, now and from this machine",
		Long:  notifySendHelp,
		Example: "  stella notify send --settings notify.yaml --event event.json\n" +
			"  stella scan registry.example/app:1 -o json | stella notify send --settings notify.yaml --event - --image registry.example/app:1 --label team=payments",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.notifyAll(cmd.Context(), &f) },
	}
	f.registerReach(cmd)
	f.register(cmd.Flags())
	return cmd
}

const notifyTestHelp = `Send a test message to an endpoint of the settings, now and from this machine, and say
what came of it. With --server the server's workers send it: "stella notify show" says what
came of it.

Exit codes: 0 it was delivered, 1 it was not, or an error, 64 wrong arguments.`

func (p *program) notifyTest() *cobra.Command {
	var f reachFlags
	var to string
	var server eitherFlags
	cmd := &cobra.Command{
		Use:     "test ENDPOINT",
		Short:   "Send a test message to an endpoint",
		Long:    notifyTestHelp,
		Example: "  stella notify test --settings notify.yaml ops\n  stella notify test --settings notify.yaml mail --to ann@example.com --allow mail.corp.example:25\n  stella notify test ops --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &server, outputs, func(ctx context.Context, r *service) (*render.Answer, error) {
				d, err := r.notify.Test(ctx, args[0], to)
				if err != nil {
					return nil, err
				}
				return deliveryAnswer(d, nil), nil
			})
			if done {
				return err
			}
			return p.tell(cmd.Context(), &f, nil, func(ctx context.Context, o *oneShot) error {
				_, err := o.router.Test(ctx, tenant, args[0], to, cmp.Or(p.env("USER"), "somebody"))
				return err
			})
		},
	}
	f.registerReach(cmd)
	server.register(cmd.Flags(), "output")
	cmd.Flags().StringVar(&to, "to", "", "the receiver there, where it is not the endpoint's own")
	return cmd
}

// watched is a memory that knows which groups have collected something.
type watched struct {
	*notify.Memory
	mu   sync.Mutex
	open map[string]notify.Group
}

// Do carries out work.
func (w *watched) Do(ctx context.Context, work *notify.Work) error {
	mine := *work
	mine.Decide = func(s *notify.State) (*notify.Plan, error) {
		plan, err := work.Decide(s)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, g := range plan.Groups {
			delete(w.open, g.ID)
			if !g.Due.IsZero() && g.Count > 0 {
				w.open[g.ID] = g
			}
		}
		return plan, nil
	}
	return w.Memory.Do(ctx, &mine)
}

// collected are the groups that wait with notices, in the order in which they are due.
func (w *watched) collected() []notify.Group {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []notify.Group
	for _, id := range sortedNames(w.open) {
		out = append(out, w.open[id])
	}
	slices.SortStableFunc(out, func(a, b notify.Group) int { return a.Due.Compare(b.Due) })
	return out
}

// oneShot decides and delivers in memory.
type oneShot struct {
	memory    *watched
	router    *notify.Router
	deliverer *notify.Deliverer
}

func (p *program) newOneShot(ctx context.Context, s *settingsFile, f *reachFlags, what *happened) (*oneShot, error) {
	var facts func([]string) map[string]notify.ScanFacts
	if what != nil {
		facts = what.scans
	}
	m, err := inMemory(ctx, s, time.Now, facts)
	if err != nil {
		return nil, err
	}
	memory := &watched{Memory: m, open: map[string]notify.Group{}}
	open := func(t string) notify.Opener {
		return channels.Opener(t, &channels.Options{Secret: p.settingSecret, Allow: f.allow, Now: time.Now})
	}
	return &oneShot{
		memory:    memory,
		router:    &notify.Router{Stores: func(string) (notify.Routes, error) { return memory, nil }, Open: open},
		deliverer: &notify.Deliverer{Queues: func(string) (notify.Queue, error) { return memory, nil }, Open: open, Holder: "stella", Now: time.Now},
	}, nil
}

// settingSecret reads what a reference of the settings stands for. Its errors are not
// shown: channels name the role alone.
func (p *program) settingSecret(ctx context.Context, _, ref string) ([]byte, error) {
	text, err := p.secret(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("read a secret: %w", errors.Join(err, channels.ErrInvalid))
	}
	return []byte(strings.TrimRight(string(text), "\r\n")), nil
}

// shortThrottle is how long what comes after the first message of a group is collected.
const shortThrottle = "1s"

// atOnce leaves aside what a process that ends cannot keep: digests, quiet hours and
// escalations. It says so.
func (p *program) atOnce(s *settingsFile) error {
	for _, e := range s.elements {
		r, ok := e.value.(*notify.Rule)
		if !ok {
			continue
		}
		var aside []string
		if r.Digest != "" && r.Digest != "instant" {
			aside = append(aside, "its digest of "+r.Digest)
		}
		if r.Quiet != nil {
			aside = append(aside, "its quiet hours")
		}
		if len(r.Escalation) > 0 {
			aside = append(aside, "its escalation")
		}
		if len(aside) > 0 {
			p.note("rule %s: %s is left aside, nothing is kept", r.ID, strings.Join(aside, " and "))
		}
		r.Digest, r.DigestAt, r.Quiet, r.Escalation = "", "", nil, nil
		r.Throttle = shortThrottle
		if err := e.encode(); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) notifyAll(ctx context.Context, f *sendFlags) error {
	what, err := p.readEvents(&f.eventFlags, time.Now().UTC().Truncate(time.Microsecond), "")
	if err != nil {
		return err
	}
	return p.tell(ctx, &f.reachFlags, what, func(ctx context.Context, o *oneShot) error {
		for _, e := range what.events {
			body, err := e.Encode()
			if err == nil {
				err = o.router.Handle(ctx, body)
			}
			if err != nil {
				return err
			}
		}
		return o.explain(ctx, p, what.events)
	})
}

// explain says why rules tell nobody, where nobody is told.
func (o *oneShot) explain(ctx context.Context, p *program, events []*event.Event) error {
	page, err := o.memory.Deliveries(ctx, notify.Query{Limit: 1})
	if err != nil || len(page.Deliveries) > 0 {
		return err
	}
	for _, e := range events {
		list, err := o.router.Preview(ctx, tenant, e, nil, time.Now())
		if err != nil {
			return err
		}
		for _, v := range list {
			p.note("%s: rule %s: %s", e.ID, v.Rule, cmp.Or(v.Against, v.Silenced, v.Problem, "it tells nobody"))
		}
	}
	return nil
}

// told is one message and what came of it, as -o json writes it.
type told struct {
	notify.Delivery
	AttemptList []notify.Attempt `json:"attempt_list"`
}

// tell has messages made, delivers them, and says what came of it.
func (p *program) tell(ctx context.Context, f *reachFlags, what *happened, decide func(context.Context, *oneShot) error) error {
	outputs, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	settings, err := p.needSettings(f.settings, f.allow)
	if err != nil {
		return err
	}
	if err := p.atOnce(settings); err != nil {
		return err
	}
	o, err := p.newOneShot(ctx, settings, f, what)
	if err != nil {
		return err
	}
	if err := decide(ctx, o); err != nil {
		return err
	}
	if err := o.deliver(ctx, time.Now().Add(f.wait)); err != nil {
		p.note("%v", err)
	}
	list, err := o.told(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	err = p.say(outputs, &render.Answer{Value: list, Table: func(w io.Writer) error { return printTold(w, list) }})
	if err != nil {
		return err
	}
	open := 0
	for _, g := range o.memory.collected() {
		if g.Silenced != "" {
			p.note("rule %s: %d notices are silenced by %s", g.Rule, g.Count, g.Silenced)
			continue
		}
		open++
		p.note("rule %s: %d notices for %s would be sent at %s, and nothing is kept until then", g.Rule, g.Count, targetName(g.Target), g.Due.Format(time.RFC3339))
	}
	waiting := open
	for i := range list {
		if s := list[i].Status; s != notify.Delivered && s != notify.Suppressed {
			open++
		}
	}
	if open > 0 {
		return &codeError{exitError, fmt.Errorf("%d of %d messages were not delivered", open, len(list)+waiting)}
	}
	return nil
}

// sendAtOnce is how many messages are on their way at a time.
const sendAtOnce = 8

// deliver delivers what is due until nothing waits any more or until a time.
func (o *oneShot) deliver(ctx context.Context, until time.Time) error {
	for {
		if _, err := o.router.Tick(ctx, o.memory.Due(tenant, maxEvents)); err != nil {
			return err
		}
		var wg sync.WaitGroup
		slots := make(chan struct{}, sendAtOnce)
		for _, id := range o.memory.Waiting(maxEvents) {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				// What came of it stands in the memory.
				_, _ = o.deliverer.Deliver(ctx, tenant, id)
			})
		}
		wg.Wait()
		next, waits, err := o.next(ctx)
		if err != nil || !waits || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if next.After(until) || time.Now().After(until) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(time.Until(next), 10*time.Millisecond)):
		}
	}
}

// next is when the next delivery is due, or a group closes, and whether one waits.
func (o *oneShot) next(ctx context.Context) (at time.Time, waits bool, err error) {
	list, err := o.told(ctx)
	for _, g := range o.memory.collected() {
		if g.Silenced == "" {
			at, waits = g.Due, true
			break
		}
	}
	for i := range list {
		d := &list[i]
		if d.Status == notify.Pending && (!waits || d.Due.Before(at)) {
			at, waits = d.Due, true
		}
	}
	return at, waits, err
}

// told lists all messages, the first one first.
func (o *oneShot) told(ctx context.Context) ([]told, error) {
	out := []told{}
	q := notify.Query{Limit: 1000}
	for {
		page, err := o.memory.Deliveries(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Deliveries {
			d, attempts, err := o.memory.Delivery(ctx, page.Deliveries[i].ID)
			if err != nil {
				return nil, err
			}
			out = append([]told{{*d, attempts}}, out...)
		}
		if q.After = page.Next; q.After == "" {
			return out, nil
		}
	}
}

func printTold(w io.Writer, list []told) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "Nobody is to be told.")
		return err
	}
	t := newTable("status", "to", "rule", "attempts", "answer", "message")
	var why strings.Builder
	for i := range list {
		d := &list[i]
		answer := "-"
		if n := len(d.AttemptList); n > 0 {
			answer = answerOf(&d.AttemptList[n-1])
		}
		t.AppendRow([]any{string(d.Status), clean(targetName(notify.Target{Endpoint: d.Endpoint, To: d.To})), clean(d.Rule), d.Attempts, clean(answer), clean(d.Title)})
		if d.Reason != "" || d.Duplicate {
			fmt.Fprintf(&why, "%s: %s", clean(d.Endpoint), clean(d.Reason))
			if d.Duplicate {
				why.WriteString(" (the receiver may have it more than once)")
			}
			why.WriteByte('\n')
		}
	}
	_, err := fmt.Fprintf(w, "%s\n%s", t.Render(), why.String())
	return err
}

// answerOf is what a receiver answered, in short.
func answerOf(a *notify.Attempt) string {
	out := string(a.Outcome)
	if a.Status > 0 {
		out += fmt.Sprintf(" %d", a.Status)
	}
	if a.Reference != "" {
		out += " " + a.Reference
	}
	return out
}
