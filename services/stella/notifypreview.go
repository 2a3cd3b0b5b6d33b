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
)

const notifyPreviewHelp = `Say what would be sent by settings, to whom, when and why, and why others would not be
told. Nothing is sent, nothing is looked up, and no secret is read.

--event FILE says what happened: events, one JSON object after another, a report of
"stella scan -o json", or a verdict of "stella policy eval -o verdict"; "-" is standard
input. Without it something is made up: --sample drift, kev, storm, verdict, scan or
failed, separated by commas.

--rendered prints what would be sent: JSON, or the headers and the text of a mail.

Exit codes: 0 also where nobody would be told, 1 error, 64 wrong arguments.`

// previewFlags are the flags of stella notify preview.
type previewFlags struct {
	eventFlags
	settings string
	at       string
	allow    []string
	rendered bool
	outputs  []string
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
			"  stella scan registry.example/app:1 -o json | stella notify preview --settings notify.yaml --event -",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.preview(cmd.Context(), &f) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.settings, "settings", "", "the file of settings")
	f.register(fs)
	fs.StringVar(&f.at, "at", "", "when it would happen, such as 2026-12-24T22:30:00Z (default: now, or SOURCE_DATE_EPOCH)")
	fs.BoolVar(&f.rendered, "rendered", false, "print what would be sent")
	allowFlag(cmd, &f.allow)
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

func (p *program) preview(ctx context.Context, f *previewFlags) error {
	outputs, err := parseOutputs(f.outputs, "table", "table", "json")
	if err != nil {
		return err
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
	return p.emit(outputs, func(w io.Writer, format string) error {
		if format == "json" {
			return writeJSON(w, list)
		}
		var b strings.Builder
		for i := range list {
			if i > 0 {
				b.WriteByte('\n')
			}
			list[i].print(&b, f.rendered)
		}
		_, err := io.WriteString(w, b.String())
		return err
	})
}

// foresee previews every event.
func foresee(ctx context.Context, r *notify.Router, what *happened, now time.Time) ([]foreseen, error) {
	var out []foreseen
	for _, e := range what.events {
		list, err := r.Preview(ctx, tenant, e, nil, now)
		if err != nil {
			return nil, err
		}
		one := foreseen{Event: e.ID, Type: string(e.Type), At: now, Previews: []previewed{}}
		for _, v := range list {
			one.Notices = v.Of
			pv := previewed{Preview: v}
			if v.Payload != nil {
				pv.MediaType, pv.Text, pv.Notes = v.Payload.MediaType, string(v.Payload.Body), v.Payload.Notes
			}
			one.Previews = append(one.Previews, pv)
		}
		out = append(out, one)
	}
	return out, nil
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
