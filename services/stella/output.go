package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// outputFlags say what is written where.
type outputFlags struct {
	outputs    []string
	sbomFormat string
	indent     bool
	quiet      bool
	noProgress bool
	noSource   bool
}

func (f *outputFlags) register(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&f.outputs, "output", "o", nil, render.Usage(render.Table, "packages", strings.Join(verdictFormats, ", "), strings.Join(format.Writable(), ", ")+" (with @VERSION)"))
	fs.StringVar(&f.sbomFormat, "sbom-format", "", "write the SBOM to standard output in this format: spdx, cyclonedx or any of --output")
	fs.BoolVar(&f.indent, "pretty", false, "write JSON and XML with white space")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "no progress, no notes")
	fs.BoolVar(&f.noProgress, "no-progress", false, "no progress bars")
	fs.BoolVar(&f.noSource, "no-source", false, "leave out where the image was read from, so that every copy of it gives the same bytes")
}

// parse reads -o and --sbom-format of a command that has documents and findings.
func (f *outputFlags) parse() (render.Outputs, error) {
	specs := f.outputs
	if f.sbomFormat != "" {
		specs = append(slices.Clone(specs), f.sbomFormat)
	}
	out, err := render.Parse(specs, render.Table, func(name string) error {
		if !writable(name) {
			return unknownFormat(name)
		}
		return nil
	})
	return out, asUsage(err)
}

// asUsage makes an error one of the command line; nil stays nil.
func asUsage(err error) error {
	var coded *codeError
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return &codeError{exitUsage, err}
}

// outputFlag registers -o of a command that has one answer, with formats of its own or
// without.
func outputFlag(cmd *cobra.Command, specs *[]string, own ...string) {
	cmd.Flags().StringArrayVarP(specs, "output", "o", nil, render.Usage(render.Table, own...))
}

// parseOutputs reads -o of a command that has one answer.
func parseOutputs(specs []string, byDefault string, own ...string) (render.Outputs, error) {
	out, err := render.Parse(specs, byDefault, render.OneOf(byDefault, own...))
	return out, asUsage(err)
}

// say writes an answer to every output.
func (p *program) say(out render.Outputs, a *render.Answer) error {
	p.work.end()
	return out.Write(p.stdout, replaceFile, a)
}

// unknownFormat says which formats and versions there are instead.
func unknownFormat(name string) error {
	canonical, version, ok := format.Resolve(name)
	if known := format.Versions(canonical); ok && len(known) > 0 {
		return usageError("output format %q: %s has no version %q here, but %s", name, canonical, version, strings.Join(known, ", "))
	}
	return usageError("output format %q: want %s, packages, %s, %s", name, strings.Join(render.Common(), ", "), strings.Join(verdictFormats, ", "), strings.Join(format.Writable(), ", "))
}

func writable(name string) bool {
	return name == "packages" || slices.Contains(verdictFormats, name) || format.CanEncode(name)
}

// verdictFormats show what was decided.
var verdictFormats = []string{"verdict", "trace", "explain", "sarif", "junit", "csv", "markdown"}

// needsVerdict reports whether an output shows what was decided.
func needsVerdict(outputs render.Outputs) bool { return outputs.Has(verdictFormats...) }

// write produces every output of a scan.
func (p *program) write(outputs render.Outputs, r *result, indent bool) error {
	return p.say(outputs, p.scanAnswer(r, indent))
}

// scanAnswer is what a scan has to say.
func (p *program) scanAnswer(r *result, indent bool) *render.Answer {
	return &render.Answer{
		Encode: func(w io.Writer) error { return encodeReport(w, r, indent) },
		Lines:  func(w io.Writer) error { return findingLines(w, r.Report.Findings) },
		Table:  func(w io.Writer) error { return p.table(w, r) },
		Other:  func(w io.Writer, name string) error { return p.encode(w, name, r, indent) },
	}
}

// encode writes a scan in a format that is no common one.
func (p *program) encode(w io.Writer, name string, r *result, indent bool) error {
	if name == "packages" {
		return p.packageTable(w, r)
	}
	if slices.Contains(verdictFormats, name) {
		return encodeVerdict(w, name, r)
	}
	losses, err := format.Encode(w, r.Document, name, &format.Options{Indent: indent, Created: sourceDate(p.env("SOURCE_DATE_EPOCH"))})
	if err != nil {
		return err
	}
	for _, l := range losses {
		fmt.Fprintf(p.stderr, "note: %s cannot carry: %s: %s\n", name, clean(l.Where), clean(l.What))
	}
	return nil
}

// sayOr writes an answer, or passes the error on that came in its place.
func (p *program) sayOr(out render.Outputs) func(*render.Answer, error) error {
	return func(a *render.Answer, err error) error {
		if err != nil {
			return err
		}
		return p.say(out, a)
	}
}

// sourceDate turns SOURCE_DATE_EPOCH into RFC 3339, or "" when it is not set
// or not a number (https://reproducible-builds.org/specs/source-date-epoch/).
func sourceDate(epoch string) string {
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}

// replaceFile writes a file beside the old one and renames it, so that nobody
// reads half of it. A link leads to the file that is replaced. What is no regular
// file, such as /dev/null or a pipe, is written to and stays what it is.
func replaceFile(name string, data []byte) error {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		if !info.Mode().IsRegular() {
			return writeInto(name, data)
		}
		mode = info.Mode().Perm()
		if target, err := filepath.EvalSymlinks(name); err == nil {
			name = target
		}
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// writeInto writes to a device or a pipe.
func writeInto(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
