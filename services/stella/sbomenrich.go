package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom/enrich"
)

const enrichHelp = `Add what other documents (--from) or rules (--rules) know of packages: licences, CPEs,
package URLs of packages without one, digests, properties, supplier and other texts.
Names, versions and package URLs that are there stay. What a source says otherwise is
told and left out, unless --replace says to take it. Sources are asked in the order:
rules first, then documents, each in the order given; the first that says something wins.

Rules are a JSON file:

  {"schema": "stella-sbom-rules/1", "rules": [
    {"match": {"purl": "pkg:npm/left-pad"}, "set": {"licenses": [{"expression": "WTFPL"}]}},
    {"match": {"ecosystem": "deb", "namespace": "debian"}, "set": {"supplier": "Debian"}}]}

A rule matches by purl, ecosystem, namespace, name, version and type, all that it gives.

` + storedHelp + `

Exit codes: 0 written, 1 error, 64 wrong arguments.`

func (p *program) sbomEnrich() *cobra.Command {
	var f outputFlags
	var server serverFlags
	var documents, rules []string
	var replace bool
	cmd := &cobra.Command{
		Use:     "enrich FILE",
		Short:   "Add licences, suppliers, CPEs and more from other documents or rules, and say what came from where",
		Long:    enrichHelp,
		Example: "  stella sbom enrich sbom.cdx.json --rules ours.json --from vendor.spdx.json -o cyclonedx-json=full.cdx.json",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outputs, err := f.sbomOutputs()
			if err != nil {
				return err
			}
			if len(documents)+len(rules) == 0 {
				return usageError("nothing to add: give --from or --rules")
			}
			sources, err := p.enrichSources(rules, documents)
			if err != nil {
				return err
			}
			doc, err := p.readStored(cmd.Context(), &server, args[0])
			if err != nil {
				return err
			}
			out, report, err := enrich.Apply(doc, enrich.Options{Replace: replace}, sources...)
			if err != nil {
				return err
			}
			if !f.quiet {
				p.printEnriched(report)
			}
			return p.write(outputs, &result{Reference: args[0], Document: out, Report: new(finding.Report)}, f.indent)
		},
	}
	f.register(cmd.Flags())
	server.register(cmd.Flags())
	cmd.Flags().StringArrayVar(&documents, "from", nil, "a document that knows more; may be repeated")
	cmd.Flags().StringArrayVar(&rules, "rules", nil, "a file of rules; may be repeated")
	cmd.Flags().BoolVar(&replace, "replace", false, "take what a source says over what the document says")
	return cmd
}

func (p *program) enrichSources(rules, documents []string) ([]enrich.Source, error) {
	var sources []enrich.Source
	for _, file := range rules {
		data, err := p.readBounded(file, maxValidated)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list, err := enrich.ReadRules(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if len(list) > 0 {
			sources = append(sources, enrich.Source{Name: file, Rules: list})
		}
	}
	for _, file := range documents {
		doc, _, err := p.readSBOM(file)
		if err != nil {
			return nil, err
		}
		sources = append(sources, enrich.Source{Name: file, Document: doc})
	}
	return sources, nil
}

// printEnriched tells on standard error what was changed and what was not.
func (p *program) printEnriched(r *enrich.Report) {
	tell := func(what string, list []enrich.Change) {
		for _, c := range list {
			was := ""
			if c.Was != "" {
				was = " (was " + c.Was + ")"
				if what == "kept" {
					was = " (is " + c.Was + ")"
				}
			}
			fmt.Fprintf(p.stderr, "%s: %s\n", what, clean(fmt.Sprintf("%s: %s %s%s, by %s", c.Name, c.Field, c.Said, was, c.Source)))
		}
	}
	tell("set", r.Changes)
	tell("kept", r.Conflicts)
	for _, name := range r.Unused {
		fmt.Fprintf(p.stderr, "note: no package fits rule %s\n", clean(name))
	}
	fmt.Fprintf(p.stderr, "%d set, %d kept as they are\n", len(r.Changes), len(r.Conflicts))
}
