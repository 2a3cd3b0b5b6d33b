package ignorefile

import (
	"strings"

	"github.com/stella-ops/stella/vex"
)

// paths translates globs of the doublestar kind, in which "*" stands for characters
// other than "/", into patterns of exceptions, in which it stands for any. ok is false
// where that would cover more.
func paths(glob string) (out []string, ok bool) {
	glob = strings.TrimPrefix(strings.TrimPrefix(glob, "./"), "/")
	if glob == "" || strings.ContainsAny(glob, `?[]{}\`) {
		return nil, false
	}
	segments := strings.Split(glob, "/")
	for _, s := range segments {
		if s == "" || s != "**" && strings.Contains(s, "*") {
			return nil, false
		}
	}
	out = []string{""}
	for i, s := range segments {
		var next []string
		for _, p := range out {
			switch {
			case s != "**" && i == 0:
				next = append(next, s)
			case s != "**":
				next = append(next, join(p, s))
			case i == len(segments)-1:
				next = append(next, join(p, "*"))
			default: // no folder, or some
				next = append(next, p, join(p, "*"))
			}
		}
		if out = next; len(out) > 16 {
			return nil, false
		}
	}
	return out, true
}

func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// packageURL checks a package URL, which may have no version, as a pattern. "*" stands
// for itself in the files, so none may be in it.
func packageURL(s string) (why string) {
	if strings.ContainsAny(s, "*") {
		return `"*" stands for itself there, and for a segment in an exception`
	}
	if strings.Contains(s, "#") {
		return "an exception cannot say a subpath"
	}
	if !strings.HasPrefix(s, "pkg:") {
		return "it is no package URL"
	}
	if _, err := vex.ParsePattern(s); err != nil {
		return strings.TrimSuffix(err.Error(), ": "+ErrInvalid.Error())
	}
	return ""
}

// place says how package URLs of a type are made of a name.
type place struct {
	typ string
	// namespaces are those that packages of a name may be in; nil for none.
	namespaces []string
	// split is what separates namespace and name within the name; "" for nothing.
	split string
}

// places are the types of packages by the names that the files use: those of Grype
// (package.type) and of OSV (ecosystem).
func places(name string) (place, bool) {
	switch name {
	case "deb", "Debian", "Ubuntu":
		return place{"deb", []string{"debian", "ubuntu"}, ""}, true
	case "rpm":
		return place{"rpm", []string{"redhat", "fedora", "centos", "rocky", "almalinux", "oracle", "amazon", "amzn", "opensuse", "sles", "suse"}, ""}, true
	case "apk", "Alpine":
		return place{"apk", []string{"alpine", "wolfi", "chainguard"}, ""}, true
	case "npm":
		return place{"npm", nil, "/"}, true
	case "python", "PyPI":
		return place{"pypi", nil, ""}, true
	case "go-module", "Go":
		return place{"golang", nil, "/"}, true
	case "java-archive":
		return place{"maven", []string{"*"}, ""}, true
	case "Maven":
		return place{"maven", nil, ":"}, true
	case "gem", "RubyGems":
		return place{"gem", nil, ""}, true
	case "rust-crate", "crates.io":
		return place{"cargo", nil, ""}, true
	case "dotnet", "NuGet":
		return place{"nuget", nil, ""}, true
	case "php-composer", "Packagist":
		return place{"composer", nil, "/"}, true
	case "dart-pub", "Pub":
		return place{"pub", nil, ""}, true
	case "hex", "Hex":
		return place{"hex", nil, ""}, true
	}
	return place{}, false
}

// everywhere are the places where a package may be of which only the name is known.
func everywhere() []string {
	return []string{"deb", "rpm", "apk", "npm", "python", "go-module", "java-archive", "Maven", "gem", "rust-crate", "dotnet", "php-composer", "dart-pub", "hex"}
}

// patterns returns patterns for packages of a place by name and version, each of
// which may be empty. why says what an exception cannot say.
func (p place) patterns(name, version string) (out []string, why string) {
	if name == "" {
		if version != "" {
			return nil, "a version without a name"
		}
		return []string{"pkg:" + p.typ + "/**"}, ""
	}
	tail := escape(name)
	if p.split != "" {
		parts := strings.Split(name, p.split)
		for i := range parts {
			parts[i] = escape(parts[i])
		}
		tail = strings.Join(parts, "/")
	}
	if version != "" {
		tail += "@" + escape(version)
	}
	if p.namespaces == nil {
		out = []string{"pkg:" + p.typ + "/" + tail}
	}
	for _, n := range p.namespaces {
		if n == "*" && version != "" {
			return nil, "an exception cannot say a version of a " + p.typ + " package whose namespace it does not know"
		}
		out = append(out, "pkg:"+p.typ+"/"+n+"/"+tail)
	}
	for _, pattern := range out {
		if _, err := vex.ParsePattern(pattern); err != nil {
			return nil, strings.TrimSuffix(err.Error(), ": "+ErrInvalid.Error())
		}
	}
	return out, ""
}

// escape encodes what has a meaning in a package URL.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".-_~:", c) >= 0 {
			b.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
