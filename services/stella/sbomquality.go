package main

import (
	"fmt"
	"io"
	"strings"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/scan/sbom/quality"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const qualityHelp = `Say what a document lacks of what published guides ask of an SBOM: the minimum elements
of NTIA (ntia), TR-03183-2 of BSI (bsi) and OpenChain's Telco SBOM Guide (openchain).

` + storedHelp + `

Exit codes: 0 read; 1 error; 2 with --fail, when something that a guide requires is missing; 64
wrong arguments.`

func (p *program) sbomQuality() *cobra.Command {
	var names []string
	var outputs []string
	var server serverFlags
	var fail bool
	cmd := &cobra.Command{
		Use:     "quality FILE",
		Short:   "Say what a document lacks of what NTIA, BSI and OpenChain ask for",
		Long:    qualityHelp,
		Example: "  stella sbom quality sbom.cdx.json --guide bsi --fail",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			var guides []quality.Guide
			for _, n := range names {
				guides = append(guides, quality.Guide(n))
			}
			doc, err := p.readStored(cmd.Context(), &server, args[0])
			if err != nil {
				return err
			}
			reports, err := quality.Assess(doc, guides...)
			if err != nil {
				return usageError("%v", err)
			}
			err = p.say(out, &render.Answer{Value: reports, Table: func(w io.Writer) error { return printQuality(w, reports) }})
			if err != nil || !fail {
				return err
			}
			return unmet(reports)
		},
	}
	cmd.Flags().StringSliceVar(&names, "guide", nil, "ntia, bsi or openchain; may be repeated (default all)")
	outputFlag(cmd, &outputs)
	server.register(cmd.Flags())
	cmd.Flags().BoolVar(&fail, "fail", false, "exit 2 when something required is missing")
	return cmd
}

// unmet is the gate's no where a guide is not met.
func unmet(reports []quality.Report) error {
	var list []string
	for i := range reports {
		if !reports[i].Met() {
			list = append(list, string(reports[i].Guide))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &codeError{exitBlocked, fmt.Errorf("something required is missing: %s", strings.Join(list, ", "))}
}

func printQuality(w io.Writer, reports []quality.Report) error {
	var b strings.Builder
	for i := range reports {
		r := &reports[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(r.Title + "\n")
		t := newTable("ELEMENT", "CLAUSE", "LEVEL", "HAVE", "MISSING, SUCH AS")
		for _, e := range r.Elements {
			var some []string
			for _, m := range e.Missing[:min(3, len(e.Missing))] {
				some = append(some, clean(m))
			}
			t.AppendRow(gotable.Row{e.Name, e.Clause, string(e.Level), fmt.Sprintf("%d of %d", e.Have, e.Of), strings.Join(some, ", ")})
		}
		b.WriteString(t.Render() + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
