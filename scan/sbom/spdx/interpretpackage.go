package spdx

import (
	"encoding/hex"
	"strings"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// pkg reads one package, without our annotations.
func (in *interpreter) pkg(e *packageElement) sbom.Package {
	p := sbom.Package{ID: modelID(e.SPDXID), Name: text(e.Name), Type: typeOf(e.Purpose)}
	if p.Name == "" && e.ext == nil {
		in.note(e.SPDXID, "the package has no name")
	}
	p.PURL = in.packageURL(e)
	p.Version = versionOf(e.Version, p.PURL)
	p.Arch = archOf(p.PURL)
	p.Upstream = upstreamOf(e, &p)
	p.Licenses = append(in.license(e.LicenseDeclared, sbom.LicenseDeclared), in.license(e.LicenseConcluded, sbom.LicenseConcluded)...)
	for _, c := range e.Checksums {
		if h, ok := hashOf(c); ok {
			p.Hashes = append(p.Hashes, h)
		} else {
			in.note(e.SPDXID, "checksum %.20s: %.140q is not one", c.Algorithm, c.Value)
		}
	}
	for _, r := range e.ExternalRefs {
		if cpe, ok := cpeOf(r); ok {
			p.CPEs = append(p.CPEs, cpe)
		}
	}
	p.Description = description(e)
	p.Supplier, p.Originator = actor(e.Supplier), actor(e.Originator)
	p.Homepage, p.Download, p.Copyright = asserted(e.Homepage), asserted(e.Download), asserted(e.Copyright)
	return p
}

// modelID returns the ID of an element in the model.
func modelID(spdxID string) string { return strings.TrimPrefix(spdxID, "SPDXRef-") }

// packageURL returns the first package URL of e that can be read.
func (in *interpreter) packageURL(e *packageElement) purl.PackageURL {
	for _, r := range e.ExternalRefs {
		if !isPURL(r) {
			continue
		}
		u, err := purl.Parse(r.Locator)
		if err == nil {
			return u
		}
		in.gap(sbom.Gap{Code: sbom.GapUnreadable, Blocking: true, Where: e.SPDXID, What: "package URL: " + err.Error()})
	}
	return purl.PackageURL{}
}

// isPURL reports whether r holds a package URL. The category was spelled with an
// underscore in the JSON form of 2.2.
func isPURL(r externalRef) bool {
	return r.Type == "purl" && (r.Category == categoryPackage || r.Category == "PACKAGE_MANAGER")
}

// cpeOf returns the CPE 2.3 name that r holds. Names in the older form (cpe22Type)
// are kept as they are, outside the model.
func cpeOf(r externalRef) (string, bool) {
	if r.Category != categorySecurity || r.Type != "cpe23Type" || !strings.HasPrefix(r.Locator, "cpe:2.3:") {
		return "", false
	}
	return r.Locator, true
}

const (
	categoryPackage  = "PACKAGE-MANAGER"
	categorySecurity = "SECURITY"
)

// versionOf returns the version with the epoch that only the package URL has.
func versionOf(p *string, u purl.PackageURL) string {
	v := text(p)
	if epoch := u.Qualifier("epoch"); u.Type == "rpm" && epoch != "" && epoch != "0" && v != "" && !strings.Contains(v, ":") {
		return epoch + ":" + v
	}
	return v
}

// archOf returns the architecture that a package URL of an operating system
// package names.
func archOf(u purl.PackageURL) string {
	switch u.Type {
	case "deb", "rpm", "apk", "alpm":
		return u.Qualifier("arch")
	}
	return ""
}

// builtFrom starts trivy's sourceInfo, which names the source package.
const builtFrom = "built package from: "

// upstreamOf returns the source package, where it is another than the package: by
// the qualifier "upstream" ("name", "name@version", or the file name of a source
// RPM), or by sourceInfo.
func upstreamOf(e *packageElement, p *sbom.Package) *sbom.Upstream {
	var u sbom.Upstream
	if s := p.PURL.Qualifier("upstream"); s != "" {
		u.Name, u.Version, _ = strings.Cut(s, "@")
		if file, ok := strings.CutSuffix(s, ".rpm"); ok && p.PURL.Type == "rpm" {
			u = sourceRPM(file)
		}
	} else if s, ok := strings.CutPrefix(text(e.SourceInfo), builtFrom); ok {
		u.Name, u.Version, _ = strings.Cut(s, " ")
	}
	_, release, ok := strings.Cut(p.Version, ":")
	if u.Version == p.Version || ok && u.Version == release {
		u.Version = ""
	}
	if u.Name == "" || u.Name == p.Name && u.Version == "" {
		return nil
	}
	return &u
}

// sourceRPM splits "name-version-release.src".
func sourceRPM(file string) sbom.Upstream {
	base, _, _ := cutLast(file, ".")
	rest, release, ok1 := cutLast(base, "-")
	name, version, ok2 := cutLast(rest, "-")
	if !ok1 || !ok2 {
		return sbom.Upstream{Name: base}
	}
	return sbom.Upstream{Name: name, Version: version + "-" + release}
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// description returns the description, or else the summary.
func description(e *packageElement) string {
	if e.Description != nil {
		return *e.Description
	}
	return text(e.Summary)
}

// actor returns the name in "Person: name (mail)", "Organization: name ()" or
// "Tool: name".
func actor(p *string) string {
	s := asserted(p)
	for _, kind := range []string{"Organization:", "Person:", "Tool:"} {
		if name, ok := strings.CutPrefix(s, kind); ok {
			s = strings.TrimSpace(name)
			break
		}
	}
	return strings.TrimSpace(strings.TrimSuffix(s, "()"))
}

// purposes are the values of primaryPackagePurpose by the types of the model.
var purposes = map[string]string{
	"application": "APPLICATION", "framework": "FRAMEWORK", "library": "LIBRARY", "container": "CONTAINER",
	"operating-system": "OPERATING_SYSTEM", "device": "DEVICE", "firmware": "FIRMWARE", "file": "FILE",
}

// typeOf returns the type that a purpose stands for, or "". The specification
// spells OPERATING-SYSTEM, its JSON schema OPERATING_SYSTEM.
func typeOf(p *string) string {
	purpose := strings.ReplaceAll(text(p), "-", "_")
	t := strings.ReplaceAll(strings.ToLower(purpose), "_", "-")
	if purposes[t] == purpose {
		return t
	}
	return ""
}

// algorithms are the checksum algorithms of SPDX 2.3, by their name in the model,
// with the length of a digest in bytes; 0 where it is not fixed.
var algorithms = map[string]struct {
	name string
	size int
	new  bool // not in SPDX 2.2
}{
	"sha1": {"SHA1", 20, false}, "sha224": {"SHA224", 28, false}, "sha256": {"SHA256", 32, false}, "sha384": {"SHA384", 48, false},
	"sha512": {"SHA512", 64, false}, "md2": {"MD2", 16, false}, "md4": {"MD4", 16, false}, "md5": {"MD5", 16, false}, "md6": {"MD6", 0, false},
	"sha3256": {"SHA3-256", 32, true}, "sha3384": {"SHA3-384", 48, true}, "sha3512": {"SHA3-512", 64, true},
	"blake2b256": {"BLAKE2b-256", 32, true}, "blake2b384": {"BLAKE2b-384", 48, true}, "blake2b512": {"BLAKE2b-512", 64, true},
	"blake3": {"BLAKE3", 0, true}, "adler32": {"ADLER32", 4, true},
}

// hashOf reads a checksum.
func hashOf(c checksum) (sbom.Hash, bool) {
	name := strings.ReplaceAll(strings.ToLower(c.Algorithm), "-", "")
	a, known := algorithms[name]
	raw, err := hex.DecodeString(c.Value)
	if !known || err != nil || len(raw) == 0 || a.size != 0 && len(raw) != a.size {
		return sbom.Hash{}, false
	}
	return sbom.Hash{Algorithm: name, Value: strings.ToLower(c.Value)}, true
}
