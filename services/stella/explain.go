package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	policyreport "github.com/stella-ops/stella/policy/report"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const explainHelp = `Tell why something is as it is: step by step, from the package to the record, what
suppliers say, exceptions, each rule, and what follows. What comes first says of what
it is told:

  pkg:TYPE/NAME@VERSION   a package. It says whether the vulnerability affects it, on which
                          records and comparisons, and why other records do not apply; also
                          for what is no finding. Packages of a distribution need to say
                          which: ?distro=debian-12. With --sbom FILE it is a package of that
                          document, by its id or package URL.
  FOLDER                  a verdict that "scan --save FOLDER" kept, or its trace.json: how
                          each finding was decided then. Nothing is asked or decided anew.
  scan-ID                 a scan of the server that --server or STELLA_SERVER names: how the
                          policy in force there decided, in --environment where it is given.
  SOURCE                  an image or SBOM, as "stella scan" takes it: docker://REF, oci:DIR,
                          dir:PATH, sbom:FILE, a file that holds an SBOM, … It is scanned and
                          decided about now, by --policy or the policy that is built in.

A reference without a scheme is an image where it has a registry, a path, a tag or a
digest: alpine:3.20 is one, and alpine alone could be a package.

VULNERABILITY is any id: a CVE id, or the id or an alias of a record. A package needs one;
else without one all is told that does not pass, and with --all what passes as well.
--package NAME tells of one package alone. -o explain writes the facts in lines, -o json
the steps as data.

Exit codes: 0 told, 1 error, 3 not assessed, or an id that no record is about, 64 wrong
arguments. What was decided makes no difference: "stella scan" turns that into a code.`

// explainFlags are those of all kinds of argument.
type explainFlags struct {
	scan    scanFlags // of a source, and of a server
	sbom    string
	pkg     string
	all     bool
	outputs []string
	out     render.Outputs
}

// explained is a kind of thing that is explained, with the flags that it takes.
type explained struct {
	name  string
	flags []string
	tell  func(ctx context.Context, what, vulnerability string, f *explainFlags) error
}

func (p *program) explainCommand() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain PACKAGE|FOLDER|SCAN|SOURCE [VULNERABILITY]",
		Short: "Tell why a package is affected, or why a finding was decided as it was",
		Long:  explainHelp,
		Example: "  stella explain 'pkg:deb/debian/openssl@3.0.11-1?distro=debian-12' CVE-2023-5363\n" +
			"  stella explain pkg:npm/lodash@4.17.20 CVE-2020-8203 --sbom app.cdx.json -o json\n" +
			"  stella scan alpine:3.20 --policy default --save verdict; stella explain verdict CVE-2024-3094\n" +
			"  stella explain scan-01JE4Z CVE-2024-3094 --server https://stella.example\n" +
			"  stella explain docker://alpine:3.20 --all --package busybox",
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.explain(cmd, args, &f)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.sbom, "sbom", "", "take the package from this document; \"-\" is standard input")
	fs.StringVar(&f.pkg, "package", "", "tell of this package alone: a name, package URL, or id")
	fs.BoolVar(&f.all, "all", false, "tell also of what passes")
	outputFlag(cmd, &f.outputs, "explain")
	fs.BoolVarP(&f.scan.output.quiet, "quiet", "q", false, "no progress, no notes")
	fs.BoolVar(&f.scan.output.noProgress, "no-progress", false, "no progress bars")
	f.scan.source.register(fs)
	f.scan.db.register(fs)
	f.scan.decide.register(fs)
	fs.Lookup("policy").Usage = "decide about SOURCE by this policy: a YAML file, or \"default\" for the one that is built in"
	fs.Lookup("policy").DefValue = "default"
	f.scan.secrets.register(fs)
	fs.BoolVar(&f.scan.noCache, "no-cache", false, "read every layer, keep nothing")
	fs.StringVar(&f.scan.cache, "cache-dir", "", "folder of known layers (default: stella in the user's cache folder)")
	f.scan.remote.serverFlags.register(fs)
	return cmd
}

// policyExplain is the older name of explain for verdicts that were kept.
func (p *program) policyExplain() *cobra.Command {
	cmd := p.explainCommand()
	cmd.Use, cmd.Short = "explain FOLDER [VULNERABILITY]", "Tell why a verdict is what it is: \"stella explain\", which tells more"
	cmd.Example = "  stella policy explain verdict CVE-2024-3094"
	return cmd
}

// explain finds out of what is told, and tells it.
func (p *program) explain(cmd *cobra.Command, args []string, f *explainFlags) error {
	var err error
	if f.out, err = parseOutputs(f.outputs, render.Table, "explain"); err != nil {
		return err
	}
	vulnerability := ""
	if len(args) > 1 {
		if vulnerability = args[1]; vulnerability == "" {
			return usageError("no vulnerability is named: it is empty")
		}
	}
	kind, what, err := p.explained(args[0], f)
	if err != nil {
		return err
	}
	var wrong []string
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if !slices.Contains(kind.flags, flag.Name) && !slices.Contains([]string{"output", "quiet", "no-progress"}, flag.Name) {
			wrong = append(wrong, "--"+flag.Name)
		}
	})
	if len(wrong) > 0 {
		return usageError("%s: %s is %s, of which these say nothing (\"stella explain --help\" tells what is what)", strings.Join(wrong, ", "), clean(args[0]), kind.name)
	}
	return kind.tell(cmd.Context(), what, vulnerability, f)
}

// explained says what the first argument is, and how it is written for what tells of it.
func (p *program) explained(arg string, f *explainFlags) (*explained, string, error) {
	pkg := &explained{"a package", []string{"sbom", "db", "match-owned", "cpe", "server", "ca-cert", "insecure-http"}, p.explainPackage}
	kept := &explained{"a verdict that was kept", []string{"package", "all"}, p.explainKept}
	remote := &explained{"a scan of a server", []string{"package", "all", "environment", "server", "ca-cert", "insecure-http"}, p.explainRemote}
	source := &explained{"a source that is scanned now", []string{
		"package", "all", "platform", "plain-http", "offline", "ca-file", "db", "match-owned", "cpe", "policy", "environment", "control", "exceptions", "ignore-file", "image-name",
		"save", "vex", "trust", "no-vex", "secrets", "secret-rules", "secret-key", "secret-threshold", "no-cache", "cache-dir",
	}, p.explainSource}
	if f.sbom != "" || strings.HasPrefix(arg, "pkg:") {
		return pkg, arg, nil
	}
	info, err := os.Stat(arg)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !isReference(arg) {
		return nil, "", fmt.Errorf("%s: %w", clean(arg), err)
	}
	switch {
	case err == nil && info.IsDir():
		if _, err := os.Stat(filepath.Join(arg, "trace.json")); err != nil {
			return nil, "", usageError("%s is a folder without a trace.json, so no verdict was kept there: \"stella scan SOURCE --save %s\" keeps one, and dir:%s has the folder itself scanned", clean(arg), clean(arg), clean(arg))
		}
		return kept, arg, nil
	case err == nil:
		return p.explainedFile(arg, kept, source)
	case isScanID(arg):
		if f.scan.remote.url == "" && p.env(serverVariable) == "" {
			return nil, "", usageError("%s is a scan of a server; which one? Give --server URL, or set %s (a folder of that name is not here)", clean(arg), serverVariable)
		}
		return remote, arg, nil
	case isReference(arg):
		return source, arg, nil
	case strings.ContainsAny(arg, "/\\") || strings.HasSuffix(arg, ".json"):
		return nil, "", usageError("%s: there is no such file or folder, and no image has such a name", clean(arg))
	}
	return nil, "", usageError("%s may be a package or an image, and no file or folder is called so: write pkg:TYPE/%s@VERSION for a package, docker://%s for an image", clean(arg), clean(arg), clean(arg))
}

// isScanID reports whether a text is the id of a scan.
func isScanID(s string) bool {
	rest, ok := strings.CutPrefix(s, "scan-")
	return ok && rest != "" && len(s) <= 64 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isReference reports whether a text says by itself that it is the source of a scan: by
// its scheme, or by what a bare word does not have.
func isReference(s string) bool {
	for _, scheme := range sourceSchemes() {
		if strings.HasPrefix(s, scheme) {
			return true
		}
	}
	return !strings.HasPrefix(s, ".") && !strings.HasPrefix(s, "/") && !strings.HasSuffix(s, ".json") && strings.ContainsAny(s, ":@/")
}

// sourceSchemes are those that "stella scan" takes.
func sourceSchemes() []string {
	return []string{"docker://", "registry:", "docker-daemon:", "docker:", "docker-archive:", "oci-archive:", "oci:", "oci-dir:", "dir:", "sbom:"}
}

// explainedFile says what a file is: of a verdict that was kept, a trace alone, an
// SBOM, or an archive with an image.
func (p *program) explainedFile(name string, kept, source *explained) (*explained, string, error) {
	dir, base := filepath.Split(name)
	if base == "verdict.json" {
		return kept, filepath.Clean(dir), nil
	}
	if head := readHead(name); strings.Contains(head, `"decisions":`) || base == "trace.json" {
		return kept, name, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	if _, _, err := format.Decode(f); err != nil {
		return nil, "", usageError("%s is neither a trace nor an SBOM (%s): an image in it is docker-archive:%s or oci-archive:%s", clean(name), clean(err.Error()), clean(name), clean(name))
	}
	return source, "sbom:" + name, nil
}

// readHead is the beginning of a file, "" where it cannot be read: a trace has there how
// many decisions it holds, as its members are sorted.
func readHead(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 64<<10)
	n, _ := io.ReadFull(f, head)
	return string(head[:n])
}

// explainPackage tells whether a vulnerability affects a package.
func (p *program) explainPackage(ctx context.Context, pkg, vulnerability string, f *explainFlags) error {
	if vulnerability == "" {
		return usageError("%s: which vulnerability? Give its id, such as a CVE id (\"stella db search ECOSYSTEM NAME\" lists those of a package)", clean(pkg))
	}
	var x *finding.Explanation
	var err error
	switch remote := f.scan.remote.url != ""; {
	case remote && (f.sbom != "" || f.scan.db.dir != ""):
		return usageError("--sbom, --db: of this machine, and not of a server, which is asked about a package URL by its own data")
	case remote:
		x, err = p.affectedAt(ctx, &f.scan.remote.serverFlags, pkg, vulnerability, &f.scan.db)
	default:
		x, err = p.affected(ctx, &f.scan.db, f.sbom, pkg, vulnerability)
	}
	if err != nil {
		return err
	}
	err = p.say(f.out, &render.Answer{
		Value: x, List: "records",
		Table: func(w io.Writer) error {
			return policyreport.Prose(w, []*policyreport.Story{policyreport.Explained(x)})
		},
		Other: func(w io.Writer, _ string) error { return x.WriteText(w) },
	})
	if err == nil && (x.Conclusion == finding.NotAssessed || x.Conclusion == finding.UnknownID) {
		err = &codeError{code: exitNotAssessed}
	}
	return err
}

// affected explains one package of a file, or the one that a package URL names.
func (p *program) affected(ctx context.Context, db *dbFlags, file, pkg, vulnerability string) (*finding.Explanation, error) {
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
	m, done, err := p.matcher(db)
	if err != nil {
		return nil, err
	}
	defer done()
	return m.Explain(ctx, doc, pkg, vulnerability)
}

// matcher matches with the current data; without any, the matcher has none, and says so.
func (p *program) matcher(db *dbFlags) (m advisory.Matcher, done func(), err error) {
	m.Options = db.options(p.env)
	snap, err := db.open(p.env)
	switch {
	case errors.Is(err, snapshot.ErrNotFound):
		return m, func() {}, nil
	case err != nil:
		return m, nil, err
	}
	m.View = snap
	return m, func() { snap.Close() }, nil
}
