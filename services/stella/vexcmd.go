package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	gotable "github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/services/stella/internal/render"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/trust"
)

func (p *program) vexCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vex",
		Short: "Read, check, write and weigh what suppliers say about vulnerabilities (VEX)",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.vexResolve(), p.vexList(), p.vexVerify(), p.vexAdd(), p.vexExport(), p.vexImport(), p.vexUpdate(), p.vexConsensus(), p.vexTrust())
	return cmd
}

const vexResolveHelp = `Decide between what suppliers say about one vulnerability of one package, by whom
the trust document believes, and say what every statement about it is worth and why.

PACKAGE is a package URL with a version. --image-name, --image-digest and --owner say
what contains it, for statements about images and applications. With --server it is
decided between what the server has, public and the tenant's own, by whom the tenant
believes.

Exit codes: 0 somebody decides, 3 nobody who is entitled says anything, 1 error, 64
wrong arguments.`

// resolved is what "vex resolve -o json" writes.
type resolved struct {
	Status     vex.Status     `json:"status,omitempty"`
	Value      string         `json:"value"`
	Tier       int            `json:"tier,omitempty"`
	Disputed   bool           `json:"disputed,omitempty"`
	Signed     bool           `json:"signed,omitempty"`
	NextChange string         `json:"next_change_at,omitempty"`
	Claims     []resolvedOne  `json:"claims"`
	Others     []resolvedElse `json:"others,omitempty"`
}

type resolvedOne struct {
	Statement string       `json:"statement"`
	Document  string       `json:"document"`
	Author    string       `json:"author,omitempty"`
	Issuer    string       `json:"issuer,omitempty"`
	Tier      int          `json:"tier,omitempty"`
	Status    vex.Status   `json:"status"`
	Standing  vex.Standing `json:"standing"`
	Decides   bool         `json:"decides,omitempty"`
	Product   string       `json:"product"`
}

type resolvedElse struct {
	Statement string     `json:"statement"`
	Reason    vex.Reason `json:"reason"`
}

func (p *program) vexResolve() *cobra.Command {
	var f vexFlags
	var db dbFlags
	var q vex.Query
	var outputs []string
	var server eitherFlags
	cmd := &cobra.Command{
		Use:     "resolve PACKAGE VULNERABILITY...",
		Short:   "Decide between what suppliers say about a vulnerability of a package",
		Long:    vexResolveHelp,
		Example: "  stella vex resolve pkg:npm/foo@1.0.0 CVE-2026-0001 --vex maker.json --vex hub.json --trust trust.yaml",
		Args:    usage(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			outs, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			at := db.options(p.env).At
			q.Package.PURL, q.Vulnerabilities = args[0], args[1:]
			remote, err := server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			if remote {
				var decided *resolved
				err := p.at(cmd.Context(), &server.serverFlags, outs, func(r *service) (_ *render.Answer, err error) {
					if decided, err = r.resolveAt(cmd.Context(), &q, at); err != nil {
						return nil, err
					}
					return &render.Answer{Value: decided, List: "claims", Table: decided.table}, nil
				})
				return decided.exit(err)
			}
			v, err := p.openVEX(cmd.Context(), &f, &db, at)
			if err != nil {
				return err
			}
			defer v.close()
			judge, err := v.trust.Trust().Judge()
			if err != nil {
				return err
			}
			var list []*vex.Statement
			for _, view := range v.views {
				some, err := view.Statements(cmd.Context(), q.Vulnerabilities)
				if err != nil {
					return err
				}
				list = append(list, some...)
			}
			selection := q.Select(list)
			out := resolve(judge.Resolve(selection.Claims, at), selection.Others)
			return out.exit(p.say(outs, &render.Answer{Value: out, List: "claims", Table: out.table}))
		},
	}
	f.register(cmd.Flags())
	db.registerDir(cmd.Flags())
	server.register(cmd.Flags())
	cmd.Flags().StringVar(&q.Upstream, "upstream", "", "the package URL of the source package")
	cmd.Flags().StringArrayVar(&q.Owners, "owner", nil, "the package URL of an application that contains it")
	cmd.Flags().StringArrayVar(&q.Image.Names, "image-name", nil, "a name of the image that contains it, with its registry")
	cmd.Flags().StringArrayVar(&q.Image.Digests, "image-digest", nil, "a digest of the image")
	outputFlag(cmd, &outputs)
	return cmd
}

// exit is the exit code of what was decided, where there is no error.
func (r *resolved) exit(err error) error {
	if err == nil && r.Status == "" {
		return &codeError{code: exitNotAssessed}
	}
	return err
}

func resolve(c *vex.Consensus, others []vex.Other) *resolved {
	out := &resolved{Status: c.Status, Value: c.Value.String(), Tier: c.Tier, Disputed: c.Disputed, Signed: c.Signed, Claims: []resolvedOne{}}
	if !c.NextChange.IsZero() {
		out.NextChange = c.NextChange.Format(time.RFC3339)
	}
	for i, x := range c.Claims {
		one := resolvedOne{
			Statement: x.Statement.ID, Document: x.Statement.Origin.Document, Author: x.Statement.Origin.Author, Status: x.Statement.Status, Standing: x.Standing,
			Decides: slices.Contains(c.Deciding, i), Product: productName(x.Statement, x.Product, x.Part),
		}
		if x.Issuer != nil {
			one.Issuer, one.Tier = x.Issuer.ID, x.Issuer.Tier
		}
		out.Claims = append(out.Claims, one)
	}
	for _, o := range others {
		out.Others = append(out.Others, resolvedElse{o.Statement.ID, o.Reason})
	}
	return out
}

func productName(s *vex.Statement, product, part int) string {
	name := identifier(&s.Products[product])
	if part >= 0 {
		name += " in which " + identifier(&s.Products[product].Subcomponents[part])
	}
	return name
}

func identifier(p *vex.Product) string {
	first := p.CPE
	if len(p.Digests) > 0 {
		first = cmp.Or(first, p.Digests[0])
	}
	return cmp.Or(p.PURL, first, p.Name)
}

// table prints it for people.
func (r *resolved) table(w io.Writer) error {
	var b strings.Builder
	r.print(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *resolved) print(w *strings.Builder) {
	status := cmp.Or(string(r.Status), "nobody who is entitled says anything")
	fmt.Fprintf(w, "%s", strings.ReplaceAll(status, "_", " "))
	if r.Tier > 0 {
		fmt.Fprintf(w, ", decided by tier %d", r.Tier)
	}
	if r.Disputed {
		fmt.Fprint(w, ", disputed")
	}
	if r.Signed {
		fmt.Fprint(w, ", signed")
	}
	if r.NextChange != "" {
		fmt.Fprintf(w, ", until %s at least", r.NextChange)
	}
	fmt.Fprintln(w)
	if len(r.Claims) > 0 {
		t := newTable("", "issuer", "tier", "status", "worth", "product", "statement")
		for _, c := range r.Claims {
			mark := ""
			if c.Decides {
				mark = "*"
			}
			t.AppendRow(gotable.Row{mark, clean(cmp.Or(c.Issuer, "? "+c.Author)), c.Tier, strings.ReplaceAll(string(c.Status), "_", " "), strings.ReplaceAll(string(c.Standing), "_", " "), clean(c.Product), c.Statement[:19]})
		}
		fmt.Fprintln(w, t.Render())
	}
	for _, o := range r.Others {
		fmt.Fprintf(w, "%s does not apply: %s\n", o.Statement[:19], strings.ReplaceAll(string(o.Reason), "_", " "))
	}
}

func (p *program) vexList() *cobra.Command {
	var f vexFlags
	var db dbFlags
	var ids []string
	var outputs []string
	var server eitherFlags
	cmd := &cobra.Command{
		Use:     "list [FILE...]",
		Short:   "List statements of documents, folders, and of what is kept",
		Long:    "List statements of documents, folders, and of what is kept here; with --server those that the\nserver has about a --vulnerability.\n\nExit codes: 0 listed, 1 error, 64 wrong arguments.",
		Example: "  stella vex list .vex\n  stella vex list --vulnerability CVE-2026-0001 -o json\n  stella vex list --vulnerability CVE-2026-0001 --server https://stella.example",
		Args:    usage(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			remote, err := server.asked(p.env, cmd.Flags())
			if err != nil {
				return err
			}
			if remote && server.url != "" && len(args) > 0 {
				return usageError("%s: a file is of this machine, and not of a server (--server= lists files)", clean(args[0]))
			}
			if remote && len(args) == 0 {
				if len(ids) == 0 {
					return usageError("about which vulnerabilities? A server lists statements by --vulnerability")
				}
				return p.at(cmd.Context(), &server.serverFlags, out, func(r *service) (*render.Answer, error) {
					list, err := r.heardAt(cmd.Context(), ids)
					return statementsAnswer(list), err
				})
			}
			f.files = append(f.files, args...)
			if len(args) > 0 {
				f.none = true
			}
			v, err := p.openVEX(cmd.Context(), &f, &db, db.options(p.env).At)
			if err != nil {
				return err
			}
			defer v.close()
			list, err := statementsOf(cmd.Context(), v.views, ids)
			if err != nil {
				return err
			}
			return p.say(out, statementsAnswer(list))
		},
	}
	f.register(cmd.Flags())
	db.registerDir(cmd.Flags())
	server.register(cmd.Flags())
	cmd.Flags().StringSliceVar(&ids, "vulnerability", nil, "only statements about these ids")
	outputFlag(cmd, &outputs)
	return cmd
}

func statementsAnswer(list []*vex.Statement) *render.Answer {
	if list == nil {
		list = []*vex.Statement{}
	}
	return &render.Answer{
		Encode: func(w io.Writer) error { return writeValue(w, list) },
		Table:  func(w io.Writer) error { return printStatements(w, list) },
	}
}

func printStatements(w io.Writer, list []*vex.Statement) error {
	t := newTable("vulnerability", "status", "product", "author", "signer", "time", "statement")
	for _, s := range list {
		product := identifier(&s.Products[0])
		if more := len(s.Products) - 1; more > 0 {
			product += fmt.Sprintf(" and %d more", more)
		}
		at := "-"
		if !s.Time.IsZero() {
			at = s.Time.Format(time.DateOnly)
		}
		t.AppendRow(gotable.Row{clean(s.Vulnerability), strings.ReplaceAll(string(s.Status), "_", " "), clean(product), clean(cmp.Or(s.Origin.Author, "-")), clean(cmp.Or(s.Origin.Signer, string(s.Origin.Signature), "unsigned")), at, s.ID[:19]})
	}
	text := fmt.Sprintf("%d statements\n", len(list))
	if len(list) > 0 {
		text = t.Render() + "\n" + text
	}
	_, err := io.WriteString(w, text)
	return err
}

const vexVerifyHelp = `Read documents, check their signatures by the keys of the trust document, and say what
of them can be used. A detached OpenPGP signature is FILE.asc beside FILE.

Exit codes: 0 everything can be used, 1 a document or a part of one cannot, 4 a
signature is not that of its document, or --signed was asked for and there is none.`

func (p *program) vexVerify() *cobra.Command {
	var f vexFlags
	var db dbFlags
	var outputs []string
	var signed bool
	cmd := &cobra.Command{
		Use:     "verify FILE...",
		Short:   "Check documents and their signatures",
		Long:    vexVerifyHelp,
		Example: "  stella vex verify cve-2026-0001.json --trust trust.yaml --signed",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			who, err := p.readTrust(&f, &db)
			if err != nil {
				return err
			}
			verifier := who.Verifier(&trust.Options{At: db.options(p.env).At})
			bad, broken := 0, 0
			list := []observedOne{}
			for _, name := range args {
				observed, err := p.observe(cmd.Context(), &f, name, verifier)
				if err != nil {
					return err
				}
				for _, o := range observed {
					list = append(list, oneObserved(&o))
					if o.Signature == vex.Bad || signed && o.Signature != vex.Verified {
						bad++
					}
					if o.Quarantined != "" || len(o.Problems) > 0 {
						broken++
					}
				}
			}
			err = p.say(out, &render.Answer{Value: list, Table: func(w io.Writer) error { return printObserved(w, list) }})
			switch {
			case err != nil:
				return err
			case bad > 0:
				return &codeError{code: exitVerification}
			case broken > 0:
				return &codeError{code: exitError}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&f.trust, "trust", "", "the file with the keys of issuers")
	outputFlag(cmd, &outputs)
	cmd.Flags().BoolVar(&signed, "signed", false, "exit 4 when a document has no verified signature")
	db.registerDir(cmd.Flags())
	return cmd
}

// observedOne is what "vex verify" has to say about a document.
type observedOne struct {
	Document    string   `json:"document"`
	Digest      string   `json:"digest"`
	Statements  int      `json:"statements"`
	Signature   string   `json:"signature"` // "unsigned" where there is none
	Signer      string   `json:"signer,omitempty"`
	Why         string   `json:"why,omitempty"`
	Problems    []string `json:"problems,omitempty"`
	Quarantined string   `json:"quarantined,omitempty"` // why it counts as nothing
}

func oneObserved(o *vex.Observed) observedOne {
	out := observedOne{
		Document: o.Document, Digest: o.Digest, Statements: len(o.Statements), Signature: cmp.Or(string(o.Signature), "unsigned"),
		Signer: o.Signer, Why: o.Why, Quarantined: o.Quarantined,
	}
	for _, problem := range o.Problems {
		out.Problems = append(out.Problems, problem.Error())
	}
	return out
}

func printObserved(w io.Writer, list []observedOne) error {
	var b strings.Builder
	for _, o := range list {
		fmt.Fprintf(&b, "%s: %d statements, %s", clean(o.Document), o.Statements, clean(strings.TrimRight(o.Signature+" "+o.Signer, " ")))
		if o.Why != "" {
			fmt.Fprintf(&b, " (%s)", clean(o.Why))
		}
		b.WriteByte('\n')
		for _, problem := range o.Problems {
			fmt.Fprintf(&b, "  %s\n", clean(problem))
		}
		if o.Quarantined != "" {
			fmt.Fprintf(&b, "  it counts as nothing: %s\n", clean(o.Quarantined))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
