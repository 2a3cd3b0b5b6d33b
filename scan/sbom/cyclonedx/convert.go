package cyclonedx

import (
	"cmp"
	"encoding/hex"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// These functions read members in both directions: Decode fills the model by
// them, and Encode asks by them whether a foreign member that says more than
// the model still agrees with it.

// packageName joins group and name into the ecosystem's own spelling.
func packageName(group, name string, p purl.PackageURL) string {
	switch {
	case group == "":
		return name
	case p.Type == "maven":
		return group + ":" + name
	case p.Type == "npm", p.Type != "" && p.Namespace != "" && strings.EqualFold(p.Namespace, group) && !distroType(p.Type):
		return group + "/" + name
	}
	return name
}

// groupName parts a name into what Encode writes as group and name: the group
// is split off where that is the custom of the ecosystem.
func groupName(full string, p purl.PackageURL) (group, name string) {
	separator := ""
	switch p.Type {
	case "maven":
		separator = ":"
	case "npm", "composer":
		separator = "/"
	}
	if separator == "" || p.Namespace == "" {
		return "", full
	}
	group, name, ok := strings.Cut(full, separator)
	if !ok || group != p.Namespace || name == "" {
		return "", full
	}
	return group, name
}

func distroType(t string) bool { return t == "deb" || t == "rpm" || t == "apk" || t == "alpm" }

// packageVersion adds the epoch that rpm package URLs carry apart.
func packageVersion(version string, p purl.PackageURL) string {
	if p.Type != "rpm" || version == "" || strings.Contains(version, ":") {
		return version
	}
	if epoch := p.Qualifier("epoch"); epoch != "" {
		return epoch + ":" + version
	}
	return version
}

// scopeOf reads a scope; an unknown one counts as runtime.
func scopeOf(s string) (scope sbom.Scope, known bool) {
	switch s {
	case "", "required":
		return sbom.ScopeRuntime, true
	case "optional":
		return sbom.ScopeOptional, true
	case "excluded":
		return sbom.ScopeDev, true
	}
	return sbom.ScopeRuntime, false
}

func scopeText(s sbom.Scope) string {
	switch s {
	case sbom.ScopeOptional:
		return "optional"
	case sbom.ScopeDev:
		return "excluded"
	}
	return ""
}

// componentTypes are those of 1.4; members.txt has the later ones.
var componentTypes = map[string]bool{
	"application": true, "framework": true, "library": true, "container": true,
	"operating-system": true, "device": true, "firmware": true, "file": true,
}

// knownType reports whether a version of CycloneDX has that component type.
func knownType(t string, v version) bool {
	since, ok := shapes().enums["componentType"].since[t]
	return componentTypes[t] || ok && since <= int(v)
}

// hashAlgorithms gives the model's names and the lengths in hex digits.
var hashAlgorithms = []struct {
	theirs, ours string
	length       int
}{
	{"MD5", "md5", 32}, {"SHA-1", "sha1", 40}, {"SHA-256", "sha256", 64}, {"SHA-384", "sha384", 96},
	{"SHA-512", "sha512", 128}, {"SHA3-256", "sha3256", 64}, {"SHA3-384", "sha3384", 96}, {"SHA3-512", "sha3512", 128},
	{"BLAKE2b-256", "blake2b256", 64}, {"BLAKE2b-384", "blake2b384", 96}, {"BLAKE2b-512", "blake2b512", 128},
	{"BLAKE3", "blake3", 64}, {"Streebog-256", "streebog256", 64}, {"Streebog-512", "streebog512", 128},
}

// hashOf reads {alg, content}; ok is false where the model cannot hold all of
// it as it is.
func hashOf(n *node) (h sbom.Hash, ok bool) {
	for _, a := range hashAlgorithms {
		if alg, content := n.str("alg"), n.str("content"); alg == a.theirs {
			return sbom.Hash{Algorithm: a.ours, Value: content}, len(n.fields) == 2 && hexDigits(content, a.length)
		}
	}
	return sbom.Hash{}, false
}

func hashName(h sbom.Hash) (name string, ok bool) {
	for _, a := range hashAlgorithms {
		if h.Algorithm == a.ours {
			return a.theirs, hexDigits(h.Value, a.length)
		}
	}
	return "", false
}

func hexDigits(s string, length int) bool {
	if len(s) != length || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// supplierOf reads an organisation as "Name (mail)"; ok is false where it says
// more.
func supplierOf(n *node) (s string, ok bool) {
	name := n.str("name")
	contacts := n.get("contact")
	if name == "" || len(contacts.items) == 0 {
		return name, name != "" && len(n.fields) == 1
	}
	mail := contacts.items[0].str("email")
	if !mailAddress(mail) {
		return name, false
	}
	exact := len(n.fields) == 2 && len(contacts.items) == 1 && len(contacts.items[0].fields) == 1
	return name + " (" + mail + ")", exact
}

// cutSupplier is the way back from supplierOf.
func cutSupplier(s string) (name, mail string) {
	if i := strings.LastIndex(s, " ("); i > 0 && strings.HasSuffix(s, ")") && mailAddress(s[i+2:len(s)-1]) {
		return s[:i], s[i+2 : len(s)-1]
	}
	return s, ""
}

func mailAddress(s string) bool {
	return strings.Count(s, "@") == 1 && !strings.ContainsAny(s, " ()\t\r\n")
}

// originatorOf names the authors of 1.6, for which the model has one text.
func originatorOf(authors *node) string {
	var names []string
	for i := range authors.items {
		if name := cmp.Or(authors.items[i].str("name"), authors.items[i].str("email")); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// createdOf brings a timestamp to UTC and seconds.
func createdOf(timestamp string) (string, bool) {
	t, err := time.Parse(time.RFC3339, timestamp)
	if err != nil || t.UTC().Year() < 0 || t.UTC().Year() > 9999 {
		return "", false
	}
	return t.UTC().Format(time.RFC3339), true
}

// locationOf reads one occurrence; ok is false where it says more than a path
// relative to the root.
func locationOf(n *node) (path string, ok bool) {
	location := n.str("location")
	path = strings.TrimLeft(location, "/")
	return path, path != "" && path == location && len(n.fields) == 1
}

// fitURI reports whether s can stand where the schemas want a URI reference.
func fitURI(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7F || strings.IndexByte("<>[]\"{}|\\^`", s[i]) >= 0 {
			return false
		}
		if s[i] == '%' && (i+2 >= len(s) || !hexDigits(strings.ToLower(s[i+1:i+3]), 2)) {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && !strings.Contains(u.Fragment, "#")
}

// maxVersionLength is that of versions in the JSON schemas, in characters.
const maxVersionLength = 1024

func fitVersion(s string) bool {
	return len(s) <= maxVersionLength || utf8.RuneCountInString(s) <= maxVersionLength
}
