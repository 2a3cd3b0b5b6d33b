package gobinary

import (
	"runtime/debug"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// settings returns the architecture and appends the build settings that help
// to judge a finding. The linker flags are not among them as a whole, because
// people pass secrets in them.
func settings(list []debug.BuildSetting, to []sbom.Property) (arch string, _ []sbom.Property) {
	for _, s := range list {
		switch s.Key {
		case "GOARCH":
			arch = s.Value
		case "GOOS", "CGO_ENABLED", "GOFIPS140", "GOEXPERIMENT", "-tags", "vcs", "vcs.revision", "vcs.time", "vcs.modified":
			to = append(to, sbom.Property{Name: "go:" + strings.TrimPrefix(s.Key, "-"), Value: s.Value})
		case "-ldflags":
			if v := flagVersion(s.Value); v != "" {
				to = append(to, sbom.Property{Name: "go:ldflags-version", Value: v})
			}
		}
	}
	return arch, to
}

// flagVersion returns the version that linker flags set by -X, if there is
// exactly one: a variable called version, such as main.version, and a value
// that reads like a version. It is a hint, never the package's version.
func flagVersion(flags string) string {
	found := ""
	for len(flags) > 0 {
		var word string
		word, flags = nextWord(flags)
		assignment, ok := strings.CutPrefix(word, "-X=")
		if !ok && word == "-X" {
			assignment, flags = nextWord(flags)
			ok = true
		}
		name, value, has := strings.Cut(assignment, "=")
		if !ok || !has || !strings.EqualFold(name[strings.LastIndexByte(name, '.')+1:], "version") || !readsLikeVersion(value) {
			continue
		}
		if found != "" && found != value {
			return ""
		}
		found = value
	}
	return found
}

// nextWord splits off the first word as the go command does: words end at
// blanks unless quoted as a whole.
func nextWord(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	if s == "" {
		return "", ""
	}
	if quote := s[0]; quote == '\'' || quote == '"' {
		if word, rest, ok := strings.Cut(s[1:], string(quote)); ok {
			return word, rest
		}
		return s[1:], ""
	}
	if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// readsLikeVersion reports whether s is two numbers or more, with a suffix of
// plain characters at most.
func readsLikeVersion(s string) bool {
	rest := strings.TrimLeft(strings.TrimPrefix(s, "v"), "0123456789")
	if len(rest) < 2 || len(rest) == len(strings.TrimPrefix(s, "v")) || rest[0] != '.' || rest[1] < '0' || rest[1] > '9' || len(s) > 64 {
		return false
	}
	return strings.Trim(rest, ".0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-_~") == ""
}
