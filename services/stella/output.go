package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/scan/sbom/format"
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
	fs.StringArrayVarP(&f.outputs, "output", "o", nil, "FORMAT[=FILE], may be repeated: table, packages, json, "+strings.Join(verdictFormats, ", ")+", "+strings.Join(format.Writable(), ", ")+" (with @VERSION); default table")
	fs.StringVar(&f.sbomFormat, "sbom-format", "", "write the SBOM to standard output in this format: spdx, cyclonedx or any of --output")
	fs.BoolVar(&f.indent, "pretty", false, "write JSON and XML with white space")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "no progress, no notes")
	fs.BoolVar(&f.noProgress, "no-progress", false, "no progress bars")
	fs.BoolVar(&f.noSource, "no-source", false, "leave out where the image was read from, so that every copy of it gives the same bytes")
}

// output is one place to write to; an empty file is standard output.
type output struct{ format, file string }

func (f *outputFlags) parse() ([]output, error) {
	var out []output
	stdout := 0
	specs := f.outputs
	if f.sbomFormat != "" {
		specs = append(specs, f.sbomFormat)
	}
	if len(specs) == 0 {
		specs = []string{"table"}
	}
	for _, spec := range specs {
		name, file, _ := strings.Cut(spec, "=")
		if !writable(name) {
			return nil, unknownFormat(name)
		}
		if file == "" {
			stdout++
		}
		out = append(out, output{name, file})
	}
	return out, onlyOne(stdout, out)
}

// onlyOne refuses several formats for standard output.
func onlyOne(stdout int, out []output) error {
	if stdout > 1 {
		return usageError("%d formats for standard output: give all but one a file, as in -o %s=FILE", stdout, out[0].format)
	}
	return nil
}

// parseOutputs reads FORMAT[=FILE] of a command that has formats of its own.
func parseOutputs(specs []string, byDefault string, formats ...string) ([]output, error) {
	if len(specs) == 0 {
		specs = []string{byDefault}
	}
	var out []output
	stdout := 0
	for _, spec := range specs {
		name, file, _ := strings.Cut(spec, "=")
		if !slices.Contains(formats, name) {
			hint := ""
			if strings.ContainsAny(name, "./") && file == "" {
				hint = fmt.Sprintf(" (a file is -o %s=%s)", byDefault, name)
			}
			return nil, usageError("output format %q: want %s%s", name, strings.Join(formats, ", "), hint)
		}
		if file == "" {
			stdout++
		}
		out = append(out, output{name, file})
	}
	return out, onlyOne(stdout, out)
}

// unknownFormat says which formats and versions there are instead.
func unknownFormat(name string) error {
	canonical, version, ok := format.Resolve(name)
	if known := format.Versions(canonical); ok && len(known) > 0 {
		return usageError("output format %q: %s has no version %q here, but %s", name, canonical, version, strings.Join(known, ", "))
	}
	return usageError("output format %q: want table, packages, json, %s, %s", name, strings.Join(verdictFormats, ", "), strings.Join(format.Writable(), ", "))
}

func writable(name string) bool {
	switch name {
	case "table", "packages", "json":
		return true
	}
	return slices.Contains(verdictFormats, name) || format.CanEncode(name)
}

// verdictFormats show what was decided.
var verdictFormats = []string{"verdict", "trace", "explain", "sarif", "junit", "csv", "markdown"}

// needsVerdict reports whether an output shows what was decided.
func needsVerdict(outputs []output) bool {
	return slices.ContainsFunc(outputs, func(o output) bool { return slices.Contains(verdictFormats, o.format) })
}

// write produces every output of a scan.
func (p *program) write(outputs []output, r *result, indent bool) error {
	return p.emit(outputs, func(w io.Writer, format string) error { return p.encode(w, format, r, indent) })
}

// emit has every output encoded. Files appear whole or not at all.
func (p *program) emit(outputs []output, encode func(w io.Writer, format string) error) error {
	for _, o := range outputs {
		if o.file == "" {
			if err := encode(p.stdout, o.format); err != nil {
				return err
			}
			continue
		}
		var b bytes.Buffer
		if err := encode(&b, o.format); err != nil {
			return err
		}
		if err := replaceFile(o.file, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) encode(w io.Writer, name string, r *result, indent bool) error {
	switch name {
	case "table":
		return p.table(w, r)
	case "packages":
		return p.packageTable(w, r)
	case "json":
		return encodeReport(w, r, indent)
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
