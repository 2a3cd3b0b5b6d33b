package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const notifyPreviewHelp = `Say what would be sent by settings, to whom, when and why, and why others would not be
told. Nothing is sent, nothing is looked up, and no secret is read.

--event FILE says what happened: events, one JSON object after another, a report of
"stella scan -o json", or a verdict of "stella policy eval -o verdict"; "-" is standard
input. Without it something is made up: --sample drift, kev, storm, verdict, scan or
failed, separated by commas.

--rendered prints what would be sent: JSON, or the headers and the text of a mail.

With --server it is by the settings that stand there: of --scan ID, or of one event of
--event FILE as it travels.

Exit codes: 0 also where nobody would be told, 1 error, 64 wrong arguments.`

// previewFlags are the flags of stella notify preview.
type previewFlags struct {
	eventFlags
	settings string
	at       string
	allow    []string
	rendered bool
	outputs  []string
	scan     string
	server   eitherFlags
}

// foreseen is what would come of one event.
type foreseen struct {
	Event    string      `json:"event"`
	Type     string      `json:"type"`
	At       time.Time   `json:"at"`
	Notices  int         `json:"notices"`
	Previews []previewed `json:"previews"`
}

// previewed is a notify.Preview as -o json writes it.
type previewed struct {
	notify.Preview
	MediaType string   `json:"media_type,omitempty"`
	Text      string   `json:"text,omitempty"`
	Notes     []string `json:"notes,omitempty"`
}

func (p *program) notifyPreview() *cobra.Command {
	var f previewFlags
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Say what would be sent, to whom, when and why, and why not",
		Long:  notifyPreviewHelp,
		Example: "  stella notify preview --settings notify.yaml\n" +
			"  stella notify preview --settings notify.yaml --sample storm,verdict --at 2026-12-24T22:30:00Z --rendered\n" +
			"  stella scan registry.example/app:1 -o json | stella notify preview --settings notify.yaml --event -\n" +
			"  stella notify preview --scan scan-01JE4Z --server https://stella.example",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			outputs, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			done, err := p.elsewhere(cmd, &f.server, outputs, func(ctx context.Context, r *service) (*render.Answer, error) {
				q, err := p.previewRequest(&f)
				if err != nil {
					return nil, err
				}
				return r.previewAt(ctx, q, f.rendered)
			})
			if done {
				return err
			}
			return p.preview(cmd.Context(), &f, outputs)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.settings, "settings", "", "the file of settings")
	f.register(fs)
	allowFlag(cmd, &f.allow)
	f.server.register(fs, "event")
	fs.StringVar(&f.scan, "scan", "", "with --server: the last that people are told of about this scan")
	fs.StringVar(&f.at, "at", "", "when it would happen, such as 2026-12-24T22:30:00Z (default: now, or SOURCE_DATE_EPOCH)")
	fs.BoolVar(&f.rendered, "rendered", false, "print what would be sent")
	outputFlag(cmd, &f.outputs)
	return cmd
}

// timeOf reads a time of the command line; now, or SOURCE_DATE_EPOCH, where it is "".
func (p *program) timeOf(flag, text string) (time.Time, error) {
	if text == "" {
		if epoch := sourceDate(p.env("SOURCE_DATE_EPOCH")); epoch != "" {
			text = epoch
		} else {
			return time.Now().UTC().Truncate(time.Microsecond), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return time.Time{}, usageError("%s %q: want a time such as 2026-12-24T22:30:00Z, or a date", flag, text)
}

// needSettings reads the settings that a command works by, and refuses wrong ones.
func (p *program) needSettings(name string, allow []string) (*settingsFile, error) {
	if name == "" {
		return nil, usageError("by which settings? Give --settings FILE")
	}
	f, err := p.readSettings(name, checkOptions{allow: allow})
	if err != nil {
		return nil, err
	}
	return f, f.err()
}

// inMemory returns a store that has the settings of a file.
func inMemory(ctx context.Context, s *settingsFile, now func() time.Time, facts func([]string) map[string]notify.ScanFacts) (*notify.Memory, error) {
	m := notify.NewMemory(now, facts)
	for _, e := range s.elements {
		if err := m.Set(ctx, e.setting(1, "")); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// setting is an element as it is kept.
func (e *element) setting(number int64, by string) *notify.Setting {
	s := &notify.Setting{Kind: e.kind, ID: e.id, Number: number, Body: e.body, By: by}
	if r, ok := e.value.(*notify.Rule); ok && e.kind == notify.SettingPreference {
		s.User, s.Endpoint = r.Owner, r.To[0].Endpoint
	}
	return s
}

// previewRequest is what a server is asked: about the last that happened to a scan, or about
// the event of a file as it is.
func (p *program) previewRequest(f *previewFlags) (*notifyhttp.PreviewRequest, error) {
	if (f.scan == "") == (f.file == "") {
		return nil, usageError("what happened? Give --scan ID, or --event FILE with one event")
	}
	q := &notifyhttp.PreviewRequest{ScanID: f.scan}
	var err error
	if f.at != "" {
		if q.At, err = p.timeOf("--at", f.at); err != nil {
			return nil, err
		}
	}
	if f.file != "" {
		q.Event, err = p.readFile(f.file, maxEventFile)
	}
	return q, err
}

func (p *program) preview(ctx context.Context, f *previewFlags, outputs render.Outputs) error {
	if f.scan != "" {
		return usageError("--scan: of a server: give --server URL; here --event FILE says what happened")
	}
	now, err := p.timeOf("--at", f.at)
	if err != nil {
		return err
	}
	settings, err := p.needSettings(f.settings, f.allow)
	if err != nil {
		return err
	}
	what, err := p.readEvents(&f.eventFlags, now, "drift")
	if err != nil {
		return err
	}
	memory, err := inMemory(ctx, settings, func() time.Time { return now }, what.scans)
	if err != nil {
		return err
	}
	router := &notify.Router{
		Stores: func(string) (notify.Routes, error) { return memory, nil },
		Open:   func(t string) notify.Opener { return channels.Opener(t, &channels.Options{Allow: f.allow}) },
	}
	list, err := foresee(ctx, router, what, now)
	if err != nil {
		return err
	}
	return p.say(outputs, &render.Answer{Value: list, Table: func(w io.Writer) error {
		return printForeseen(w, list, f.rendered)
	}})
}

func printForeseen(w io.Writer, list []foreseen, rendered bool) error {
	var b strings.Builder
	for i := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		list[i].print(&b, rendered)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// foresee previews every event.
func foresee(ctx context.Context, r *notify.Router, what *happened, now time.Time) ([]foreseen, error) {
	var out []foreseen
	for _, e := range what.events {
		list, err := r.Preview(ctx, tenant, e, nil, now)
		if err != nil {
			return nil, err
		}
		one := foreseenOf(list)
		one.Event, one.Type, one.At = e.ID, string(e.Type), now
		out = append(out, *one)
	}
	return out, nil
}

// foreseenOf is what previews say about one event.
func foreseenOf(list []notify.Preview) *foreseen {
	one := &foreseen{Previews: []previewed{}}
	for _, v := range list {
		one.Notices = v.Of
		pv := previewed{Preview: v}
		if v.Payload != nil {
			pv.MediaType, pv.Text, pv.Notes = v.Payload.MediaType, string(v.Payload.Body), v.Payload.Notes
		}
		one.Previews = append(one.Previews, pv)
	}
	return one
}

func (f *foreseen) print(b *strings.Builder, rendered bool) {
	fmt.Fprintf(b, "%s  %s, %d notices, as of %s\n\n", clean(f.Event), clean(f.Type), f.Notices, f.At.Format(time.RFC3339))
	if len(f.Previews) == 0 {
		b.WriteString("There are no rules: nobody would be told.\n")
		return
	}
	t := newTable("rule", "to", "sent", "matched", "message")
	for i := range f.Previews {
		v := &f.Previews[i]
		title := "-"
		if v.Message != nil {
			title = v.Message.Title
		}
		t.AppendRow([]any{clean(v.Rule), clean(targetName(v.Target)), v.sent(f.At), fmt.Sprintf("%d of %d", v.Matched, v.Of), clean(title)})
	}
	b.WriteString(t.Render() + "\n")
	for i := range f.Previews {
		v := &f.Previews[i]
		fmt.Fprintf(b, "\n%s%s\n", clean(v.Rule), forTarget(v.Target))
		for _, why := range v.Why {
			fmt.Fprintf(b, "  yes  %s\n", clean(why))
		}
		for _, against := range []string{v.Against, v.Silenced, v.Problem} {
			if against != "" {
				fmt.Fprintf(b, "  no   %s\n", clean(against))
			}
		}
		for _, note := range v.Notes {
			fmt.Fprintf(b, "  note %s\n", clean(note))
		}
		if rendered && v.Payload != nil {
			fmt.Fprintf(b, "  %s, %d bytes:\n", clean(v.MediaType), len(v.Text))
			for line := range strings.Lines(readable(v.Payload)) {
				fmt.Fprintf(b, "    %s\n", clean(untabbed(line)))
			}
		}
	}
}

func targetName(t notify.Target) string {
	if t.To != "" {
		return t.Endpoint + " " + t.To
	}
	return cmp.Or(t.Endpoint, "-")
}

func forTarget(t notify.Target) string {
	if t.Endpoint == "" {
		return ""
	}
	return " → " + clean(targetName(t))
}

// sent says whether and when it would be sent.
func (v *previewed) sent(at time.Time) string {
	switch {
	case !v.Matches:
		return "no"
	case v.Silenced != "":
		return "no: silenced"
	case v.Problem != "":
		return "no: broken"
	case v.Due.IsZero() || !v.Due.After(at):
		return "at once"
	}
	return v.Due.Format(time.RFC3339)
}

// readable is a payload as people read it: JSON with white space, and of a mail what is
// written on it and its text.
func readable(p *notify.Payload) string {
	kind, _, _ := mime.ParseMediaType(p.MediaType)
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		var b bytes.Buffer
		if json.Indent(&b, p.Body, "", "  ") == nil {
			return b.String()
		}
	case kind == "message/rfc822":
		if text, err := mailText(p.Body); err == nil {
			return text
		}
	}
	return string(p.Body)
}

// untabbed is a line without its end, and with spaces in place of tabs.
func untabbed(line string) string {
	return strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
}

// mailText is what a mail says: who it is from and for, its subject, and its plain text.
func mailText(body []byte) (string, error) {
	m, err := mail.ReadMessage(bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	words := new(mime.WordDecoder)
	for _, name := range []string{"From", "To", "Subject"} {
		v, err := words.DecodeHeader(m.Header.Get(name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s: %s\n", name, v)
	}
	text, err := plainPart(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
	if err != nil {
		return "", err
	}
	return b.String() + "\n" + text, nil
}

// plainPart is the first part of a mail that is plain text.
func plainPart(contentType, encoding string, r io.Reader) (string, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(r, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil {
				return "", fmt.Errorf("no plain text: %w", err)
			}
			if text, err := plainPart(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part); err == nil {
				return text, nil
			}
		}
	}
	if kind != "text/plain" {
		return "", fmt.Errorf("it is %s", kind)
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	text, err := io.ReadAll(r)
	return string(text), err
}
