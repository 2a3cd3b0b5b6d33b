package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/template"
	"github.com/stella-ops/stella/notify/webhook"
)

func (p *program) notifyTemplate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Begin templates of messages with the default ones, and look at what they give",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	check := p.notifyCheck()
	check.Short = "Say what is wrong with templates, and with all else of the file"
	check.Example = "  stella notify template check notify.yaml"
	cmd.AddCommand(check, p.templateDefault(), p.templateRender())
	return cmd
}

// typeOf is the type of channel of a name, that has templates.
func typeOf(name string) (*channels.Type, error) {
	var names []string
	for _, t := range channels.Types() {
		if t.Name == name && t.Parts != nil {
			return &t, nil
		}
		if t.Parts != nil {
			names = append(names, t.Name)
		}
	}
	return nil, usageError("%q has no templates: want %s%s", name, strings.Join(names, ", "), suggest.Phrase(name, names))
}

func (p *program) templateDefault() *cobra.Command {
	return &cobra.Command{
		Use:     "default TYPE",
		Short:   "Print the templates that are built in, to begin one's own with",
		Long:    "Print the parts of the templates that are built in as a file of settings with one\ntemplate. Parts that one's own leaves out stay the default's.",
		Example: "  stella notify template default slack > template.yaml",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := typeOf(args[0])
			if err != nil {
				return err
			}
			text := func(s string) *yaml.Node {
				n := new(yaml.Node)
				n.SetString(s)
				return n
			}
			parts := &yaml.Node{Kind: yaml.MappingNode}
			for _, part := range t.Parts {
				name := text(part.Name)
				name.HeadComment = fmt.Sprintf("escaped as %s", part.Escape)
				parts.Content = append(parts.Content, name, text(part.Text))
			}
			one := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text("id"), text("my-" + t.Name), text("type"), text(t.Name), text("parts"), parts}}
			root := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text("templates"), {Kind: yaml.SequenceNode, Content: []*yaml.Node{one}}}}
			var b bytes.Buffer
			enc := yaml.NewEncoder(&b)
			enc.SetIndent(2)
			if err := errors.Join(enc.Encode(root), enc.Close()); err != nil {
				return err
			}
			return writeLine(p.stdout, b.Bytes())
		},
	}
}

// templateSamples are the names of template.Samples, in their order.
var templateSamples = []string{"alert", "storm", "digest", "escalation", "verdict", "scan", "failed", "hostile"}

const templateRenderHelp = `Render a message that is made up by the templates for a type, and print each part.

--settings FILE has templates; --template names one of them as rules do, and without it the
type's default counts, which a template without a name replaces. --html FILE writes the
part that is HTML there.

Messages: alert, storm, digest, escalation, verdict, scan, failed, and hostile, whose
texts would be markup if templates let them.

"stella notify check" says what is wrong with templates; so does this.`

// renderFlags are the flags of stella notify template render.
type renderFlags struct{ settings, name, locale, sample, html string }

func (p *program) templateRender() *cobra.Command {
	var f renderFlags
	cmd := &cobra.Command{
		Use:     "render TYPE",
		Short:   "Print what templates make of a message",
		Long:    templateRenderHelp,
		Example: "  stella notify template render email --sample storm --html mail.html\n  stella notify template render slack --settings notify.yaml --template short --sample hostile",
		Args:    usage(cobra.ExactArgs(1)),
		RunE:    func(_ *cobra.Command, args []string) error { return p.renderTemplate(args[0], &f) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.settings, "settings", "", "the file of settings with the templates")
	fs.StringVar(&f.name, "template", "", "the template's name")
	fs.StringVar(&f.locale, "locale", "", "the locale, such as fr or pt-BR")
	fs.StringVar(&f.sample, "sample", "alert", strings.Join(templateSamples, ", "))
	fs.StringVar(&f.html, "html", "", "a file for the part that is HTML")
	return cmd
}

func (p *program) renderTemplate(kind string, f *renderFlags) error {
	t, err := typeOf(kind)
	if err != nil {
		return err
	}
	all := template.Samples()
	i := slices.Index(templateSamples, f.sample)
	if i < 0 || i >= len(all) {
		return usageError("--sample %q: want %s%s", f.sample, strings.Join(templateSamples, ", "), suggest.Phrase(f.sample, templateSamples))
	}
	var own []notify.Template
	if f.settings != "" {
		settings, err := p.needSettings(f.settings, nil)
		if err != nil {
			return err
		}
		own = settings.settings().Templates
	}
	library, err := template.NewLibrary(kind, t.Parts, own)
	if err != nil {
		return err
	}
	m := *all[i]
	m.Template, m.Locale = f.name, f.locale
	parts, notes, err := library.Render(&m)
	if err != nil {
		return err
	}
	for _, part := range t.Parts {
		if part.Escape == template.HTML && f.html != "" {
			if err := replaceFile(f.html, []byte(parts[part.Name])); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(p.stdout, "%s (%s)\n", part.Name, part.Escape)
		for line := range strings.Lines(parts[part.Name]) {
			fmt.Fprintf(p.stdout, "    %s\n", clean(untabbed(line)))
		}
	}
	for _, n := range notes {
		p.note("%s", n)
	}
	return nil
}

const notifyVerifyHelp = `Check a webhook as its receiver does (Standard Webhooks 1.0.0): that the body is signed by
a key, and when. FILE is the body as it came, byte for byte; "-" is standard input.

The headers webhook-id, webhook-timestamp and webhook-signature are given by --header, or
--headers FILE has them, a line for each; other lines are left alone.

Exit codes: 0 it is signed, 1 it could not be read, 4 it is not (the reason says why), 64
wrong arguments.`

// webhookFlags are the flags of stella notify verify.
type webhookFlags struct {
	secrets, headers []string
	headerFile       string
	at               string
	tolerance        time.Duration
}

func (p *program) notifyVerify() *cobra.Command {
	var f webhookFlags
	cmd := &cobra.Command{
		Use:     "verify FILE",
		Short:   "Check the signature of a webhook that was received",
		Long:    notifyVerifyHelp,
		Example: "  stella notify verify body.json --headers headers.txt --secret env:HOOK_SECRET\n  stella notify verify body.json --secret file:hook.key --header \"webhook-id: dlv-1\" --header \"webhook-timestamp: 1795953600\" --header \"webhook-signature: v1,…\" --at 2026-11-29T12:00:00Z",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			header := textproto.MIMEHeader{}
			lines := f.headers
			if f.headerFile != "" {
				text, err := p.readFile(f.headerFile, 64<<10)
				if err != nil {
					return err
				}
				lines = append(lines, strings.Split(string(text), "\n")...)
			}
			for _, line := range lines {
				if name, value, ok := strings.Cut(line, ":"); ok {
					header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
				}
			}
			if len(f.secrets) == 0 {
				return usageError("by which key? Give --secret env:NAME or --secret file:PATH")
			}
			var keys []string
			for _, ref := range f.secrets {
				key, err := p.secret(cmd.Context(), ref)
				if err != nil {
					return err
				}
				keys = append(keys, strings.TrimRight(string(key), "\r\n"))
			}
			now, err := p.timeOf("--at", f.at)
			if err != nil {
				return err
			}
			body, err := p.readFile(args[0], notify.MaxPayload)
			if err != nil {
				return err
			}
			v, err := webhook.Verify(keys, map[string][]string(header), body, now, &webhook.VerifyOptions{Tolerance: f.tolerance})
			var refused *webhook.RefusalError
			if errors.As(err, &refused) {
				return &codeError{exitVerification, fmt.Errorf("webhook: %s: %w", refused.Reason, err)}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s, sent at %s: it is signed\n", clean(v.ID), v.At.UTC().Format(time.RFC3339))
			if v.Duplicate {
				p.note("the sender does not know whether it came before: who has %s already is done", v.ID)
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.secrets, "secret", nil, "a key: env:NAME or file:PATH; may be repeated")
	fs.StringArrayVar(&f.headers, "header", nil, "\"NAME: VALUE\", a header that came with it; may be repeated")
	fs.StringVar(&f.headerFile, "headers", "", "a file with the headers that came with it")
	fs.StringVar(&f.at, "at", "", "when it was received (default: now)")
	fs.DurationVar(&f.tolerance, "tolerance", 5*time.Minute, "how far its time may be from that")
	return cmd
}
