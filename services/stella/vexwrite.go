package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
	vexcsaf "github.com/stella-ops/stella/vex/csaf"
	vexcyclonedx "github.com/stella-ops/stella/vex/cyclonedx"
	"github.com/stella-ops/stella/vex/openvex"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
)

// statementsOf collects the statements of views, about some ids or all.
func statementsOf(ctx context.Context, views []vex.View, ids []string) ([]*vex.Statement, error) {
	var out []*vex.Statement
	for _, view := range views {
		var list []*vex.Statement
		var err error
		switch all := view.(type) {
		case *vex.Set:
			list = all.All()
		case *vexsnapshot.Snapshot:
			for s, e := range all.All() {
				if err = e; err != nil {
					break
				}
				list = append(list, s)
			}
		}
		if len(ids) > 0 {
			list, err = view.Statements(ctx, ids)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return vex.NewSet(out).All(), nil
}

// writeValue writes a value with its own rules for JSON.
func writeValue(w io.Writer, v any) error {
	err := json.MarshalWrite(w, v, jsontext.WithIndent("  "))
	if err == nil {
		_, err = io.WriteString(w, "\n")
	}
	return err
}

// addFlags describe a statement.
type addFlags struct {
	author, role         string
	products, parts      []string
	vulnerability        string
	aliases              []string
	status               string
	justification        string
	impact, action, note string
}

func (p *program) vexAdd() *cobra.Command {
	var f addFlags
	cmd := &cobra.Command{
		Use:     "add FILE",
		Short:   "Write a statement into an OpenVEX document; the document is made where there is none",
		Long:    "Write a statement into an OpenVEX document; the document is made where there is none.\nThe time is SOURCE_DATE_EPOCH where that is set, else now. \"stella vex verify\" reads it back.",
		Example: "  stella vex add app.vex.json --author 'Security <security@example.com>' --vulnerability CVE-2026-0001 \\\n    --product pkg:oci/app?repository_url=registry.example.com/app --subcomponent pkg:npm/foo@1.0.0 \\\n    --status not_affected --justification vulnerable_code_not_in_execute_path",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, err := p.readOpenVEX(args[0])
			if err != nil {
				return err
			}
			at := (&dbFlags{}).options(p.env).At.UTC()
			s, err := f.statement()
			if err != nil {
				return &codeError{exitUsage, err}
			}
			s.Time = at
			if f.author != "" {
				doc.Author = f.author
			}
			doc.Timestamp, doc.Role = at, f.role
			doc.Version++
			doc.Statements = append(doc.Statements, s)
			var b bytes.Buffer
			if err := openvex.Encode(&b, doc); err != nil {
				return &codeError{exitUsage, err}
			}
			if err := replaceFile(args[0], b.Bytes()); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%s: %d statements\n", args[0], len(doc.Statements))
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.author, "author", "", "who says so")
	fs.StringVar(&f.role, "role", "", "the author's role")
	fs.StringVar(&f.vulnerability, "vulnerability", "", "the vulnerability's id")
	fs.StringSliceVar(&f.aliases, "alias", nil, "its other ids")
	fs.StringArrayVar(&f.products, "product", nil, "a package URL, a CPE name or a digest; may be repeated")
	fs.StringArrayVar(&f.parts, "subcomponent", nil, "the part of the products that is meant; may be repeated")
	fs.StringVar(&f.status, "status", "", "not_affected, affected, fixed or under_investigation")
	fs.StringVar(&f.justification, "justification", "", "why it is not affected: "+strings.Join(words(vex.Justifications), ", "))
	fs.StringVar(&f.impact, "impact", "", "why it is not affected, in words")
	fs.StringVar(&f.action, "action", "", "what to do about it")
	fs.StringVar(&f.note, "note", "", "notes about the status")
	return cmd
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = string(x)
	}
	return out
}

func (f *addFlags) statement() (*vex.Statement, error) {
	s := &vex.Statement{
		Vulnerability: f.vulnerability, Aliases: slices.Clone(f.aliases), Status: vex.Status(f.status), Justification: vex.Justification(f.justification),
		Impact: f.impact, Action: f.action, Notes: f.note,
	}
	for _, name := range f.products {
		product := productOf(name)
		for _, part := range f.parts {
			product.Subcomponents = append(product.Subcomponents, productOf(part))
		}
		s.Products = append(s.Products, product)
	}
	if err := s.Prepare(); err != nil {
		return nil, err
	}
	for i := range s.Products {
		if !s.Products[i].Identified() {
			return nil, fmt.Errorf("product %q: want a package URL, a CPE name or a digest", f.products[i])
		}
		for k := range s.Products[i].Subcomponents {
			if !s.Products[i].Subcomponents[k].Identified() {
				return nil, fmt.Errorf("subcomponent %q: want a package URL, a CPE name or a digest", f.parts[k])
			}
		}
	}
	if s.Status == vex.NotAffected && s.Justification == "" && s.Impact == "" {
		return nil, errors.New("not_affected: want --justification or --impact")
	}
	return s, nil
}

func productOf(name string) vex.Product {
	switch {
	case strings.HasPrefix(name, "cpe:"):
		return vex.Product{CPE: name}
	case strings.HasPrefix(name, "sha256:"):
		return vex.Product{Digests: []string{name}}
	}
	return vex.Product{PURL: name}
}

// readOpenVEX reads a document that is to be added to.
func (p *program) readOpenVEX(name string) (*openvex.Document, error) {
	doc := new(openvex.Document)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return doc, nil
	}
	if err != nil {
		return nil, err
	}
	for s, err := range openvex.Decode(name, text, nil) {
		if err != nil {
			return nil, fmt.Errorf("%w: nothing is added to what cannot be read whole", err)
		}
		doc.ID, doc.Author = s.Origin.ID, s.Origin.Author
		if _, err := fmt.Sscan(s.Origin.Version, &doc.Version); err != nil {
			doc.Version = 1
		}
		doc.Statements = append(doc.Statements, s)
	}
	return doc, nil
}

const vexExportHelp = `Write statements as a VEX document: those of documents, and decisions that were taken
as exceptions. An exception can be published where it says why the product is not
affected (its justification), and names vulnerabilities and products without
wildcards; the others are named on standard error.`

func (p *program) vexExport() *cobra.Command {
	var f decideFlags
	var author, to, id, namespace string
	var forever bool
	cmd := &cobra.Command{
		Use:     "export [FILE...]",
		Short:   "Write statements and accepted exceptions as OpenVEX, CSAF or CycloneDX",
		Long:    vexExportHelp,
		Example: "  stella vex export --exceptions exceptions.yaml --author 'Security <security@example.com>'\n  stella vex export app.vex.json --format csaf --author Example",
		Args:    usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			at := (&dbFlags{}).options(p.env).At.UTC()
			who, err := p.readTrust(&f.vex, &dbFlags{})
			if err != nil {
				return err
			}
			set, problems, err := p.readVEX(cmd.Context(), &vexFlags{files: args}, who, at)
			if err != nil {
				return err
			}
			for _, s := range problems {
				p.note("%s", s)
			}
			list := slices.Clone(set.All())
			exceptions, err := p.readExceptions(&f, at)
			if err != nil {
				return err
			}
			for i := range exceptions {
				list = append(list, p.published(&exceptions[i], to, forever)...)
			}
			if len(list) == 0 {
				return errors.New("there is nothing to export")
			}
			var b bytes.Buffer
			switch to {
			case "openvex":
				err = openvex.Encode(&b, &openvex.Document{ID: id, Author: author, Timestamp: at, Statements: list})
			case "csaf":
				err = vexcsaf.Encode(&b, &vexcsaf.Document{ID: cmp.Or(id, "vex-"+at.Format(time.DateOnly)), Title: "VEX of " + author, Publisher: author, Namespace: namespace, Timestamp: at, Statements: list})
			case "cyclonedx":
				err = vexcyclonedx.Encode(&b, &vexcyclonedx.Document{Serial: id, Author: author, Timestamp: at, Statements: list})
			default:
				return usageError("--format %q: want openvex, csaf or cyclonedx", to)
			}
			if err != nil {
				return &codeError{exitUsage, err}
			}
			_, err = p.stdout.Write(b.Bytes())
			return err
		},
	}
	fs := cmd.Flags()
	fs.StringArrayVar(&f.exceptions, "exceptions", nil, "a YAML file of exceptions; may be repeated")
	fs.StringVar(&author, "author", "", "who says so")
	fs.StringVar(&id, "id", "", "the document's id")
	fs.StringVar(&namespace, "namespace", "", "a URI of the publisher's own, which CSAF asks for")
	fs.BoolVar(&forever, "without-end", false, "export exceptions that expire as well: their end is lost, and the assurance holds for ever")
	fs.StringVar(&to, "format", "openvex", "openvex, csaf or cyclonedx")
	fs.StringVar(&f.vex.trust, "trust", "", "the file with the keys of issuers")
	return cmd
}

// published are the statements of an exception. No format says until when an assurance
// is valid, so one that ends is left out unless its end may be lost.
func (p *program) published(e *policy.Exception, to string, forever bool) []*vex.Statement {
	list, err := e.Statements()
	if err == nil && !e.Expires.IsZero() && !forever {
		err = fmt.Errorf("%s cannot say that it ends on %s (--without-end exports it all the same)", to, e.Expires.Format(time.DateOnly))
	}
	if err != nil {
		p.note("exception %s is not exported: %v", e.ID, err)
		return nil
	}
	for _, s := range list {
		s.Until = time.Time{}
	}
	return list
}
