package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/mirror"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const pullHelp = `Bring the advisory data up to date from a registry, or from an OCI layout
(oci:FOLDER[:TAG]) that was carried here, where "stella db push" has put it.

Only what changed is read. Nothing that the registry says is believed: the four roles
of the mirror sign what is current, and what is unsigned, expired, older than what was
seen, or put together of different releases is refused. The first time, --root names
the file that says whose signatures count; later the folder of the data remembers it.

Exit codes: 0 it is current, 1 error, 4 what is there is not to be believed, 64 wrong
arguments.`

// pullFlags say from where, and what besides advisories.
type pullFlags struct {
	dbFlags
	source     sourceFlags
	root       string
	vex, quiet bool
	outputs    []string
}

// pulled is what "stella db pull" has to say.
type pulled struct {
	*mirror.Updated
	VEX string `json:"vex,omitempty"` // digest of the file of VEX statements
}

func (p *program) dbPull() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:     "pull REF",
		Short:   "Bring the advisory data up to date from a registry",
		Long:    pullHelp,
		Example: "  stella db pull registry.example/advisories --root root.json\n  stella db pull oci:./carry --offline",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			out, err := p.pull(cmd.Context(), args[0], &f)
			if err != nil {
				return err
			}
			return p.say(outputs, &render.Answer{Value: out, Table: func(w io.Writer) error {
				err := printUpdated(w, out.Updated)
				if out.VEX != "" && err == nil {
					_, err = fmt.Fprintf(w, "VEX statements: %s\n", out.VEX)
				}
				return err
			}})
		},
	}
	f.registerDir(cmd.Flags())
	f.source.registerNetwork(cmd.Flags())
	cmd.Flags().StringVar(&f.root, "root", "", "file of the mirror's root, needed the first time")
	cmd.Flags().BoolVar(&f.vex, "vex", false, "take over its VEX statements too; whom to believe still says the trust document here")
	outputFlag(cmd, &f.outputs)
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	return cmd
}

func (p *program) pull(ctx context.Context, ref string, f *pullFlags) (*pulled, error) {
	store, err := f.store(p.env)
	if err != nil {
		return nil, err
	}
	if f.vex {
		if err := p.vexReplaceable(&f.dbFlags); err != nil {
			return nil, err
		}
	}
	c := &mirror.Client{Store: store}
	if f.root != "" {
		if c.Root, err = os.ReadFile(f.root); err != nil {
			return nil, err
		}
	}
	src, done, err := openMirror(ctx, ref, f.source.options())
	if errors.Is(err, image.ErrNotFound) {
		return nil, fmt.Errorf("%w (is the name right, and was \"stella db push\" there?)", err)
	}
	if err != nil {
		return nil, err
	}
	defer done()
	meter := p.meter("read", f.quiet)
	defer meter.stop()
	c.Source = metered{src, meter}
	out := new(pulled)
	if out.Updated, err = updateFrom(ctx, c); err == nil && f.vex {
		out.VEX, err = p.pullVEX(ctx, c, &f.dbFlags)
	}
	return out, err
}

const titleAnnotation = "org.opencontainers.image.title"

// openMirror opens a mirror in a registry or a layout.
func openMirror(ctx context.Context, ref string, opt *image.Options) (role.Source, func() error, error) {
	c, err := image.PullCollection(ctx, ref, opt)
	if err != nil {
		return nil, nil, err
	}
	parts := make([]mirror.Part, len(c.Documents))
	for i, d := range c.Documents {
		parts[i] = mirror.Part{Name: d.Annotations[titleAnnotation], MediaType: d.MediaType, Digest: d.Digest, Size: d.Size,
			Open: func(ctx context.Context) (io.ReadCloser, error) { return c.Open(ctx, i) }}
	}
	src, err := mirror.FromParts(parts)
	if err == nil && c.Type != mirror.ArtifactType {
		err = fmt.Errorf("%s is no advisory data but %q: %w", ref, c.Type, image.ErrUnsupported)
	}
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	return src, c.Close, nil
}

// metered counts what is read of a source.
type metered struct {
	role.Source
	meter *meter
}

func (m metered) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	return m.meter.open(m.Source.Open(ctx, name))
}
