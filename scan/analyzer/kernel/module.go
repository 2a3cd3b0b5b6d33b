package kernel

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// Limits of one module. Large graphics drivers have some 60 MB.
const (
	maxModule  = 128 << 20
	maxModinfo = 1 << 20
)

// unreadKey is the key of parts for modules that cannot be read; their scope is the folder.
const unreadKey = ":xz"

// readModule returns a part for a module that came with its kernel, and a package for
// another.
func readModule(f *analyzer.File) ([]analyzer.Fact, error) {
	suffix := moduleSuffix(f.Path)
	if suffix == ".ko.xz" {
		release, inTree := placeOf(f.Path)
		if inTree {
			return []analyzer.Fact{part(release)}, nil
		}
		return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: path.Dir(f.Path), Key: unreadKey}}, nil
	}
	data, err := moduleBytes(f, suffix)
	if err != nil {
		return nil, err
	}
	info, err := modinfo(data)
	if err != nil || info == nil {
		return nil, err
	}
	release, _, _ := strings.Cut(info["vermagic"], " ")
	switch {
	case release == "":
		return nil, nil // no module of a kernel
	case len(release) > maxRelease:
		return nil, fmt.Errorf("the release %.80q: %w", release, fault.Invalid)
	case info["intree"] != "":
		return []analyzer.Fact{part(release)}, nil
	}
	return []analyzer.Fact{part(release), ownPackage(f.Path, suffix, release, info)}, nil
}

// part says that something of a kernel is here.
func part(release string) analyzer.Fact {
	return analyzer.Fact{Kind: analyzer.KindPart, Scope: scope, Key: release}
}

// placeOf returns the release whose folder a module is in, and whether it lies where the
// kernel's own modules do.
func placeOf(file string) (release string, inTree bool) {
	_, rest, _ := strings.Cut("/"+file, "/lib/modules/")
	release, rest, _ = strings.Cut(rest, "/")
	return release, strings.HasPrefix(rest, "kernel/") && release != "" && len(release) <= maxRelease
}

// moduleBytes returns a module as the kernel loads it.
func moduleBytes(f *analyzer.File, suffix string) ([]byte, error) {
	if suffix == ".ko" {
		return f.Bytes(maxModule)
	}
	r, done, err := decompress(f, map[string]string{".ko.gz": "gzip", ".ko.zst": "zstd"}[suffix])
	if err != nil {
		return nil, err
	}
	defer done()
	var out bytes.Buffer
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		out.Write(buf[:n])
		if over := f.Budget.Derive(f.Path, int64(n)); over != nil {
			return nil, over
		}
		switch {
		case out.Len() > maxModule:
			return nil, &fault.LimitError{What: "bytes of a kernel module", Where: f.Path, Max: maxModule, Seen: int64(out.Len())}
		case err == io.EOF:
			return out.Bytes(), nil
		case err != nil:
			if with := kindly(err); with != nil {
				err = with
			}
			return nil, err
		}
	}
}

// modinfo returns the entries of the section .modinfo ("license=GPL", each ends in a zero
// byte); of several of one name, the first. What is no ELF file has none.
func modinfo(data []byte) (map[string]string, error) {
	if !bytes.HasPrefix(data, []byte(elf.ELFMAG)) {
		return nil, nil
	}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	s := file.Section(".modinfo")
	if s == nil || s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, nil
	}
	switch {
	case s.FileSize > maxModinfo:
		return nil, &fault.LimitError{What: "bytes of .modinfo", Where: ".modinfo", Max: maxModinfo, Seen: int64(min(s.FileSize, 1<<62))}
	case s.Offset > uint64(len(data)) || s.FileSize > uint64(len(data))-s.Offset:
		return nil, fmt.Errorf("section .modinfo ends behind the file: %w", fault.Invalid)
	}
	out := map[string]string{}
	for entry := range strings.SplitSeq(string(data[s.Offset:s.Offset+s.FileSize]), "\x00") {
		name, value, ok := strings.Cut(entry, "=")
		if _, again := out[name]; ok && !again {
			out[name] = strings.ToValidUTF8(strings.Join(strings.Fields(value), " "), "\uFFFD")
		}
	}
	return out, nil
}

// ownPackage returns a module that did not come with its kernel.
func ownPackage(file, suffix, release string, info map[string]string) analyzer.Fact {
	name := info["name"]
	if name == "" {
		name = strings.ReplaceAll(strings.TrimSuffix(path.Base(file), suffix), "-", "_")
	}
	p := &sbom.Package{Name: strings.ToValidUTF8(name, "\uFFFD"), Version: info["version"], Description: info["description"], Originator: info["author"]}
	p.PURL = locked.URL("generic", "", p.Name, p.Version)
	if l := info["license"]; l != "" {
		p.Licenses = []sbom.License{{Name: l}}
	}
	p.Properties = []sbom.Property{{Name: "kernel:release", Value: release}}
	if v := info["srcversion"]; v != "" {
		p.Properties = append(p.Properties, sbom.Property{Name: "kernel:srcversion", Value: v})
	}
	return analyzer.Fact{Kind: analyzer.KindPackage, Scope: scope, Key: file, Package: p, DependsOn: []string{release}}
}
