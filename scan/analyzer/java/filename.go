package java

import (
	"path"
	"strings"
)

// fileName is what the name of an archive suggests: "artifact-version.jar", by
// the convention of Maven repositories.
type fileName struct {
	stem       string // without extension
	extension  string // lower case, without dot
	artifact   string // the stem where it has no version
	version    string
	classifier string
	doubtful   bool // the version ends in a word that belongs to none
}

// parseFileName splits the last element of a path. The version begins at the
// first dash before a digit from which on there are only numbers, qualifiers
// and at last a classifier: "log4j-1.2-api-2.20.0" is log4j-1.2-api.
func parseFileName(p string) fileName {
	base := strings.ToValidUTF8(path.Base(p), "\uFFFD")
	ext := path.Ext(base)
	f := fileName{stem: strings.TrimSuffix(base, ext), extension: strings.ToLower(strings.TrimPrefix(ext, "."))}
	if f.stem == "" {
		f.stem = base
	}
	f.artifact = f.stem
	words := strings.Split(f.stem, "-")
	if len(words) > 64 { // not a name that a build gives
		return f
	}
	for i, off := 1, len(words[0]); i < len(words); i++ {
		if ok, foreign := versionWords(words[i:]); ok && off > 0 && isVersion(f.stem[off+1:]) {
			f.artifact = f.stem[:off]
			f.version, f.classifier = splitClassifier(words[i:])
			f.doubtful = foreign && f.classifier == ""
			return f
		}
		off += 1 + len(words[i])
	}
	return f
}

// versionWords reports whether the words of a stem, split at dashes, are a
// version, and whether it ends in a word that belongs to none: a classifier, or
// a sign that this is a name.
func versionWords(words []string) (ok, foreign bool) {
	if words[0] == "" || !isDigit(words[0][0]) || strings.HasSuffix(words[0], ".x") {
		return false, false
	}
	for _, w := range words[1:] {
		switch {
		case w == "":
			return false, false
		case isDigit(w[0]) && foreign:
			return false, false // a later number: the version begins there
		case !isDigit(w[0]) && !isQualifier(w):
			foreign = true
		}
	}
	return true, foreign
}

// splitClassifier separates known classifiers from a version. What is not
// known stays in the version: guava-31.1-jre is version 31.1-jre.
func splitClassifier(words []string) (version, classifier string) {
	for i := 1; i < len(words); i++ {
		if tail := strings.Join(words[i:], "-"); isClassifier(tail) {
			return strings.Join(words[:i], "-"), tail
		}
	}
	return strings.Join(words, "-"), ""
}

// isQualifier reports whether w continues a version behind a dash: the
// qualifiers that Maven orders, and those in common use.
func isQualifier(w string) bool {
	w = strings.TrimRight(strings.ToLower(w), "0123456789.")
	switch w {
	case "alpha", "a", "beta", "b", "milestone", "m", "rc", "cr", "snapshot", "ga", "final", "release", "sp",
		"jre", "android", "jdk", "java", "incubating", "pre", "preview", "dev", "build", "v", "r", "rev", "ea", "hotfix", "patch", "p":
		return true
	}
	return false
}

// isClassifier reports whether s names a variant of an artifact.
func isClassifier(s string) bool {
	switch s {
	case "sources", "javadoc", "tests", "test", "shaded", "all", "uber", "fat", "nodep", "no_aop", "classes", "exec", "boot",
		"jar-with-dependencies", "native", "natives", "runtime", "client", "embedded", "standalone", "bundle", "osgi", "jakarta":
		return true
	}
	system, arch, _ := strings.Cut(s, "-")
	switch system {
	case "linux", "osx", "windows", "macos", "darwin", "win":
	default:
		return false
	}
	switch arch {
	case "", "x86_64", "x86_32", "x86", "aarch_64", "aarch64", "amd64", "arm64", "arm32", "armhf", "ppcle_64", "ppc64le", "s390_64", "s390x", "riscv64", "x64", "i386",
		"x86_64-fedora":
		return true
	}
	return false
}
