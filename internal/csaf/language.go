package csaf

import (
	"cmp"
	_ "embed" // the registry
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/lazyre"
)

//go:embed subtags.txt
var subtagText string

// subtags is the IANA registry by type: "language", "extlang", "script",
// "region", "variant", "grandfathered". Extended languages have the language
// that they must follow.
var subtags = sync.OnceValue(func() map[string]map[string]string {
	out, kind := map[string]map[string]string{}, ""
	for l := range strings.Lines(subtagText) {
		if strings.HasPrefix(l, "#") {
			continue
		}
		for _, word := range strings.Fields(l) {
			if name, ok := strings.CutSuffix(word, ":"); ok {
				kind = name
				out[kind] = map[string]string{}
				continue
			}
			subtag, prefix, _ := strings.Cut(word, "=")
			out[kind][subtag] = prefix
		}
	}
	return out
})

// tagForm is the pattern of language tags in the schema: the grammar of RFC
// 5646 without most grandfathered tags. The groups are language, extended
// languages, script, region, variants, extensions, private use.
var tagForm = lazyre.New(`^(?:` +
	`([A-Za-z]{2,3}|[A-Za-z]{4,8})` +
	`((?:-[A-Za-z]{3}){0,3})` +
	`(-[A-Za-z]{4})?` +
	`(-(?:[A-Za-z]{2}|[0-9]{3}))?` +
	`((?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)` +
	`((?:-[A-WY-Za-wy-z0-9](?:-[A-Za-z0-9]{2,8})+)*)` +
	`(-[Xx](?:-[A-Za-z0-9]{1,8})+)?)$`)

// otherTags are the tags outside of that grammar which the schema allows.
var otherTags = lazyre.New(`^(?:[Xx](?:-[A-Za-z0-9]{1,8})+|(?i:i-default|i-mingo))$`)

// isLanguageTag reports whether s has the form of a language tag.
func isLanguageTag(s string) bool {
	if otherTags.Get().MatchString(s) {
		return true
	}
	m := tagForm.Get().FindStringSubmatch(s)
	return m != nil && (len(m[1]) <= 3 || m[2] == "")
}

// languageFault says what is wrong with a well-formed tag, or "": a subtag that
// is not registered, an extended language after another one than its own, or
// a variant or extension that is there twice.
//
// Source: RFC 5646, section 2.2.9, "valid".
func languageFault(tag string) string {
	tag = strings.ToLower(tag)
	if _, ok := subtags()["grandfathered"][tag]; ok || strings.HasPrefix(tag, "x-") {
		return ""
	}
	m := tagForm.Get().FindStringSubmatch(tag)
	if m == nil {
		return fmt.Sprintf("%q is no language tag", tag)
	}
	if why := unregistered("language", m[1]); why != "" {
		return why
	}
	for i, ext := range fields(m[2]) {
		prefix, ok := subtags()["extlang"][ext]
		switch {
		case !ok:
			return unregistered("extlang", ext)
		case i > 0 || prefix != m[1]:
			return fmt.Sprintf("extended language %q must follow %q", ext, prefix)
		}
	}
	why := ""
	if m[3] != "" {
		why = unregistered("script", m[3][1:])
	}
	if m[4] != "" {
		why = cmp.Or(why, unregistered("region", m[4][1:]))
	}
	return cmp.Or(why, variantFault(fields(m[5])), singletonFault(fields(m[6])))
}

func variantFault(variants []string) string {
	for i, v := range variants {
		if slices.Contains(variants[:i], v) {
			return fmt.Sprintf("variant %q is there twice", v)
		}
		if why := unregistered("variant", v); why != "" {
			return why
		}
	}
	return ""
}

func singletonFault(parts []string) string {
	var seen []string
	for _, p := range parts {
		if len(p) != 1 {
			continue
		}
		if slices.Contains(seen, p) {
			return fmt.Sprintf("extension %q is there twice", p)
		}
		seen = append(seen, p)
	}
	return ""
}

func fields(group string) []string {
	return strings.FieldsFunc(group, func(c rune) bool { return c == '-' })
}

// unregistered says that a subtag is not in the registry, or "".
func unregistered(kind, subtag string) string {
	table := subtags()[kind]
	if _, ok := table[subtag]; ok || isPrivateSubtag(kind, subtag) {
		return ""
	}
	return fmt.Sprintf("%s %q is not in the IANA registry of 2025-08-25", kind, subtag)
}

// privateRanges are the subtags of the registry that are for private use, by
// type: its ranges.
var privateRanges = map[string][][2]string{
	"language": {{"qaa", "qtz"}}, "script": {{"qaaa", "qabx"}}, "region": {{"qm", "qz"}, {"xa", "xz"}, {"aa", "aa"}, {"zz", "zz"}},
}

func isPrivateSubtag(kind, subtag string) bool {
	return slices.ContainsFunc(privateRanges[kind], func(r [2]string) bool {
		return len(subtag) == len(r[0]) && subtag >= r[0] && subtag <= r[1]
	})
}

// isPrivateLanguage reports whether a tag has a subtag for private use.
func isPrivateLanguage(tag string) bool {
	tag = strings.ToLower(tag)
	m := tagForm.Get().FindStringSubmatch(tag)
	if m == nil {
		return strings.HasPrefix(tag, "x-")
	}
	return m[7] != "" || isPrivateSubtag("language", m[1]) || isPrivateSubtag("script", strings.Trim(m[3], "-")) || isPrivateSubtag("region", strings.Trim(m[4], "-"))
}
