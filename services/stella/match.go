package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const matchHelp = `Match an SBOM with advisory data, and say what affects its packages and what was
not assessed. It is "stella scan sbom:FILE" for those who have the document
already.

` + storedHelp + ` With --server the server matches, by
its data, and decides nothing: policies decide there about scans.

Exit codes: 0 pass, 1 error, 2 a finding reaches --fail-on or the policy blocks, 3
--fail-on or a policy was asked for and something that matters was not assessed, 64
wrong arguments.`

func (p *program) matchCommand() *cobra.Command {
	var output outputFlags
	var gate gateFlags
	var db dbFlags
	var decide decideFlags
	var offline bool
	var server eitherFlags
	cmd := &cobra.Command{
		Use:     "match FILE",
		Short:   "Match an SBOM document with advisory data",
		Long:    matchHelp,
		Example: "  stella match sbom.cdx.json --fail-on high\n  stella scan alpine -o cyclonedx-json | stella match - -o json\n  stella match sbom.spdx.json --server https://stella.example -o ndjson",
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
			remote, err := server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			if remote {
				return p.matchAt(cmd.Context(), &server.serverFlags, args[0], &db, limits, outputs, output.indent)
			}
			if p.env("GOGC") == "" {
				debug.SetGCPercent(200) // a document and its findings stay until the end
			}
			if err := p.useKit(cmd.Context(), &db, &decide, offline); err != nil {
				return err
			}
			doc, err := p.readStored(cmd.Context(), &server.serverFlags, args[0])
			if err != nil {
				return err
			}
			return p.conclude(cmd.Context(), args[0], doc, &decide, &db, limits, outputs, output.indent)
		},
	}
	db.register(cmd.Flags())
	decide.register(cmd.Flags())
	cmd.Flags().BoolVar(&offline, "offline", false, "use the active offline kit (\"stella bundle load\") where nothing else is named; connections there are none")
	server.register(cmd.Flags(), "match-owned", "cpe")
	output.register(cmd.Flags())
	gate.register(cmd.Flags())
	return cmd
}

// matchAt has a server match a document.
func (p *program) matchAt(ctx context.Context, f *serverFlags, name string, db *dbFlags, gate *gate, outputs render.Outputs, indent bool) error {
	if needsVerdict(outputs) {
		return usageError("nothing is decided about a document at a server: \"stella scan --server\" has it decide about an image (--server= decides here)")
	}
	in, err := p.openSBOM(ctx, f, name)
	if err != nil {
		return err
	}
	defer in.Close()
	text, err := bounded(in, maxDocument)
	if err != nil {
		return fmt.Errorf("%s: %w", clean(name), err)
	}
	doc, _, err := format.Decode(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", clean(name), err)
	}
	r, err := p.connect(ctx, f)
	if err != nil {
		return err
	}
	report, err := r.advisories.Match(ctx, text, &advisoryhttp.Options{MatchOwned: db.matchOwned, CPE: db.cpe})
	if err != nil {
		return r.explain(err)
	}
	out := &result{Reference: name, Document: doc, Report: gate.filter(report)}
	if err := p.write(outputs, out, indent); err != nil {
		return err
	}
	return gate.decide(out)
}
