package cyclonedx

import (
	"cmp"
	"strings"
	"time"

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
