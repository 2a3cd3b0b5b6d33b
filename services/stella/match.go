package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"
)

const matchHelp = `Match an SBOM with advisory data, and say what affects its packages and what was
not assessed. It is "stella scan sbom:FILE" for those who have the document
already; "-" reads standard input.

Exit codes: 0 pass, 1 error, 2 a finding reaches --fail-on or the policy blocks, 3
--fail-on or a policy was asked for and something that matters was not assessed, 64
wrong arguments.`

func (p *program) matchCommand() *cobra.Command {
	var output outputFlags
	var gate gateFlags
	var db dbFlags
	var decide decideFlags
	var offline bool
	cmd := &cobra.Command{
		Use:     "match FILE",
		Short:   "Match an SBOM document with advisory data",
		Long:    matchHelp,
		Example: "  stella match sbom.cdx.json --fail-on high\n  stella scan alpine -o cyclonedx-json | stella match - -o json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := output.parse()
			if err != nil {
				return err
			}
			limits, err := gate.parse()
			if err != nil {
				return err
			}
			if p.env("GOGC") == "" {
				debug.SetGCPercent(200) // a document and its findings stay until the end
			}
			if err := p.useKit(cmd.Context(), &db, &decide, offline); err != nil {
				return err
			}
			doc, _, err := p.readSBOM(args[0])
			if err != nil {
				return err
			}
			return p.conclude(cmd.Context(), args[0], doc, &decide, &db, limits, outputs, output.indent)
		},
	}
	output.register(cmd.Flags())
	gate.register(cmd.Flags())
	db.register(cmd.Flags())
	decide.register(cmd.Flags())
	cmd.Flags().BoolVar(&offline, "offline", false, "use the active offline kit (\"stella bundle load\") where nothing else is named; connections there are none")
	return cmd
}
