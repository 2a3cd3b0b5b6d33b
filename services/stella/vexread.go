package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/attestation"
	"github.com/stella-ops/stella/vex/folder"
	"github.com/stella-ops/stella/vex/ingest"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
	"github.com/stella-ops/stella/vex/trust"
)

// vexFlags say what suppliers said, and whom to believe.
type vexFlags struct {
	files []string
	trust string
	none  bool
	// image is what is scanned, and registry how its registry is asked; nil where it
	// is in none.
	image    string
	registry *image.Options
}

// fromRegistry stands among files for the attestations of the image.
const fromRegistry = "oci"

func (f *vexFlags) register(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.files, "vex", nil, "a VEX document (OpenVEX, CSAF, CycloneDX, or an attestation of one), or a folder of them; \"oci\" is the attestations of the image in its registry; may be repeated")
	fs.StringVar(&f.trust, "trust", "", "the file that says whom to believe about what; by default files that are named here count, and nothing else")
	fs.BoolVar(&f.none, "no-vex", false, "leave out what \"stella vex import|update\" keeps")
}

func (f *vexFlags) asked() bool { return len(f.files) > 0 || f.trust != "" }

// kept reports whether there are statements that "stella vex import|update" keeps.
func (f *vexFlags) kept(db *dbFlags, env func(string) string) bool {
	dir, err := vexDir(db, env)
	if err != nil || f.none {
		return false
	}
	_, err = os.Stat(filepath.Join(dir, "current.vex"))
	return err == nil
}

// spoken is what suppliers said: statements of files, and those that are kept.
type spoken struct {
	trust *trust.Document
	views []vex.View
	close func()
}

// openVEX reads what is named, and opens what is kept.
func (p *program) openVEX(ctx context.Context, f *vexFlags, db *dbFlags, at time.Time) (*spoken, error) {
	out := &spoken{close: func() {}}
	var err error
	if out.trust, err = p.readTrust(f, db); err != nil {
		return nil, err
	}
	set, problems, err := p.readVEX(ctx, f, out.trust, at)
	if err != nil {
		return nil, err
	}
	for _, s := range problems {
		p.note("%s", s)
	}
	if len(f.files) > 0 {
		out.views = append(out.views, set)
	}
	if f.none {
		return out, nil
	}
	snap, err := openKept(db, p.env)
	switch {
	case errors.Is(err, vexsnapshot.ErrNotFound):
	case err != nil:
		return nil, err
	default:
		out.views = append(out.views, snap)
		out.close = func() { snap.Close() }
	}
	return out, nil
}

// vexDir is the folder of what is kept, beside the advisory data.
func vexDir(db *dbFlags, env func(string) string) (string, error) {
	dir, err := dbDir(db.dir, env)
	return filepath.Join(dir, "vex"), err
}

func openKept(db *dbFlags, env func(string) string) (*vexsnapshot.Snapshot, error) {
	dir, err := vexDir(db, env)
	if err != nil {
		return nil, err
	}
	return vexsnapshot.Open(filepath.Join(dir, "current.vex"))
}

// readTrust reads the trust document that is named, else the one that is kept beside
// the statements, else the default.
func (p *program) readTrust(f *vexFlags, db *dbFlags) (*trust.Document, error) {
	name := f.trust
	if name == "" {
		dir, err := vexDir(db, p.env)
		if err != nil {
			return nil, err
		}
		name = filepath.Join(dir, "trust.yaml")
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return trust.Default(), nil
		}
	}
	text, err := p.readFile(name, trust.MaxDocument)
	if err != nil {
		return nil, err
	}
	doc, err := trust.Parse(name, text)
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	return doc, nil
}

// readVEX reads documents. What of them cannot be used is told, and counts as nothing.
func (p *program) readVEX(ctx context.Context, f *vexFlags, who *trust.Document, at time.Time) (*vex.Set, []string, error) {
	var statements []*vex.Statement
	var problems []string
	verifier := who.Verifier(&trust.Options{At: at})
	for _, name := range f.files {
		observed, err := p.observe(ctx, f, name, verifier)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range observed {
			statements = append(statements, o.Statements...)
			for _, problem := range o.Problems {
				problems = append(problems, problem.Error())
			}
			if o.Quarantined != "" {
				problems = append(problems, fmt.Sprintf("%s counts as nothing: %s", o.Document, o.Quarantined))
			}
		}
	}
	return vex.NewSet(statements), problems, nil
}

// observe reads a document, or those of a folder or of a registry; "-" is standard
// input.
func (p *program) observe(ctx context.Context, f *vexFlags, name string, verifier vex.Verifier) ([]vex.Observed, error) {
	var source vex.Source = folder.Files(name)
	switch {
	case name == fromRegistry && f.registry == nil:
		return nil, usageError("--vex oci: only an image in a registry has attestations")
	case name == fromRegistry:
		source = attestation.New(attestation.Config{Images: []string{f.image}, Registry: f.registry, Broken: func(image string, err error) { p.note("attestation of %s: %v", image, err) }})
		return observeAll(ctx, source, verifier)
	case name == "-":
		text, err := p.readFile(name, folder.MaxFile)
		if err != nil {
			return nil, err
		}
		o, err := ingest.Read(ctx, source, trust.SourceFile, verifier, &vex.Document{Source: trust.SourceFile, Name: "stdin", Content: text})
		return []vex.Observed{o}, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		source = folder.Dir(name)
	}
	out, err := observeAll(ctx, source, verifier)
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s: there is no document in it", name)
	}
	return out, err
}

// observeAll reads everything that a source has.
func observeAll(ctx context.Context, source vex.Source, verifier vex.Verifier) ([]vex.Observed, error) {
	var out []vex.Observed
	_, err := source.Fetch(ctx, nil, nil, func(doc *vex.Document) error {
		o, err := ingest.Read(ctx, source, source.Describe().Name, verifier, doc)
		out = append(out, o)
		return err
	})
	return out, err
}

// readFile reads a file, or standard input for "-", up to a limit.
func (p *program) readFile(name string, limit int64) ([]byte, error) {
	var r io.Reader = p.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(p.work.reader(r), limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: more than %d bytes", name, limit)
	}
	return text, err
}
