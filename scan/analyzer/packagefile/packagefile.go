// Package packagefile reads what package files that lie in an image say of themselves: .deb,
// .rpm and .apk, in caches, in offline repositories, or left over from a build. Nothing says
// that they are installed: each is a declared package, and one that is installed in the same
// version as well is the installed package.
//
// Only the control data are read, which come first: the member control.tar of a Debian package
// (deb(5)), the header of an rpm package (rpm's manual, "RPM package format"), .PKGINFO of an
// Alpine package (apk-v2(5)). What they contain is not looked at. A Debian package whose
// control data are compressed with xz, for which there is no reader, is told by its file name,
// with a gap; so is an Alpine package of version 3, without a name. Android's packages have
// the same ending and are left out, as is everything that begins like no package.
//
// The package URL names the distribution of the image, as that of an installed package does.
package packagefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/sbom"
)

// Limits of one package file.
const (
	maxControl  = 16 << 20 // inflated bytes before the control data have been read
	maxText     = 1 << 20  // bytes of a control file
	maxMembers  = 16       // before the control data
	maxHeader   = 64 << 20 // bytes of an rpm header
	maxField    = 64 << 10 // bytes of one field
	maxReported = 60       // bytes of a name in an error
)

// nameProperty tells that a package is known by its file name alone.
const nameProperty = "packagefile:by"

// Analyzer reads package files. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "packagefile", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Forward: true, Suffixes: []string{".deb", ".rpm", ".apk"}}
}

// Extract implements analyzer.Analyzer: one fact, which Join completes, or none where f is no
// package. It reads forwards, and no more than it needs.
func (Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	p, err := read(f)
	if err != nil {
		if fault.KindOf(err) == "" && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
			err = fmt.Errorf("it ends too early: %w", fault.Invalid)
		}
		err = fmt.Errorf("read %s: %w", f.Path, err)
	} else if err = ctx.Err(); err != nil {
		return nil, err
	}
	if p == nil || p.Name == "" {
		return nil, err
	}
	p.State = sbom.Declared
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Key: p.Name, Package: p}}, err
}

// read tells the formats apart.
func read(f *analyzer.File) (*sbom.Package, error) {
	head := make([]byte, min(8, f.Size))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, err
	}
	in := io.MultiReader(bytes.NewReader(head), f)
	switch kind := strings.ToLower(path.Ext(f.Path)); {
	case kind == ".deb" && string(head) == arMagic:
		return readDeb(in, f)
	case kind == ".rpm" && bytes.HasPrefix(head, []byte(leadMagic)):
		return readRPM(in, f)
	case kind == ".apk" && bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return readAPK(in, f)
	case kind == ".apk" && bytes.HasPrefix(head, []byte("ADB")):
		return nil, fmt.Errorf("an Alpine package of version 3: %w", fault.Unsupported)
	}
	return nil, nil
}

// Join implements analyzer.Joiner: it gives packages their package URL.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	out := make([]analyzer.Located, 0, len(in.Facts))
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPackage || f.Package == nil {
			continue
		}
		p := *f.Package
		switch strings.ToLower(path.Ext(f.Path)) {
		case ".deb":
			p.PURL = distro.Checked(distro.Deb(&p, in.OS))
		case ".rpm":
			p.PURL = distro.Checked(distro.RPM(&p, in.OS))
		case ".apk":
			p.PURL = distro.Checked(distro.APK(&p, in.OS))
		}
		f.Package = &p
		out = append(out, f)
	}
	return out, nil
}

// inflated counts what comes out of a decompressor, and gives its errors a kind.
type inflated struct {
	r io.Reader
	f *analyzer.File
	n int64
}

func (z *inflated) Read(p []byte) (int, error) {
	if z.n >= maxControl {
		return 0, &fault.LimitError{What: "bytes of control data", Where: z.f.Path, Max: maxControl, Seen: z.n}
	}
	n, err := z.r.Read(p[:min(int64(len(p)), maxControl-z.n)])
	z.n += int64(n)
	if over := z.f.Budget.Derive(z.f.Path, int64(n)); over != nil {
		return n, over
	}
	if err != nil && err != io.EOF && fault.KindOf(err) == "" {
		err = fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	return n, err
}

// text reads a control file of size bytes.
func text(r io.Reader, size int64, where string) ([]byte, error) {
	if size > maxText {
		return nil, &fault.LimitError{What: "bytes of a control file", Where: where, Max: maxText, Seen: size}
	}
	out := make([]byte, size)
	_, err := io.ReadFull(r, out)
	return out, err
}

// cut bounds what an error quotes.
func cut(s string) string { return s[:min(len(s), maxReported)] }
