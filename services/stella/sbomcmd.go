package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

func (p *program) sbomCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sbom",
		Short: "Convert, compare, merge, check and judge SBOM documents",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.sbomConvert(), p.sbomDiff(), p.sbomMerge(), p.sbomValidate(), p.sbomQuality())
	return cmd
}

func (p *program) sbomConvert() *cobra.Command {
	var f outputFlags
	cmd := &cobra.Command{
		Use:     "convert FILE",
		Short:   "Write a document in another format, and say what that format cannot carry",
		Example: "  stella sbom convert sbom.spdx.json -o cyclonedx-json@1.6=sbom.cdx.json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			outputs, err := f.sbomOutputs()
			if err != nil {
				return err
			}
			doc, _, err := p.readSBOM(args[0])
			if err != nil {
				return err
			}
			return p.write(outputs, &result{Reference: args[0], Document: doc, Report: new(finding.Report)}, f.indent)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// sbomOutputs are outputs of a command that has a document and no findings.
func (f *outputFlags) sbomOutputs() ([]output, error) {
	if len(f.outputs) == 0 && f.sbomFormat == "" {
		f.outputs = []string{format.CycloneDXJSON}
	}
	outputs, err := f.parse()
	if err != nil {
		return nil, err
	}
	for _, o := range outputs {
		if o.format == "table" || o.format == "json" {
			return nil, usageError("output format %q: want packages, %s", o.format, strings.Join(format.Writable(), ", "))
		}
	}
	return outputs, nil
}

func (p *program) sbomDiff() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Say which packages two documents differ in: added, removed, version, licence, layer",
		Args:  usage(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			before, _, err := p.readSBOM(args[0])
			if err != nil {
				return err
			}
			after, _, err := p.readSBOM(args[1])
			if err != nil {
				return err
			}
			changes := sbom.Diff(before, after)
			if asJSON {
				if changes == nil {
					changes = []sbom.Change{}
				}
				return p.printJSON(changes)
			}
			p.printChanges(changes)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func (p *program) printJSON(v any) error { return writeJSON(p.stdout, v) }

func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (p *program) printChanges(changes []sbom.Change) {
	for _, c := range changes {
		name := clean(c.Name)
		switch c.Kind {
		case sbom.Added:
			fmt.Fprintf(p.stdout, "+ %s %s\n", name, clean(c.After.Version))
		case sbom.Removed:
			fmt.Fprintf(p.stdout, "- %s %s\n", name, clean(c.Before.Version))
		case sbom.VersionChanged:
			fmt.Fprintf(p.stdout, "~ %s %s -> %s\n", name, clean(c.Before.Version), clean(c.After.Version))
		default:
			fmt.Fprintf(p.stdout, "~ %s %s: other %s\n", name, clean(c.After.Version), c.Kind)
		}
	}
	if len(changes) == 0 {
		fmt.Fprintln(p.stdout, "no difference in packages")
	}
}

func (p *program) sbomMerge() *cobra.Command {
	var f outputFlags
	var name string
	cmd := &cobra.Command{
		Use:   "merge FILE FILE...",
		Short: "Put the packages of several documents into one",
		Args:  usage(cobra.MinimumNArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			outputs, err := f.sbomOutputs()
			if err != nil {
				return err
			}
			var docs []*sbom.Document
			for _, file := range args {
				doc, _, err := p.readSBOM(file)
				if err != nil {
					return err
				}
				docs = append(docs, doc)
			}
			merged, losses := sbom.Merge(sbom.Subject{Kind: sbom.SubjectOther, Name: name}, docs...)
			for _, l := range losses {
				fmt.Fprintf(p.stderr, "note: not merged: %s: %s\n", clean(l.Where), clean(l.What))
			}
			return p.write(outputs, &result{Reference: name, Document: merged, Report: new(finding.Report)}, f.indent)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&name, "name", "merged", "name of the new subject")
	return cmd
}

func (p *program) sbomValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE...",
		Short: "Read documents strictly and say what is inconsistent in them; exit 1 if anything is",
		Args:  usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			bad := 0
			for _, file := range args {
				doc, name, err := p.readSBOM(file)
				if err != nil {
					bad++
					fmt.Fprintln(p.stdout, clean(err.Error()))
					continue
				}
				problems := doc.Check()
				for _, problem := range problems {
					fmt.Fprintf(p.stdout, "%s: %s %s\n", clean(file), clean(problem.Where), clean(problem.What))
				}
				if len(problems) > 0 {
					bad++
					continue
				}
				fmt.Fprintf(p.stdout, "%s: %s, %d packages, %d relationships: consistent\n", clean(file), name, len(doc.Packages), len(doc.Relationships))
			}
			if bad > 0 {
				return &codeError{exitError, fmt.Errorf("%d of %d documents are not valid", bad, len(args))}
			}
			return nil
		},
	}
}
