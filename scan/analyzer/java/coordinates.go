package java

import (
	"strings"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// coordinates name a Maven artifact. Empty parts are unknown.
type coordinates struct {
	group, artifact, version string
	classifier               string // variant of the same artifact, such as "linux-x86_64"
	packaging                string // type other than "jar"
}

// complete reports whether c names one release of one artifact.
func (c coordinates) complete() bool { return c.group != "" && c.artifact != "" && c.version != "" }

// or returns c with what it lacks taken from d.
func (c coordinates) or(d coordinates) coordinates {
	return coordinates{
		group: firstText(c.group, d.group), artifact: firstText(c.artifact, d.artifact), version: firstText(c.version, d.version),
		classifier: firstText(c.classifier, d.classifier), packaging: firstText(c.packaging, d.packaging),
	}
}

// name is the package's name: "group:artifact", or the artifact alone.
func (c coordinates) name() string {
	if c.group == "" {
		return c.artifact
	}
	return c.group + ":" + c.artifact
}

// url returns the package URL, which needs a group: a Maven artifact has no
// name without one.
func (c coordinates) url() purl.PackageURL {
	if c.group == "" || c.artifact == "" {
		return purl.PackageURL{}
	}
	u := purl.PackageURL{Type: "maven", Namespace: c.group, Name: c.artifact, Version: c.version}
	if c.classifier != "" {
		u = u.With("classifier", c.classifier)
	}
	if c.packaging != "" && c.packaging != "jar" {
		u = u.With("type", c.packaging)
	}
	return u
}

// pkg returns the package that c names.
func (c coordinates) pkg() *sbom.Package {
	return &sbom.Package{Name: c.name(), Version: c.version, PURL: c.url()}
}

// isID reports whether s can be a group or artifact id: letters, digits, dots,
// dashes and underscores, which is what Maven itself allows.
func isID(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// isVersion reports whether s can be a version: no blanks, no placeholders, no
// range, none of the characters that Maven refuses.
func isVersion(s string) bool {
	return s != "" && len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`\/:"<>|?*[](){},$;`, r)
	})
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
