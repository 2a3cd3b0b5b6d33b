package oval

import (
	"slices"
	"strings"
)

// publisher is how one distribution writes OVAL.
type publisher struct {
	// name returns the id of a definition's record, "" where it has none, and
	// what is left of the title.
	name func(def *definition, title string) (id, rest string)
	// ecosystems are those of a product that criteria ask for, "" where they
	// ask for none.
	ecosystems func(doc string, def *definition, product string) []string
}

// firstWord cuts the advisory's id off a title, "RHSA-2019:3927: ansible …".
func firstWord(title string, prefixes ...string) (id, rest string) {
	id, rest, _ = strings.Cut(title, " ")
	id = strings.TrimSuffix(id, ":")
	if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) }) {
		return "", title
	}
	return id, strings.TrimSpace(rest)
}

var redHat = publisher{
	name: func(def *definition, title string) (string, string) {
		if id, rest := firstWord(title, "RHSA-", "RHBA-", "RHEA-"); id != "" {
			return id, rest
		}
		prefix := "REDHAT-"
		if rest, ok := strings.CutPrefix(title, "Unaffected components for: "); ok {
			title, prefix = rest, "REDHAT-UNAFFECTED-"
		}
		if id, rest := firstWord(title, "CVE-"); id != "" {
			return prefix + id, rest
		}
		return "", title
	},
	ecosystems: func(_ string, def *definition, product string) []string {
		var out []string
		for _, cpe := range def.Metadata.Advisory.CPEs {
			if e := fromCPE(strings.TrimSpace(cpe)); e != "" && !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
		if len(out) == 0 {
			out = numbered(product, "Red Hat Enterprise Linux ", "Red Hat:enterprise_linux:", "")
		}
		if len(out) == 0 { // beside which the release that it is made of stands
			out = numbered(product, "Red Hat CoreOS ", "Red Hat:coreos:", "")
		}
		return out
	},
}

// fromCPE makes "Red Hat:enterprise_linux:8" of
// "cpe:/a:redhat:enterprise_linux:8::appstream": a definition does not say which
// package is in which repository.
func fromCPE(cpe string) string {
	parts := strings.Split(cpe, ":")
	if len(parts) < 4 || parts[0] != "cpe" || parts[2] != "redhat" {
		return ""
	}
	e := "Red Hat:" + parts[3]
	if len(parts) > 4 && parts[4] != "" {
		e += ":" + parts[4]
	}
	return e
}

var oracle = publisher{
	name: func(_ *definition, title string) (string, string) { return firstWord(title, "ELSA-", "ELBA-", "ELEA-") },
	ecosystems: func(_ string, def *definition, product string) []string {
		return numbered(orPlatform(def, product), "Oracle Linux ", "Oracle Linux:", "")
	},
}

var photon = publisher{
	name: func(_ *definition, title string) (string, string) { return firstWord(title, "PHSA-") },
	ecosystems: func(_ string, def *definition, product string) []string {
		product = strings.Replace(orPlatform(def, product), "Photon OS ", "Photon ", 1)
		return numbered(product, "Photon ", "Photon OS:", ".0")
	},
}

// orPlatform is the product, or the only platform of a definition.
func orPlatform(def *definition, product string) string {
	if p := def.Metadata.Platforms; product == "" && len(p) == 1 {
		return strings.TrimSpace(p[0])
	}
	return product
}

// numbered makes the ecosystem of a product that ends with a release. A
// release of one part has the suffix.
func numbered(product, prefix, base, suffix string) []string {
	release, ok := strings.CutPrefix(product, prefix)
	if !ok || release == "" || strings.Trim(release, "0123456789.") != "" {
		return nil
	}
	if !strings.Contains(release, ".") {
		release += suffix
	}
	return []string{base + release}
}

var suse = publisher{
	name: func(_ *definition, title string) (string, string) {
		if id, rest := firstWord(title, "SUSE-", "openSUSE-"); id != "" {
			return id, rest
		}
		if id, rest := firstWord(title, "CVE-"); id != "" {
			return "SUSE-" + id, rest
		}
		return "", title
	},
	ecosystems: func(_ string, _ *definition, product string) []string {
		if rest, ok := strings.CutPrefix(product, "SUSE "); ok && rest != "" {
			return []string{"SUSE:" + rest}
		}
		if rest, ok := strings.CutPrefix(product, "openSUSE "); ok && rest != "" {
			return []string{"openSUSE:" + rest}
		}
		return nil
	},
}

var azure = publisher{
	name: func(def *definition, title string) (string, string) {
		number, _, _ := strings.Cut(strings.TrimSpace(def.Metadata.Number), "-")
		if number == "" || strings.Trim(number, "0123456789") != "" {
			return "", title
		}
		return "AZL-" + number, title
	},
	// Its criteria ask for no product: the document's name tells the release.
	ecosystems: func(doc string, _ *definition, _ string) []string {
		name := doc[strings.LastIndexByte(doc, '/')+1:]
		for _, prefix := range []string{"azurelinux-", "cbl-mariner-"} {
			rest, ok := strings.CutPrefix(name, prefix)
			release, _, _ := strings.Cut(rest, "-")
			major, minor, dotted := strings.Cut(release, ".")
			if ok && dotted && minor == "0" && major != "" && strings.Trim(major, "0123456789") == "" {
				return []string{"Azure Linux:" + major}
			}
		}
		return nil
	},
}
