package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

func (p *program) sbomCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sbom",
		Short: "Convert, compare, merge, enrich, validate and judge SBOM documents",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.sbomConvert(), p.sbomDiff(), p.sbomMerge(), p.sbomEnrich(), p.sbomValidate(), p.sbomQuality())
	return cmd
}

func (p *program) sbomConvert() *cobra.Command {
	var f outputFlags
	var used bool
	cmd := &cobra.Command{
		Use:     "convert FILE",
		Short:   "Write a document in another format, and say what that format cannot carry",
		Example: "  stella sbom convert sbom.spdx.json -o cyclonedx-json@1.6=sbom.cdx.json\n  stella sbom convert sbom.spdx.json --used -o spdx-json",
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
			if used {
				if !doc.Looked().Programs {
					return fmt.Errorf("%s does not say what is used: nobody looked: %w", args[0], fault.Invalid)
				}
				doc = doc.Used()
			}
			return p.write(outputs, &result{Reference: args[0], Document: doc, Report: new(finding.Report)}, f.indent)
		},
	}
	cmd.Flags().BoolVar(&used, "used", false, "without packages that what the image starts does not lead to")
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
