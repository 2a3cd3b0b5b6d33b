package binaries

import (
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Small text files that name a version.
const (
	javaFile   = "release"     // of a JDK
	goFile     = "VERSION"     // of a Go toolchain
	erlangFile = "OTP_VERSION" // of Erlang/OTP
)

// maxTextFile is the size over which a file of these names is something else.
const maxTextFile = 64 << 10

// readerOf returns what reads a text file of a base name, or nil.
func readerOf(base string) func(text, where string) *found {
	switch base {
	case javaFile:
		return readJava
	case goFile:
		return readGo
	case erlangFile:
		return readErlang
	}
	return nil
}

func readText(f *analyzer.File, read func(text, where string) *found) ([]found, error) {
	if f.Size > maxTextFile {
		return nil, nil
	}
	data, err := f.Bytes(0)
	if err != nil {
		return nil, err
	}
	if x := read(string(data), f.Path); x != nil {
		return []found{*x}, nil
	}
	return nil, nil
}

// readJava reads lines such as JAVA_VERSION="17.0.15". Oracle's own builds call themselves
// commercial; GraalVM is a JDK with a version of its own.
func readJava(text, _ string) *found {
	words := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if n := len(value); ok && n >= 2 && value[0] == '"' && value[n-1] == '"' {
			words[key] = value[1 : n-1]
		}
	}
	version := words["JAVA_VERSION"]
	_, system := words["OS_ARCH"]
	if strings.Trim(version, "0123456789._") != "" || version == "" || !system {
		return nil
	}
	x := &found{name: "openjdk", version: version, evidence: `JAVA_VERSION="` + version + `"`, cpes: []string{"oracle:openjdk"}}
	if words["BUILD_TYPE"] == "commercial" {
		x.name, x.cpes = "oracle-jdk", []string{"oracle:jdk"}
	}
	for _, p := range [...]struct{ name, key string }{
		{"binaries:graalvm", "GRAALVM_VERSION"}, {"binaries:implementor", "IMPLEMENTOR"}, {"binaries:runtime", "JAVA_RUNTIME_VERSION"},
	} {
		if v := words[p.key]; v != "" {
			x.properties = append(x.properties, sbom.Property{Name: p.name, Value: clean([]byte(v))})
		}
	}
	return x
}

// readGo reads the first line, which is "go1.22.1".
func readGo(text, _ string) *found {
	line, _, _ := strings.Cut(text, "\n")
	version, ok := strings.CutPrefix(strings.TrimSpace(line), "go")
	major, rest, dotted := strings.Cut(version, ".")
	if !ok || !dotted || major == "" || rest == "" || !isDigit(major[0]) || !isDigit(rest[0]) {
		return nil
	}
	number := strings.TrimLeft(version, "0123456789.")
	for _, word := range []string{"rc", "beta"} {
		if n, ok := strings.CutPrefix(number, word); ok && n != "" {
			number = strings.Trim(n, "0123456789")
		}
	}
	if number != "" {
		return nil
	}
	return &found{name: "go", version: version, evidence: "go" + version, cpes: []string{"golang:go"}}
}

// readErlang reads "25.2.3" of lib/erlang/releases/25. Stars mark a patched installation.
func readErlang(text, where string) *found {
	version := strings.TrimRight(strings.TrimSpace(text), "*")
	release := path.Base(path.Dir(where))
	if path.Base(path.Dir(path.Dir(where))) != "releases" || !strings.HasPrefix(version, release+".") {
		return nil
	}
	number, candidate, isCandidate := strings.Cut(version, "-rc")
	if strings.Trim(number, "0123456789.") != "" || isCandidate && (candidate == "" || strings.Trim(candidate, "0123456789") != "") {
		return nil
	}
	return &found{name: "erlang", version: version, evidence: version, cpes: []string{`erlang:erlang\/otp`}}
}
