package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

const timelineListHelp = `List what happened, the oldest first; of what is given all must hold. --ref KIND=VALUE
asks for what an event is about: image, digest, scan, vulnerability, environment, owner,
policy, exception, delivery, incident, rule or endpoint; --image, --scan and
--vulnerability are short for that.`

// timelineListFlags are the flags of stella timeline list.
type timelineListFlags struct {
	placeFlags
	refs                       []string
	image, scan, vulnerability string
	types                      []string
	topic, event               string
	from, until                string
	backward                   bool
	after                      int64
	limit                      int
	outputs                    []string
}

// timelineEntry is an entry as -o json writes it.
type timelineEntry struct {
	Seq     int64          `json:"seq"`
	Topic   string         `json:"topic"`
	ID      string         `json:"id"`
	Type    event.Type     `json:"type"`
	Time    time.Time      `json:"time"`
	Indexed time.Time      `json:"indexed"`
	Digest  string         `json:"digest"`
	Hash    string         `json:"hash"`
	Body    jsontext.Value `json:"body,omitempty"`
}

// timelinePage is a page of them.
type timelinePage struct {
	Entries []timelineEntry `json:"entries"`
	Next    int64           `json:"next,omitzero"`
}

func entryOf(e *timeline.Entry) timelineEntry {
	return timelineEntry{e.Seq, e.Topic, e.Event, e.Type, e.Time.UTC(), e.Indexed.UTC(), e.Digest.String(), e.Hash.String(), e.Body}
}

func (p *program) timelineList() *cobra.Command {
	var f timelineListFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what happened to an image, a scan, a vulnerability",
		Long:  timelineListHelp,
		Example: "  stella timeline list --store sqlite:stella.db --tenant acme --image ghcr.io/acme/shop:1 --from 2026-11-01\n" +
			"  stella timeline list --store sqlite:stella.db --tenant acme --vulnerability CVE-2026-1234 --backward -o json\n" +
			"  stella timeline list --scan scan-01JE4Z --server https://stella.example -o ndjson",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			q, err := p.timelineQuery(&f)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &f.server, out, func(ctx context.Context, r *service) (*render.Answer, error) {
				return entriesAnswer(r.notify.Timeline().Find(ctx, *q))
			})
			if done {
				return err
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				return p.sayOr(out)(entriesAnswer(t.Timeline().Find(cmd.Context(), *q)))
			})
		},
	}
	f.register(cmd)
	fs := cmd.Flags()
	fs.StringArrayVar(&f.refs, "ref", nil, "KIND=VALUE, what it is about; may be repeated")
	fs.StringVar(&f.image, "image", "", "an image, by the reference that it was submitted with")
	fs.StringVar(&f.scan, "scan", "", "a scan, by its id")
	fs.StringVar(&f.vulnerability, "vulnerability", "", "a vulnerability, such as CVE-2026-1234")
	fs.StringSliceVar(&f.types, "type", nil, "types of events, separated by commas, such as scan.completed")
	fs.StringVar(&f.topic, "topic", "", "events of this topic")
	fs.StringVar(&f.event, "event", "", "the event of this id")
	fs.StringVar(&f.from, "from", "", "not before this time, such as 2026-11-01 or 2026-11-01T12:00:00Z")
	fs.StringVar(&f.until, "until", "", "before this time")
	fs.BoolVar(&f.backward, "backward", false, "the newest first")
	fs.Int64Var(&f.after, "after", 0, "go on after this row")
	fs.IntVar(&f.limit, "limit", 100, "how many, 1 to 1000")
	outputFlag(cmd, &f.outputs)
	return cmd
}

func (p *program) timelineQuery(f *timelineListFlags) (*timeline.Query, error) {
	q := &timeline.Query{Topic: f.topic, Event: f.event, Backward: f.backward, After: f.after, Limit: f.limit}
	for _, r := range []timeline.Ref{{Kind: timeline.RefImage, Value: f.image}, {Kind: timeline.RefScan, Value: f.scan}, {Kind: timeline.RefVulnerability, Value: f.vulnerability}} {
		if r.Value != "" {
			q.Refs = append(q.Refs, r)
		}
	}
	for _, spec := range f.refs {
		kind, value, ok := strings.Cut(spec, "=")
		known := texts(timeline.Kinds())
		if !ok {
			return nil, usageError("--ref %q: want KIND=VALUE", spec)
		}
		if !slices.Contains(known, kind) {
			return nil, usageError("--ref %q: want %s%s", spec, strings.Join(known, ", "), suggest.Phrase(kind, known))
		}
		q.Refs = append(q.Refs, timeline.Ref{Kind: timeline.Kind(kind), Value: value})
	}
	for _, t := range f.types {
		q.Types = append(q.Types, event.Type(t))
	}
	var err error
	if f.from != "" {
		if q.From, err = p.timeOf("--from", f.from); err != nil {
			return nil, err
		}
	}
	if f.until != "" {
		if q.Until, err = p.timeOf("--until", f.until); err != nil {
			return nil, err
		}
	}
	if f.limit < 1 || f.limit > timeline.MaxPage {
		return nil, usageError("--limit %d: want 1 to %d", f.limit, timeline.MaxPage)
	}
	if err := q.Check(); err != nil {
		return nil, &codeError{exitUsage, err}
	}
	return q, nil
}

func entriesAnswer(page *timeline.Page, err error) (*render.Answer, error) {
	if err != nil {
		return nil, err
	}
	out := timelinePage{Entries: []timelineEntry{}, Next: page.Next}
	for i := range page.Entries {
		out.Entries = append(out.Entries, entryOf(&page.Entries[i]))
	}
	return &render.Answer{Value: out, List: "entries", Table: func(w io.Writer) error { return printEntries(w, page) }}, nil
}

func printEntries(w io.Writer, page *timeline.Page) error {
	t := newTable("row", "time", "type", "event")
	for i := range page.Entries {
		e := &page.Entries[i]
		id := clean(e.Event)
		if e.Body == nil {
			id += " (its body was deleted)"
		}
		t.AppendRow([]any{e.Seq, e.Time.UTC().Format(time.DateTime), clean(string(e.Type)), id})
	}
	text := t.Render() + "\n"
	if len(page.Entries) == 0 {
		text = "There is nothing.\n"
	}
	if page.Next > 0 {
		text += fmt.Sprintf("There is more: --after %d\n", page.Next)
	}
	_, err := io.WriteString(w, text)
	return err
}

func (p *program) timelineShow() *cobra.Command {
	var f placeFlags
	var outputs []string
	cmd := &cobra.Command{
		Use:     "show ROW",
		Short:   "Show a row of the chain with its event",
		Long:    "Show a row of the chain with its event.\n\nExit codes: 0 shown, 1 error, 4 the event is not what the row says, 64 wrong arguments.",
		Example: "  stella timeline show 120 --store sqlite:stella.db --tenant acme\n  stella timeline show 120 --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			seq, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || seq < 1 {
				return usageError("row %q: want a number from 1 on", args[0])
			}
			done, err := p.elsewhere(cmd, &f.server, out, func(ctx context.Context, r *service) (*render.Answer, error) {
				e, err := r.notify.Timeline().Entry(ctx, seq)
				if err == nil {
					err = e.Check()
				}
				if err != nil {
					return nil, mismatch(err)
				}
				return &render.Answer{Value: entryOf(e)}, nil
			})
			if done {
				return err
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				page, err := t.Timeline().Find(cmd.Context(), timeline.Query{After: seq - 1, Limit: 1})
				if err != nil {
					return mismatch(err)
				}
				if len(page.Entries) == 0 || page.Entries[0].Seq != seq {
					return fmt.Errorf("the timeline of %s has no row %d", t.Name(), seq)
				}
				if err := page.Entries[0].Check(); err != nil {
					return mismatch(err)
				}
				return p.say(out, &render.Answer{Value: entryOf(&page.Entries[0])})
			})
		},
	}
	f.register(cmd)
	outputFlag(cmd, &outputs)
	return cmd
}

// mismatch gives what is not what it must be the exit code for that.
func mismatch(err error) error {
	if errors.Is(err, timeline.ErrMismatch) {
		return &codeError{exitVerification, err}
	}
	return err
}

const timelineExportHelp = `Write the chain of a tenant up to its head, a line for each row. "stella timeline verify"
checks it, on another machine and with checkpoints that lay elsewhere.

FILE appears whole or not at all; without one it is standard output. --after ROW goes on
with what follows: what is written then is to be appended to an export that was cut off
behind that row.`

func (p *program) timelineExport() *cobra.Command {
	var f placeFlags
	var after int64
	cmd := &cobra.Command{
		Use:     "export [FILE]",
		Short:   "Write the chain as lines of JSON",
		Long:    timelineExportHelp,
		Example: "  stella timeline export timeline.ndjson --store sqlite:stella.db --tenant acme\n  stella timeline export timeline.ndjson --server https://stella.example",
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if after < 0 {
				return usageError("--after %d: want the number of a row", after)
			}
			write := func(write func(io.Writer) error) error {
				if len(args) == 0 || args[0] == "-" {
					return write(p.stdout)
				}
				return streamFile(args[0], write)
			}
			remote, err := f.server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			if remote {
				r, err := p.connect(cmd.Context(), &f.server.serverFlags)
				if err != nil {
					return err
				}
				return r.explain(write(func(w io.Writer) error { return r.notify.Timeline().Export(cmd.Context(), w, after) }))
			}
			return p.withTenant(cmd.Context(), &f.storeFlags, func(_ *store.Root, t *store.Tenant) error {
				return write(func(w io.Writer) error {
					return mismatch(timeline.Export(cmd.Context(), w, t.Name(), t.Timeline(), after))
				})
			})
		},
	}
	f.register(cmd)
	cmd.Flags().Int64Var(&after, "after", 0, "go on after this row")
	return cmd
}

// streamFile writes a file beside the old one and renames it, without holding it as text.
func streamFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
