package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/services/stella/internal/render"
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
	var server serverFlags
	var used bool
	cmd := &cobra.Command{
		Use:     "convert FILE",
		Short:   "Write a document in another format, and say what that format cannot carry",
		Long:    "Write a document in another format, and say what that format cannot carry.\n\n" + storedHelp + "\n\nExit codes: 0 written, 1 error, 64 wrong arguments.",
		Example: "  stella sbom convert scan:scan-01JE4Z --server https://stella.example -o spdx-json=sbom.spdx.json\n  stella sbom convert sbom.spdx.json -o cyclonedx-json@1.6=sbom.cdx.json\n  stella sbom convert sbom.spdx.json --used -o spdx-json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := f.sbomOutputs()
			if err != nil {
				return err
			}
			doc, err := p.readStored(cmd.Context(), &server, args[0])
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
	server.register(cmd.Flags())
	return cmd
}

// sbomOutputs are outputs of a command that has a document and no findings.
func (f *outputFlags) sbomOutputs() (render.Outputs, error) {
	if len(f.outputs) == 0 && f.sbomFormat == "" {
		f.outputs = []string{format.CycloneDXJSON}
	}
	outputs, err := f.parse()
	if err != nil {
		return nil, err
	}
	for _, o := range outputs {
		if slices.Contains(render.Common(), o.Format) {
			return nil, usageError("output format %q: want packages, %s", o.Format, strings.Join(format.Writable(), ", "))
		}
	}
	return outputs, nil
}

func (p *program) sbomMerge() *cobra.Command {
	var f outputFlags
	var server serverFlags
	var name string
	cmd := &cobra.Command{
		Use:     "merge FILE FILE...",
		Short:   "Put the packages of several documents into one",
		Long:    "Put the packages of several documents into one, and say what is left out.\n\n" + storedHelp + "\n\nExit codes: 0 written, 1 error, 64 wrong arguments.",
		Example: "  stella sbom merge base.cdx.json app.cdx.json --name shop -o cyclonedx-json=shop.cdx.json",
		Args:    usage(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := f.sbomOutputs()
			if err != nil {
				return err
			}
			var docs []*sbom.Document
			for _, file := range args {
				doc, err := p.readStored(cmd.Context(), &server, file)
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
	server.register(cmd.Flags())
	cmd.Flags().StringVar(&name, "name", "merged", "name of the new subject")
	return cmd
}
