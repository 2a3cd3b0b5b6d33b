package packagefile

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/inflate"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/stanza"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	arMagic   = "!<arch>\n"
	arHeader  = 60
	arEnd     = "`\n" // of each header
	maxWindow = 32 << 20
)

// readDeb reads the members of the archive up to the control data.
//
//	header: name (16) | time (12) | owner (6) | group (6) | mode (8) | size (10) | "`\n"
func readDeb(in io.Reader, f *analyzer.File) (*sbom.Package, error) {
	if _, err := io.CopyN(io.Discard, in, int64(len(arMagic))); err != nil {
		return nil, err
	}
	for range maxMembers {
		var h [arHeader]byte
		if _, err := io.ReadFull(in, h[:]); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimRight(string(h[:16]), " "), "/")
		size, err := strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
		if err != nil || size < 0 || size > f.Size || string(h[58:]) != arEnd {
			return nil, fmt.Errorf("header of the member %.16q: %w", name, fault.Invalid)
		}
		if strings.HasPrefix(name, "control.tar") {
			return readControl(name, io.LimitReader(in, size), f)
		}
		if strings.HasPrefix(name, "data.tar") {
			break
		}
		if _, err := io.CopyN(io.Discard, in, size+size&1); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("a Debian package without control data before its files: %w", fault.Invalid)
}

// readControl reads the control file out of the member name.
func readControl(name string, in io.Reader, f *analyzer.File) (*sbom.Package, error) {
	var r io.Reader
	switch ext := strings.TrimPrefix(name, "control.tar"); ext {
	case "":
		r = in
	case ".gz":
		z, err := inflate.NewGzip(in)
		if err != nil {
			return nil, err
		}
		r = z
	case ".zst":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("zstd: %v: %w", err, fault.Invalid)
		}
		defer z.Close()
		r = z
	default:
		p := debByName(f.Path)
		if p == nil {
			return nil, fmt.Errorf("control data of the kind %.16q: %w", ext, fault.Unsupported)
		}
		return p, fmt.Errorf("control data of the kind %.16q, so that the package is told by its file name alone: %w", ext, fault.Unsupported)
	}
	data, err := member(&inflated{r: r, f: f}, "control", f.Path)
	if err != nil {
		return nil, err
	}
	p := &sbom.Package{}
	source, done := "", false
	err = stanza.Read(data, func(key, value []byte) {
		if !done {
			debField(p, &source, string(key), value)
		}
	}, func(int) { done = true })
	switch {
	case err != nil:
		return nil, fmt.Errorf("control: %w", err)
	case p.Name == "" || p.Version == "" || strings.ContainsAny(p.Name, " /"):
		return nil, fmt.Errorf("control: package %q with version %q: %w", cut(p.Name), cut(p.Version), fault.Invalid)
	}
	if name, version, _ := strings.Cut(source, " "); name != "" {
		p.Upstream = &sbom.Upstream{Name: name, Version: strings.Trim(version, " ()")}
	}
	return p, nil
}

func debField(p *sbom.Package, source *string, key string, value []byte) {
	if len(value) > maxField {
		return
	}
	if key == "Description" {
		value, _, _ = bytes.Cut(value, []byte("\n"))
	}
	line := stanza.Line(value)
	switch key {
	case "Package":
		p.Name = line
	case "Version":
		p.Version = line
	case "Architecture":
		p.Arch = line
	case "Source":
		*source = line
	case "Maintainer":
		p.Supplier = line
	case "Homepage":
		p.Homepage = line
	case "Description":
		p.Description = line
	}
}

// debByName reads name_version_architecture.deb, as apt and archives name packages; apt writes
// the colon of an epoch as %3a, archives leave the epoch out. It returns nil for other names.
func debByName(file string) *sbom.Package {
	base, _ := strings.CutSuffix(path.Base(file), path.Ext(file))
	parts := strings.Split(strings.ToValidUTF8(base, "\uFFFD"), "_")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || strings.Contains(parts[0], " ") {
		return nil
	}
	version, err := url.PathUnescape(parts[1])
	if err != nil {
		return nil
	}
	return &sbom.Package{Name: parts[0], Version: strings.ToValidUTF8(version, "\uFFFD"), Arch: parts[2], Properties: []sbom.Property{{Name: nameProperty, Value: "file name"}}}
}

// member returns the content of a file of a tar.
func member(in io.Reader, name, where string) ([]byte, error) {
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		switch {
		case err == io.EOF:
			return nil, fmt.Errorf("its control data lack the file %s: %w", name, fault.Invalid)
		case errors.Is(err, tar.ErrHeader):
			return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
		case err != nil:
			return nil, kinded(err)
		case h.Typeflag == tar.TypeReg && path.Clean("/"+h.Name) == "/"+name:
			data, err := text(t, h.Size, where)
			return data, kinded(err)
		}
	}
}

// kinded gives an error of archive/tar a kind: those of reading have one.
func kinded(err error) error {
	if err == nil || fault.KindOf(err) != "" || err == io.ErrUnexpectedEOF {
		return err
	}
	return fmt.Errorf("%w: %w", err, fault.Invalid)
}
