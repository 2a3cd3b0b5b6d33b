package main

import (
	"fmt"
	"strings"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/scan/sbom/quality"
)

const qualityHelp = `Say what a document lacks of what published guides ask of an SBOM: the minimum elements
of NTIA (ntia), TR-03183-2 of BSI (bsi) and OpenChain's Telco SBOM Guide (openchain).

Exit codes: 0 read; 1 error; 2 with --fail, when something that a guide requires is missing.`

func (p *program) sbomQuality() *cobra.Command {
	var names []string
	var asJSON, fail bool
	cmd := &cobra.Command{
		Use:     "quality FILE",
		Short:   "Say what a document lacks of what NTIA, BSI and OpenChain ask for",
		Long:    qualityHelp,
		Example: "  stella sbom quality sbom.cdx.json --guide bsi --fail",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			var guides []quality.Guide
			for _, n := range names {
				guides = append(guides, quality.Guide(n))
			}
			doc, _, err := p.readSBOM(args[0])
			if err != nil {
				return err
			}
			reports, err := quality.Assess(doc, guides...)
			if err != nil {
				return usageError("%v", err)
			}
			if asJSON {
				err = p.printJSON(reports)
			} else {
				p.printQuality(reports)
			}
			if err != nil || !fail {
				return err
			}
			return unmet(reports)
		},
	}
	cmd.Flags().StringSliceVar(&names, "guide", nil, "ntia, bsi or openchain; may be repeated (default all)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
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

func (p *program) printQuality(reports []quality.Report) {
	for i := range reports {
		r := &reports[i]
		if i > 0 {
			fmt.Fprintln(p.stdout)
		}
		fmt.Fprintln(p.stdout, r.Title)
		t := newTable("ELEMENT", "CLAUSE", "LEVEL", "HAVE", "MISSING, SUCH AS")
		for _, e := range r.Elements {
			var some []string
			for _, m := range e.Missing[:min(3, len(e.Missing))] {
				some = append(some, clean(m))
			}
			t.AppendRow(gotable.Row{e.Name, e.Clause, string(e.Level), fmt.Sprintf("%d of %d", e.Have, e.Of), strings.Join(some, ", ")})
		}
		fmt.Fprintln(p.stdout, t.Render())
	}
}
