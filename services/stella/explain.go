package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
)

const explainHelp = `Say whether a vulnerability affects a package, on which records and comparisons
that rests, and why the other records about it do not apply. It answers for
what is no finding as well: "not affected" always has a reason, and where the
data cannot say, the answer is "not assessed".

PACKAGE is a package URL; with --sbom it is the package's id or URL in that
document. VULNERABILITY is any id: a CVE id, or the id or an alias of a record.
Packages of a distribution need to say which: ?distro=debian-12.

Exit codes: 0 affected or not affected, 1 error, 3 not assessed, or an id that no
record is about, 64 wrong arguments.`

func (p *program) explainCommand() *cobra.Command {
	var db dbFlags
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "explain PACKAGE VULNERABILITY",
		Short:   "Say why a vulnerability affects a package, or why not",
		Long:    explainHelp,
		Example: "  stella explain 'pkg:deb/debian/openssl@3.0.11-1?distro=debian-12' CVE-2023-5363\n  stella explain pkg:npm/lodash@4.17.20 CVE-2020-8203 --sbom app.cdx.json --json",
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := p.explain(cmd, &db, file, args[0], args[1])
			if err != nil {
				return err
			}
			if asJSON {
				err = p.printJSON(x)
			} else {
				err = x.WriteText(p.stdout)
			}
			if err == nil && (x.Conclusion == finding.NotAssessed || x.Conclusion == finding.UnknownID) {
				err = &codeError{code: exitNotAssessed}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "sbom", "", "take the package from this document; \"-\" is standard input")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	db.register(cmd.Flags())
	return cmd
}

// explain explains one package of a file, or the one that a package URL names.
func (p *program) explain(cmd *cobra.Command, db *dbFlags, file, pkg, vulnerability string) (*finding.Explanation, error) {
	if vulnerability == "" {
		return nil, usageError("no vulnerability is named")
	}
	doc, err := advisory.PackageDocument(pkg)
	switch {
	case file != "":
		if doc, _, err = p.readSBOM(file); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, &codeError{exitUsage, err}
	default:
		pkg = doc.Packages[0].ID
	}
	m := advisory.Matcher{Options: db.options(p.env)}
	snap, err := db.open(p.env)
	switch {
	case errors.Is(err, snapshot.ErrNotFound): // which the explanation says
	case err != nil:
		return nil, err
	default:
		defer snap.Close()
		m.View = snap
	}
	return m.Explain(cmd.Context(), doc, pkg, vulnerability)
}
