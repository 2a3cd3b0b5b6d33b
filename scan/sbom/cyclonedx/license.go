package cyclonedx

import (
	"github.com/stella-ops/stella/scan/sbom"
)

// licenseOf reads one entry: {license:{…}} or {expression:…}.
func licenseOf(entry *node) (l sbom.License, exact, isExpression bool) {
	if entry.has("expression") {
		l.Expression = entry.str("expression")
		members := 1 + acknowledged(entry, &l)
		exact = len(entry.fields) == members && validExpression(l.Expression) && !licenseIDs()[l.Expression]
		if !validExpression(l.Expression) {
			l.Name, l.Expression = l.Expression, ""
		}
		return l, exact, true
	}
	inner := entry.get("license")
	members := acknowledged(&inner, &l)
	if id := inner.str("id"); id != "" {
		l.Expression = id
		members++
		exact = licenseIDs()[id]
	} else if name := inner.str("name"); name != "" {
		members++
		if exact = !validExpression(name); exact {
			l.Name = name
		} else {
			l.Expression = name
		}
	}
	if l.URL = inner.str("url"); l.URL != "" {
		members++
		exact = exact && fitURI(l.URL)
	}
	if l.Expression == "" && l.Name == "" {
		return sbom.License{}, false, false
	}
	return l, exact && len(inner.fields) == members && len(entry.fields) == 1, false
}

// acknowledged reads who says so and returns how many members that took.
func acknowledged(n *node, l *sbom.License) int {
	if n.str("acknowledgement") != "concluded" {
		return 0
	}
	l.Kind = sbom.LicenseConcluded
	return 1
}

// sameLicenses compares without regard to order and repetition.
func sameLicenses(a, b []sbom.License) bool {
	set := make(map[sbom.License]bool, len(a))
	for _, l := range a {
		set[l] = true
	}
	found := make(map[sbom.License]bool, len(b))
	for _, l := range b {
		if !set[l] {
			return false
		}
		found[l] = true
	}
	return len(found) == len(set)
}

// checkLicenses notes entries that name no licence, or one that is not listed.
func (r *reader) checkLicenses(list *node) {
	for i := range list.items {
		entry := &list.items[i]
		inner := entry.get("license")
		id, name := inner.str("id"), inner.str("name")
		switch {
		case entry.has("expression") && entry.has("license"), id != "" && name != "":
			r.noteHere("a licence is stated in two ways")
		case !entry.has("expression") && id == "" && name == "":
			r.noteHere("a licence has neither id nor name")
		case id != "" && !licenseIDs()[id]:
			r.noteHere("licence id " + quote(id) + " is not in the SPDX list")
		}
	}
}
