package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/filelock"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const bundlePushHelp = `Keep an offline kit in a registry, or in an OCI layout (oci:FOLDER[:TAG]), under the
tag of REF, "latest" without one, and under its number: 7, or TAG-7. What the
registry has of the kits before is not sent again, so push whole kits: a delta is
for what is carried.`

// kitFlags say how the registry is asked.
type kitFlags struct {
	source  sourceFlags
	quiet   bool
	outputs []string
}

func (f *kitFlags) register(cmd *cobra.Command) {
	f.source.registerNetwork(cmd.Flags())
	outputFlag(cmd, &f.outputs)
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
}

// movedKit is what pushing and pulling a kit have to say.
type movedKit struct {
	Reference string `json:"reference"` // with the digest of the artifact
	Kit       string `json:"kit"`       // digest of its kit.json
	Size      int64  `json:"size"`      // bytes of the parts
	Moved     int64  `json:"moved"`     // those that were not there
}

func (m *movedKit) answer(done string) *render.Answer {
	return &render.Answer{Value: m, Table: func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "kit %s\n%s: %d of %d bytes %s\n", m.Kit, clean(m.Reference), m.Moved, m.Size, done)
		return err
	}}
}

func (p *program) bundlePush() *cobra.Command {
	var f kitFlags
	cmd := &cobra.Command{
		Use:     "push FILE REF",
		Short:   "Keep an offline kit in a registry",
		Long:    bundlePushHelp,
		Example: "  stella bundle push kit.tar registry.example/kits",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outs, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			out, err := p.pushKit(cmd.Context(), args[0], args[1], &f)
			if err != nil {
				return err
			}
			return p.say(outs, out.answer("sent"))
		},
	}
	f.register(cmd)
	return cmd
}

func (p *program) pushKit(ctx context.Context, file, ref string, f *kitFlags) (*movedKit, error) {
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	parts, err := kit.Split(ctx, r)
	if err != nil {
		return nil, refused(fmt.Errorf("%s: %w", file, err))
	}
	meter := p.meter("sent", f.quiet)
	defer meter.stop()
	out := &movedKit{Kit: parts[0].Digest}
	c := image.Collection{Type: kit.ArtifactType, Version: kitNumber(parts)}
	for _, part := range parts {
		out.Size += part.Size
		c.Documents = append(c.Documents, image.Artifact{
			MediaType: part.MediaType(), Digest: part.Digest, Size: part.Size, Annotations: map[string]string{titleAnnotation: part.Name},
			Open: func(context.Context) (io.ReadCloser, error) {
				return meter.open(io.NopCloser(io.NewSectionReader(r, part.Offset, part.Size)), nil)
			},
		})
	}
	at, err := image.PushCollection(ctx, ref, c, f.source.options())
	if err != nil {
		return nil, err
	}
	out.Moved = meter.bytes()
	out.Reference = strings.TrimPrefix(at.Registry+"/"+at.Repository+"@"+at.Manifest, "/")
	return out, nil
}

// kitNumber is the version of a kit, as the name of its targets says.
func kitNumber(parts []kit.Part) string {
	for _, part := range parts {
		if number, ok := strings.CutSuffix(part.Name, ".targets.json"); ok {
			if n, err := strconv.ParseInt(number, 10, 64); err == nil {
				return strconv.FormatInt(n, 10)
			}
		}
	}
	return ""
}

const bundlePullHelp = `Fetch an offline kit from a registry, or from an OCI layout (oci:FOLDER[:TAG]), where
"stella bundle push" has put it. What FILE, or an interrupted pull, has of it already is
not read again. Nothing is believed: "stella bundle verify" and "load" check the
signatures of the file, as of any other kit.

Exit codes: 0 it is there, 1 error, 4 what came is not what was named, 64 wrong arguments.`

func (p *program) bundlePull() *cobra.Command {
	var f kitFlags
	cmd := &cobra.Command{
		Use:     "pull REF FILE",
		Short:   "Fetch an offline kit from a registry",
		Long:    bundlePullHelp,
		Example: "  stella bundle pull registry.example/kits kit.tar",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outs, err := parseOutputs(f.outputs, render.Table)
			if err != nil {
				return err
			}
			out, err := p.pullKit(cmd.Context(), args[0], args[1], &f)
			if err != nil {
				return refused(err)
			}
			return p.say(outs, out.answer("read"))
		},
	}
	f.register(cmd)
	return cmd
}

func (p *program) pullKit(ctx context.Context, ref, file string, f *kitFlags) (*movedKit, error) {
	c, err := image.PullCollection(ctx, ref, f.source.options())
	if errors.Is(err, image.ErrNotFound) {
		return nil, fmt.Errorf("%w (is the name right, and was \"stella bundle push\" there?)", err)
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if c.Type != kit.ArtifactType {
		return nil, fmt.Errorf("%s is no offline kit but %q: %w", ref, c.Type, image.ErrUnsupported)
	}
	out := &movedKit{Reference: strings.TrimPrefix(c.Registry+"/"+c.Repository+"@"+c.Manifest, "/")}
	parts := make([]kit.Part, len(c.Documents))
	number := map[string]int{}
	for i, d := range c.Documents {
		parts[i] = kit.Part{Name: d.Annotations[titleAnnotation], Digest: d.Digest, Size: d.Size}
		number[d.Digest] = i
		out.Size += d.Size
	}
	w, err := openPart(file + partSuffix)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	have := haves{}
	defer have.close()
	for _, name := range []string{file + oldSuffix, file} {
		have.add(ctx, name)
	}
	meter := p.meter("read", f.quiet)
	defer meter.stop()
	err = kit.Join(ctx, w, parts, func(ctx context.Context, p kit.Part) (io.ReadCloser, error) {
		if r := have.open(p); r != nil {
			return r, nil
		}
		return meter.open(c.Open(ctx, number[p.Digest]))
	})
	if err == nil {
		err = w.Sync()
	}
	if err == nil {
		err = os.Chmod(w.Name(), 0o644)
	}
	if err == nil && runtime.GOOS == "windows" {
		err = w.Close() // there an open file cannot be renamed; elsewhere the lock holds until it is
	}
	if err == nil {
		err = durable.Rename(w.Name(), file)
	}
	if err != nil {
		return nil, err
	}
	out.Kit, out.Moved = parts[0].Digest, meter.bytes()
	if err := os.Remove(file + oldSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return out, nil
}

// What is not whole yet is beside the file that it is to be: what is written, and the
// most that was written before it was interrupted.
const (
	partSuffix = ".part"
	oldSuffix  = ".part.old"
)

// openPart opens a file to be written from its start, by nobody else at the same time.
// What it has is put aside, if that is more than what lies there.
func openPart(name string) (f *os.File, err error) {
	if f, err = os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := filelock.Try(f); err != nil && !errors.Is(err, filelock.ErrUnsupported) {
		return nil, fmt.Errorf("another pull writes %s: wait until it is done: %w", name, err)
	}
	mine, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if there, err := os.Stat(name); err != nil || !os.SameFile(mine, there) {
		return nil, fmt.Errorf("another pull has just written %s: try again", name)
	}
	aside := strings.TrimSuffix(name, partSuffix) + oldSuffix
	if old, err := os.Stat(aside); mine.Size() > 0 && (err != nil || old.Size() < mine.Size()) {
		if err := durable.Replace(aside, func(w io.Writer) error { _, err := io.Copy(w, f); return err }); err != nil {
			return nil, err
		}
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, err
}

// haves are files that have parts of a kit already, by the parts' digests.
type haves struct {
	files []*os.File
	parts map[string]*io.SectionReader
}

// add looks what a file has; one that is not there, or is no kit, has nothing.
func (h *haves) add(ctx context.Context, name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	h.files = append(h.files, f)
	list, err := kit.Split(ctx, f)
	if err != nil && role.ReasonOf(err) == "" {
		return // it cannot be read
	}
	if h.parts == nil {
		h.parts = map[string]*io.SectionReader{}
	}
	for _, p := range list {
		h.parts[p.Digest] = io.NewSectionReader(f, p.Offset, p.Size)
	}
}

// open returns nil where no file has the part.
func (h *haves) open(p kit.Part) io.ReadCloser {
	r := h.parts[p.Digest]
	if r == nil || r.Size() != p.Size {
		return nil
	}
	return io.NopCloser(io.NewSectionReader(r, 0, p.Size))
}

func (h *haves) close() {
	for _, f := range h.files {
		f.Close()
	}
}
