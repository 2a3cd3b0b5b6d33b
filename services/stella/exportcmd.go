package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/export/target"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/store/blob"
)

const exportCommandHelp = `Scan, match and decide as "stella scan" does, and write what came out in the formats of
others, to one place or several. Equal results are equal bytes, and a place knows them
by their digest: doing it over makes no second one.

Formats: spdx, cyclonedx; sarif, junit, csv, openvex, csaf of what was decided, by
--policy or, without one, by a policy that lets findings pass; evidence, which is the
signed statements about all of it, and needs --key.

Places, by --to:
  DIR                          files by their names, such as sbom.spdx.json
  file:DIR, s3://BUCKET?endpoint=https://HOST
                               under what they are about and their digests
  oci://REGISTRY/REPOSITORY    beside the image, where it is in this repository
  https://HOST/…               a webhook; with --secret signed by Standard Webhooks

--secret is what the places other than folders ask for: env:NAME or file:PATH, never the secret.
Without --to one format is written to standard output.

With --server, SOURCE is scan:ID: what the server exports of that scan is put to the places,
and is asked for where nobody has. Evidence is then what the server signed.

Exit codes: 0 all is there, 1 error, 4 a log or an authority answered what is not to be
believed, 64 wrong arguments.`

// exportCommandFlags are the flags of stella export.
type exportCommandFlags struct {
	scanFlags
	formats []string
	to      []string
	secret  string
	author  string
	outputs []string
	notary  notaryFlags
	server  eitherFlags
	// remotely says that a server exports.
	remotely bool
}

// exported is one export, as -o json writes it.
type exported struct {
	Format    export.Format `json:"format"`
	Name      string        `json:"name"`
	Digest    string        `json:"digest"`
	Size      int64         `json:"size"`
	Places    []placed      `json:"places,omitempty"`
	content   []byte
	mediaType string
}

type placed struct {
	To      string `json:"to"`
	Receipt string `json:"receipt,omitempty"`
}

func (p *program) exportCommand() *cobra.Command {
	var f exportCommandFlags
	cmd := &cobra.Command{
		Use:   "export SOURCE",
		Short: "Write results in the formats of others, to folders, buckets, registries and webhooks",
		Long:  exportCommandHelp,
		Example: "  stella export registry.example/app:1 --format spdx,cyclonedx --to ./exports\n" +
			"  stella export registry.example/app:1 --format evidence --key release.key --policy release.yaml --to oci://registry.example/app\n" +
			"  stella export sbom:sbom.json --format sarif > verdict.sarif.json\n" +
			"  stella export scan:scan-01JE4Z --format spdx,sarif --to ./exports --server https://stella.example",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			remote, err := f.server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			f.remotely = remote && (f.server.url != "" || strings.HasPrefix(args[0], storedScheme))
			return p.export(cmd.Context(), args[0], &f)
		},
	}
	fs := cmd.Flags()
	f.registerRead(fs)
	f.notary.register(fs)
	fs.StringVar(&f.author, "author", "", "who says what is exported as VEX (default: stella)")
	f.server.register(fs, "timeout", "quiet", "ca-file", "offline", "plain-http")
	fs.StringSliceVarP(&f.formats, "format", "f", nil, "spdx, cyclonedx, sarif, junit, csv, openvex, csaf or evidence; several are separated by commas (default: spdx, cyclonedx and sarif)")
	fs.StringArrayVar(&f.to, "to", nil, "a folder, or file:…, s3://…, oci://… or https://…; may be repeated")
	fs.StringVar(&f.secret, "secret", "", "what the places of --to ask for: env:NAME or file:PATH")
	outputFlag(cmd, &f.outputs)
	return cmd
}

func (f *exportCommandFlags) wanted() ([]export.Format, error) {
	if len(f.formats) == 0 {
		return export.DefaultFormats(), nil
	}
	var out []export.Format
	for _, name := range f.formats {
		format := export.Format(strings.TrimSpace(name))
		if !format.Known() {
			return nil, usageError("--format %q: want %s", name, joinFormats(export.Formats()))
		}
		if !slices.Contains(out, format) {
			out = append(out, format)
		}
	}
	return out, nil
}

func joinFormats(list []export.Format) string {
	out := make([]string, len(list))
	for i, f := range list {
		out[i] = string(f)
	}
	return strings.Join(out, ", ")
}

func (p *program) export(ctx context.Context, ref string, f *exportCommandFlags) error {
	formats, err := f.wanted()
	if err != nil {
		return err
	}
	outputs, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	if len(f.to) == 0 && len(formats) > 1 {
		return usageError("%d formats for standard output: give a --to, or one --format", len(formats))
	}
	if signs := slices.Contains(formats, export.Evidence); !signs && (f.notary.key != "" || f.notary.identityToken != "") {
		return usageError("--key signs evidence: add --format evidence")
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	if f.remotely {
		return p.exportAt(ctx, ref, f, formats, outputs)
	}
	places, err := p.openPlaces(ctx, f)
	if err != nil {
		return err
	}
	list, parcel, err := p.rendered(ctx, ref, f, formats)
	if err != nil {
		return err
	}
	return p.place(ctx, places, list, parcel, outputs)
}

// place puts exports into all places, or writes the one to standard output where there are
// none, and says where they are.
func (p *program) place(ctx context.Context, places []place, list []exported, parcel *export.Parcel, outputs render.Outputs) error {
	if len(places) == 0 {
		p.work.end()
		return writeLine(p.stdout, list[0].content)
	}
	for i := range list {
		for _, place := range places {
			receipt, err := place.put(ctx, &list[i], *parcel)
			if err != nil {
				return fmt.Errorf("export %s to %s: %w", list[i].Format, clean(place.name), err)
			}
			list[i].Places = append(list[i].Places, placed{place.name, receipt})
		}
	}
	return p.say(outputs, &render.Answer{Value: list, Table: func(w io.Writer) error {
		t := newTable("format", "digest", "bytes", "where")
		for _, e := range list {
			for _, at := range e.Places {
				t.AppendRow([]any{string(e.Format), e.Digest, e.Size, clean(at.Receipt)})
			}
		}
		_, err := fmt.Fprintln(w, t.Render())
		return err
	}})
}

// rendered makes what is exported, and says what it is about.
func (p *program) rendered(ctx context.Context, ref string, f *exportCommandFlags, formats []export.Format) ([]exported, *export.Parcel, error) {
	if err := p.useKit(ctx, &f.db, &f.decide, f.source.offline); err != nil {
		return nil, nil, err
	}
	decides := f.decide.asked() || slices.ContainsFunc(formats, func(x export.Format) bool { return x.Decision() && x != export.Evidence })
	m, _, err := p.material(ctx, ref, &f.scanFlags, decides)
	if err != nil {
		return nil, nil, err
	}
	m.Author = f.author
	about := &export.Parcel{Tenant: tenant, ScanID: strings.TrimPrefix(sum.Of(m.Neutral), "sha256:"), Image: ref, SBOM: sum.Of(m.Neutral)}
	if subjects, err := m.Subjects("", ""); err == nil {
		about.Subject = subjects[0].Secure()[0]
	}
	var out []exported
	for _, format := range formats {
		var content []byte
		if format == export.Evidence {
			content, err = p.evidence(ctx, f, m)
		} else {
			content, err = m.Render(format)
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, exported{Format: format, Name: format.FileName(), Digest: sum.Of(content), Size: int64(len(content)), content: content, mediaType: format.MediaType()})
	}
	return out, about, nil
}

// evidence signs everything about a material. What no policy of the caller's decided is
// nobody's verdict, and is not signed.
func (p *program) evidence(ctx context.Context, f *exportCommandFlags, m *export.Material) ([]byte, error) {
	n, err := p.openNotary(ctx, &f.notary, f.source.offline)
	if err != nil {
		return nil, err
	}
	defer n.close()
	signed := *m
	if !f.decide.asked() {
		signed.Verdict, signed.Trace = nil, nil
	}
	r := new(attested)
	if err := n.sign(ctx, r, signed.Facts(), signed.Predicates()); err != nil {
		return nil, err
	}
	return r.bundles, nil
}

// place is where exports go: a folder with files by their names, or a target.
type place struct {
	name   string
	dir    string
	target export.Target
}

// openPlaces opens all places before anything is scanned.
func (p *program) openPlaces(ctx context.Context, f *exportCommandFlags) ([]place, error) {
	network := &image.Network{CAFiles: f.source.caFiles}
	if f.source.offline {
		network.Policy = image.NetworkAirGap
	}
	opts := &target.Options{Local: true, Secret: p.secret, Network: network, PlainHTTP: f.source.plainHTTP, UserAgent: "stella/" + buildVersion().Version}
	var out []place
	for _, to := range f.to {
		if scheme, _, ok := strings.Cut(to, ":"); !ok || len(scheme) == 1 || strings.ContainsAny(scheme, "./") { // a letter is a drive
			out = append(out, place{name: to, dir: to})
			continue
		}
		d := export.Destination{Name: "--to", URL: to}
		if !strings.HasPrefix(to, "file:") {
			d.Secret = f.secret
		}
		t, err := target.Open(ctx, d, opts)
		if errors.Is(err, target.ErrInvalid) || errors.Is(err, target.ErrUnsupported) {
			return nil, &codeError{exitUsage, err}
		}
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(to, "?") // what follows may be a secret
		out = append(out, place{name: name, target: t})
	}
	return out, nil
}

// secret reads what a reference stands for.
func (p *program) secret(_ context.Context, ref string) ([]byte, error) {
	kind, name, _ := strings.Cut(ref, ":")
	switch kind {
	case "env":
		if v := p.env(name); v != "" {
			return []byte(v), nil
		}
		return nil, usageError("--secret: the variable %s is not set", name)
	case "file":
		return p.readFile(name, 64<<10)
	}
	return nil, usageError("--secret: want env:NAME or file:PATH, and never the secret")
}

// tries is how often a place is asked that cannot take something now.
const tries = 3

// put has a place hold an export, and returns where.
func (l *place) put(ctx context.Context, e *exported, about export.Parcel) (string, error) {
	if l.target == nil {
		name := filepath.Join(l.dir, e.Name)
		if err := os.MkdirAll(l.dir, 0o755); err != nil {
			return "", err
		}
		return name, replaceFile(name, e.content)
	}
	about.Format, about.Signed = e.Format, e.Format == export.Evidence
	about.Object = export.Object{Name: e.Name, MediaType: e.mediaType, Ref: blob.Ref{Digest: e.Digest, Size: e.Size}}
	about.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(e.content)), nil }
	for try := 1; ; try++ {
		receipt, err := l.target.Push(ctx, &about)
		if !errors.Is(err, target.ErrUnavailable) || try == tries {
			return receipt, err
		}
		select {
		case <-ctx.Done():
			return "", errors.Join(err, ctx.Err())
		case <-time.After(time.Duration(try) * time.Second):
		}
	}
}
