package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const pushHelp = `Publish the current data as a signed mirror in a registry, or in an OCI layout
(oci:FOLDER[:TAG]) to carry into a closed network. "stella db pull" follows it and
reads only what changed; versions share in the registry what they have in common.

It is published under the tag of REF, "latest" without one, and under the number of
the release: 7, or TAG-7. Keys are as for "stella db export". What is published is
kept in a folder, which is a mirror too and may be served as well. Where the folder
was lost, what is in the registry is gone on from.

What may not be passed on is left out and named; --everything includes it.`

// pushFlags say what is published, by whom, and how the registry is asked.
type pushFlags struct {
	dbFlags
	source              sourceFlags
	keys, feed, mirror  string
	newKeys, everything bool
	replace, vex        bool
	deltas              int
	valid               time.Duration
	quiet               bool
	outputs             []string
}

func (p *program) dbPush() *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use:     "push REF",
		Short:   "Publish the current data as a signed mirror in a registry",
		Long:    pushHelp,
		Example: "  stella db push registry.example/advisories --keys ./keys --new-keys\n  stella db push oci:./carry --keys ./keys --valid-for 720h",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.keys == "" {
				return usageError("--keys is required: a folder with a key for each role, or for --new-keys")
			}
			if f.valid < 0 {
				return usageError("--valid-for %s: want a time such as 48h", f.valid)
			}
			outputs, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			out, err := p.push(cmd.Context(), args[0], &f)
			if err != nil {
				return err
			}
			err = p.say(outputs, &render.Answer{Value: out, Table: func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s, version %d, %d objects, %d deltas\n%s: %d of %d bytes sent\n", out.Digest, out.Version, out.Objects, len(out.Deltas), clean(out.Reference), out.Sent, out.Size)
				return err
			}})
			if err == nil && outputs.Has(render.Table) {
				p.omitted(out.Omitted)
			}
			return err
		},
	}
	f.registerDir(cmd.Flags())
	f.source.registerNetwork(cmd.Flags())
	cmd.Flags().StringVar(&f.keys, "keys", "", "folder of the keys")
	cmd.Flags().StringVar(&f.feed, "feed", "advisories", "name of the feed, for --new-keys")
	cmd.Flags().BoolVar(&f.newKeys, "new-keys", false, "make the keys and root.json first")
	cmd.Flags().StringVar(&f.mirror, "mirror", "", "folder that keeps what is published (default: published, in the folder of the data)")
	cmd.Flags().BoolVar(&f.everything, "everything", false, "also publish what is not known to allow it")
	cmd.Flags().BoolVar(&f.vex, "vex", false, "also publish the VEX statements that \"stella vex import|update\" keeps, if they may be passed on")
	cmd.Flags().BoolVar(&f.replace, "replace", false, "do not go on from what is there, whatever it is")
	cmd.Flags().IntVar(&f.deltas, "deltas", 0, "releases before this one that a delta leads on from, -1 for none (default 14)")
	cmd.Flags().DurationVar(&f.valid, "valid-for", 0, "how long the release counts as current (default 24h)")
	outputFlag(cmd, &f.outputs)
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	return cmd
}

// pushed is what "stella db push" has to say.
type pushed struct {
	*mirror.Published
	Reference string   `json:"reference"` // with the digest of the artifact
	Tags      []string `json:"tags"`
	Size      int64    `json:"size"` // bytes of the release
	Sent      int64    `json:"sent"` // those that were not there
}

func (p *program) push(ctx context.Context, ref string, f *pushFlags) (*pushed, error) {
	if f.newKeys {
		if err := makeKeys(ctx, f.keys, f.feed); err != nil {
			return nil, err
		}
	}
	snap, err := f.mustOpen(p.env)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	if f.mirror == "" {
		store, err := f.store(p.env)
		if err != nil {
			return nil, err
		}
		f.mirror = filepath.Join(store.Dir, "published")
	}
	pub := &mirror.Publisher{Dir: f.mirror, Everything: f.everything, Deltas: f.deltas, Lifetimes: f.lifetimes()}
	if f.vex {
		dir, err := vexDir(&f.dbFlags, p.env)
		if err != nil {
			return nil, err
		}
		pub.VEX = filepath.Join(dir, vexFile)
	}
	root, err := p.openKeys(pub, f.keys)
	if err != nil {
		return nil, err
	}
	if err := pub.Begin(root); err != nil && !errors.Is(err, mirror.ErrConflict) {
		return nil, err
	}
	if !f.replace {
		if err := p.resume(ctx, pub, ref, f.source.options()); err != nil {
			return nil, err
		}
	}
	at := time.Now()
	published, err := pub.Publish(ctx, at, snap, 0)
	if err != nil {
		return nil, err
	}
	parts, err := pub.Parts(ctx, at)
	if err != nil {
		return nil, err
	}
	return p.send(ctx, ref, f, published, parts)
}

// lifetimes are those of a release that counts as current for longer than usual.
func (f *pushFlags) lifetimes() map[role.Role]time.Duration {
	if f.valid == 0 {
		return nil
	}
	const day = 24 * time.Hour
	return map[role.Role]time.Duration{role.RoleTimestamp: f.valid, role.RoleSnapshot: max(7*day, f.valid), role.RoleTargets: max(30*day, f.valid)}
}

// resume goes on from what is in a registry, so that those who follow it take the next
// release for a newer one.
func (p *program) resume(ctx context.Context, pub *mirror.Publisher, ref string, opt *image.Options) error {
	src, done, err := openMirror(ctx, ref, opt)
	if errors.Is(err, image.ErrNotFound) || err != nil && isEmptyFolder(ref) {
		return nil // the first one
	}
	if err != nil {
		return err
	}
	defer done()
	_, err = pub.Resume(ctx, src)
	switch {
	case errors.Is(err, role.ReasonRollback):
		p.note("%s has an older release than %s, which is replaced", ref, pub.Dir)
		return nil
	case errors.Is(err, role.ReasonEquivocation):
		return &codeError{exitVerification, fmt.Errorf("%w\nSomebody else publishes with these keys. Push from one place, or from here with --replace: clients that have the other release refuse this one until its versions are higher", err)}
	case role.ReasonOf(err) != "" || errors.Is(err, mirror.ErrMismatch):
		return &codeError{exitVerification, fmt.Errorf("%w\nWhat is there is of another feed, or damaged: choose another tag, or --replace it", err)}
	}
	return err
}

// isEmptyFolder reports whether a reference is of a layout in a folder with nothing in
// it, which pushing makes one.
func isEmptyFolder(ref string) bool {
	path, ok := strings.CutPrefix(ref, "oci:")
	for ok {
		if list, err := os.ReadDir(path); err == nil {
			return len(list) == 0
		}
		i := strings.LastIndexByte(path, ':')
		if ok = i > 0; ok {
			path = path[:i]
		}
	}
	return false
}

// send keeps a release in a registry.
func (p *program) send(ctx context.Context, ref string, f *pushFlags, published *mirror.Published, parts []mirror.Part) (*pushed, error) {
	out := &pushed{Published: published}
	meter := p.meter("sent", f.quiet)
	defer meter.stop()
	number := strconv.FormatInt(published.Version, 10)
	c := image.Collection{Type: mirror.ArtifactType, Version: number, Annotations: map[string]string{
		"org.opencontainers.image.title": "stella advisories", "org.opencontainers.image.version": number,
	}}
	for _, part := range parts {
		out.Size += part.Size
		c.Documents = append(c.Documents, image.Artifact{
			MediaType: part.MediaType, Digest: part.Digest, Size: part.Size, Annotations: map[string]string{titleAnnotation: part.Name},
			Open: func(ctx context.Context) (io.ReadCloser, error) { return meter.open(part.Open(ctx)) },
		})
	}
	at, err := image.PushCollection(ctx, ref, c, f.source.options())
	if err != nil {
		return nil, err
	}
	if at.Tag != "latest" {
		number = at.Tag + "-" + number
	}
	out.Sent, out.Tags = meter.bytes(), []string{at.Tag, number}
	out.Reference = strings.TrimPrefix(at.Registry+"/"+at.Repository+"@"+at.Manifest, "/")
	return out, nil
}

// omitted says what was left out of a mirror.
func (p *program) omitted(list []string) {
	for _, source := range list {
		if source == "" {
			source = "records that were imported by hand"
		}
		fmt.Fprintf(p.stdout, "  left out: %s, which is not known to allow it (--everything includes it)\n", clean(source))
	}
}
