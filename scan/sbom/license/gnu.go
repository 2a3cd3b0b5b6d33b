package license

import "strings"

// gnuNames are the folded spellings of the GNU licences, longest first where one
// is the start of another.
var gnuNames = []struct{ spelling, family string }{
	{"gnu lesser general public", "LGPL"}, {"lesser general public", "LGPL"},
	{"gnu library or lesser general public", "LGPL"}, {"gnu library general public", "LGPL"},
	{"gnu affero general public", "AGPL"}, {"affero general public", "AGPL"},
	{"gnu general public", "GPL"}, {"general public", "GPL"},
	{"gnu free documentation", "GFDL"}, {"gfdl-niv", "GFDL-NIV"},
	{"gnu lgpl", "LGPL"}, {"gnu agpl", "AGPL"}, {"gnu gpl", "GPL"}, {"gnu fdl", "GFDL"},
	{"lgpl", "LGPL"}, {"agpl", "AGPL"}, {"gfdl", "GFDL"}, {"gpl", "GPL"},
}

// gnuVersions are the versions that exist, by the spellings in use.
var gnuVersions = map[string]map[string]string{
	"GPL":      {"1": "1.0", "1.0": "1.0", "2": "2.0", "2.0": "2.0", "3": "3.0", "3.0": "3.0"},
	"LGPL":     {"2": "2.0", "2.0": "2.0", "2.1": "2.1", "3": "3.0", "3.0": "3.0"},
	"AGPL":     {"1": "1.0", "1.0": "1.0", "3": "3.0", "3.0": "3.0"},
	"GFDL":     {"1.1": "1.1", "1.2": "1.2", "1.3": "1.3"},
	"GFDL-NIV": {"1.1": "1.1", "1.2": "1.2", "1.3": "1.3"},
}

// gnuSuffixes say whether later versions are allowed.
var gnuSuffixes = map[string]string{
	"": "-only", "only": "-only", "-only": "-only",
	"+": "-or-later", "or later": "-or-later", "-or-later": "-or-later", "or newer": "-or-later", "and later": "-or-later",
	"or any later": "-or-later", "or at your option any later": "-or-later", "or greater": "-or-later",
}

// gnu reads "gpl-2+", "gplv2 or later", "gnu lesser general public 2.1" and the
// like. A name without a version is ambiguous and gives "".
func gnu(key string) string {
	for _, n := range gnuNames {
		rest, ok := strings.CutPrefix(key, n.spelling)
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, " -")
		rest = strings.TrimPrefix(rest, strings.ToLower(n.family)+" ") // "GNU General Public License (GPL), version 2"
		rest = strings.TrimPrefix(rest, "v")
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		version := gnuVersions[n.family][rest[:digits]]
		suffix := gnuSuffixes[strings.TrimSpace(rest[digits:])]
		if version == "" || suffix == "" {
			return ""
		}
		if n.family == "GFDL-NIV" {
			return licence("GFDL-" + version + "-no-invariants" + suffix)
		}
		return licence(n.family + "-" + version + suffix)
	}
	return ""
}

// exceptionFor returns the exception that words name beside a licence, or "".
func exceptionFor(base, words string) string {
	if id := listed(exceptionIDs, strings.TrimSpace(words)); id != "" {
		return id
	}
	key := strings.ReplaceAll(fold(words), "-", " ")
	key = strings.TrimSuffix(strings.TrimSuffix(key, "s"), " exception")
	if versions, ok := exceptions[key]; ok {
		if strings.Contains(base, "3") && versions[1] != "" {
			return versions[1]
		}
		return versions[0]
	}
	return ""
}

// exceptions are the folded names of exceptions, with the identifier beside
// version 3 licences where that is another one.
var exceptions = map[string][2]string{
	"classpath":           {"Classpath-exception-2.0"},
	"gnu classpath":       {"Classpath-exception-2.0"},
	"classpath 2.0":       {"Classpath-exception-2.0"},
	"autoconf":            {"Autoconf-exception-2.0", "Autoconf-exception-3.0"},
	"bison":               {"Bison-exception-2.2"},
	"font":                {"Font-exception-2.0"},
	"libtool":             {"Libtool-exception"},
	"llvm":                {"LLVM-exception"},
	"texinfo":             {"Texinfo-exception"},
	"linux syscall note":  {"Linux-syscall-note"},
	"gcc":                 {"GCC-exception-2.0", "GCC-exception-3.1"},
	"gcc runtime library": {"GCC-exception-2.0", "GCC-exception-3.1"},
}
