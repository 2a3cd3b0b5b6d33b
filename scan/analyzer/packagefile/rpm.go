package packagefile

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/rpmdb"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	leadMagic   = "\xed\xab\xee\xdb"
	leadBytes   = 96
	headerMagic = "\x8e\xad\xe8\x01"
	intro       = 16 // bytes before the index of a header
	indexEntry  = 16
)

// readRPM reads a package up to the end of its header.
//
//	package: lead (96) | signature | padding to 8 | header | files
//	header:  magic (4) | zeros (4) | tags (4) | bytes of data (4) | index | data
func readRPM(in io.Reader, f *analyzer.File) (*sbom.Package, error) {
	if _, err := io.CopyN(io.Discard, in, leadBytes); err != nil {
		return nil, err
	}
	_, size, err := readIntro(in, f)
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if _, err := io.CopyN(io.Discard, in, (size+7)&^7); err != nil {
		return nil, err
	}
	head, size, err := readIntro(in, f)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	blob := make([]byte, 8+size)
	copy(blob, head)
	if _, err := io.ReadFull(in, blob[8:]); err != nil {
		return nil, err
	}
	h, err := rpmdb.Decode(blob, nil)
	if h.Name == "" {
		return nil, err
	}
	if h.SourceRPM == "" {
		h.Arch = "src" // a source package names the machine that it was packed on
	}
	p := &sbom.Package{
		Name: h.Name, Version: h.EVR(), Arch: h.Arch, Supplier: h.Vendor, Description: h.Summary, Homepage: h.URL,
		Upstream: distro.RPMUpstream(h.Name, h.VR(), h.SourceRPM),
	}
	if h.License != "" {
		p.Licenses = []sbom.License{{Name: h.License}}
	}
	for _, q := range []sbom.Property{{Name: distro.RPMModularity, Value: h.ModularityLabel}, {Name: distro.RPMSource, Value: h.SourceRPM}} {
		if q.Value != "" {
			p.Properties = append(p.Properties, q)
		}
	}
	return p, err
}

// readIntro reads how long a header is, and returns the two lengths as they stand there.
func readIntro(in io.Reader, f *analyzer.File) (lengths []byte, size int64, err error) {
	b := make([]byte, intro)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, 0, err
	}
	size = indexEntry*int64(binary.BigEndian.Uint32(b[8:])) + int64(binary.BigEndian.Uint32(b[12:]))
	switch {
	case string(b[:4]) != headerMagic:
		return nil, 0, fmt.Errorf("begins with % x: %w", b[:4], fault.Invalid)
	case size > f.Size:
		return nil, 0, fmt.Errorf("%d bytes in a file of %d: %w", size, f.Size, fault.Invalid)
	case size > maxHeader:
		return nil, 0, &fault.LimitError{What: "bytes of an rpm header", Where: f.Path, Max: maxHeader, Seen: size}
	}
	return b[8:], size, nil
}
