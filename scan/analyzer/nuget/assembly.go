package nuget

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// readAssembly reads a PE file: one fact for an assembly, none for anything else.
func readAssembly(f *analyzer.File) ([]analyzer.Fact, error) {
	r, err := f.ReaderAt()
	if err != nil {
		return nil, err
	}
	m, err := readImage(r, f.Size)
	if errors.Is(err, errNotCLI) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	a, err := m.assembly()
	if err != nil || a == nil || a.culture {
		return nil, err
	}
	if a.name == "" {
		return nil, fmt.Errorf("an assembly without a name: %w", fault.Invalid)
	}
	info, err := m.versionInfo()
	p := &sbom.Package{Name: a.name, Originator: info["CompanyName"], Copyright: info["LegalCopyright"]}
	own := fmt.Sprintf("%d.%d.%d.%d", a.version[0], a.version[1], a.version[2], a.version[3])
	if own == "0.0.0.0" {
		own = "" // nobody set it
	}
	p.Version = assemblyVersion(info["ProductVersion"], info["FileVersion"], own)
	p.PURL = packageURL(p.Name, p.Version)
	property := func(name, value string) {
		if value != "" {
			p.Properties = append(p.Properties, sbom.Property{Name: name, Value: value})
		}
	}
	property(propertyAssembly, own)
	property(propertyEvidence, "assembly")
	property(propertyFile, info["FileVersion"])
	property(propertyRID, platform(m.machine))
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Scope: scopeAssembly, Key: f.Path, Package: p}}, err
}

// assemblyVersion returns the version that is most likely the package's. The informational
// one is it by default (Microsoft.NET.Sdk, "InformationalVersion"), with the commit behind
// "+", or words behind a blank. That of the file has a build number as the fourth, and that of
// the assembly stays the same for all that is compatible.
func assemblyVersion(informational, file, own string) string {
	for _, v := range []string{informational, file, own} {
		v, _, _ = strings.Cut(strings.TrimSpace(v), " ")
		if isVersion(v) && strings.Trim(v, "0.") != "" {
			return plainVersion(v)
		}
	}
	return ""
}

// systems are what the compiler of .NET (crossgen) exclusive-ors the machine with where code
// is not for Windows (dotnet/runtime, "ReadyToRun", IMAGE_FILE_MACHINE).
var systems = [...]struct {
	mask uint16
	name string
}{{0, "win"}, {0x7b79, "linux"}, {0x4644, "osx"}, {0xadc4, "freebsd"}}

// platform names the system and machine that an assembly was compiled for, by .NET's runtime
// identifiers; "" for one that runs anywhere. A libc is not told apart.
func platform(machine uint16) string {
	for _, s := range systems {
		switch machine ^ s.mask {
		case 0x8664:
			return s.name + "-x64"
		case 0xaa64:
			return s.name + "-arm64"
		case 0x01c4:
			return s.name + "-arm"
		case 0x014c:
			if s.mask != 0 { // also written by compilers for any machine
				return s.name + "-x86"
			}
		}
	}
	return ""
}
