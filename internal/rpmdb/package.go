package rpmdb

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// Package is what one header says of an installed package. All texts are valid
// UTF-8 (other bytes are replaced), share no memory with the header, and are
// empty where the header has none.
type Package struct {
	Name, Version, Release string
	Epoch                  uint32 // means something only if HasEpoch
	HasEpoch               bool
	Arch                   string
	SourceRPM              string // file name of the source package
	Vendor, License        string
	Summary, URL           string
	ModularityLabel        string   // name:stream:version:context of a module's package
	SigMD5                 string   // of header and payload, lower-case hex
	KeyID                  string   // of the signing key, 16 lower-case hex digits
	Files                  []string // paths without a leading slash, sorted, each once
	Requires, Provides     []string // as listed, without versions
}

// EVR returns epoch:version-release, without the epoch where there is none.
func (p *Package) EVR() string {
	if p.HasEpoch {
		return fmt.Sprintf("%d:%s", p.Epoch, p.VR())
	}
	return p.VR()
}

// VR returns version-release, or the one of them that is there.
func (p *Package) VR() string {
	if p.Release == "" || p.Version == "" {
		return p.Version + p.Release
	}
	return p.Version + "-" + p.Release
}

// Decode reads one header as [DB.Headers] yields it. An error is of kind
// "invalid input" or "limit reached" and names the tag; beside it, a Package
// with a Name is right in what it says but lacks that tag. nil limits mean the
// defaults.
func Decode(blob []byte, limits *Limits) (Package, error) {
	var p Package
	h, err := parseHeader(blob, limits.resolve())
	if err != nil {
		return p, fmt.Errorf("decode rpm header: %w", err)
	}
	texts := []struct {
		tag tag
		to  *string
	}{
		{tagName, &p.Name}, {tagVersion, &p.Version}, {tagRelease, &p.Release}, {tagArch, &p.Arch}, {tagSourceRPM, &p.SourceRPM},
		{tagVendor, &p.Vendor}, {tagLicense, &p.License}, {tagSummary, &p.Summary}, {tagURL, &p.URL}, {tagModularityLabel, &p.ModularityLabel},
	}
	var errs []error
	for _, t := range texts {
		var err error
		*t.to, err = h.text(t.tag)
		errs = append(errs, err)
	}
	if p.Name == "" {
		errs = append(errs, invalid("no name"))
	}
	errs = append(errs, p.decodeNumbers(h), p.decodeLists(h))
	if err := errors.Join(errs...); err != nil {
		return p, fmt.Errorf("decode rpm header of %q: %w", p.Name, err)
	}
	return p, nil
}

func (p *Package) decodeNumbers(h *header) error {
	epoch, err := h.numbers(tagEpoch)
	if len(epoch) > 0 {
		p.Epoch, p.HasEpoch = binary.BigEndian.Uint32(epoch), true
	}
	md5, err2 := h.binary(tagSigMD5)
	if len(md5) == 16 {
		p.SigMD5 = hex.EncodeToString(md5)
	}
	key, err3 := h.signer()
	p.KeyID = key
	return errors.Join(err, err2, err3)
}

func (p *Package) decodeLists(h *header) error {
	var err1, err2, err3 error
	p.Requires, err1 = h.list(tagRequireName)
	p.Provides, err2 = h.list(tagProvideName)
	p.Files, err3 = h.files()
	return errors.Join(err1, err2, err3)
}
