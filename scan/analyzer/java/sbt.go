package java

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// extractText reads a file whole.
func extractText(f *analyzer.File, read func([]byte) ([]analyzer.Fact, error)) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxLock)
	if err != nil {
		return nil, err
	}
	facts, err := read(data)
	if err != nil {
		err = fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, err
}

// resolved is what a tool of the Java world has resolved.
type resolved struct {
	locked.File
	project int // 1 + the entry of what the file is about, if that is known
}

// put adds a package under its coordinates. Names that Maven would not allow
// have no package URL; one without a part of the coordinates is left out.
func (l *resolved) put(c coordinates, e locked.Entry) {
	if c.group == "" || c.artifact == "" {
		l.Odd(fmt.Errorf("entry %d: %.60q is not a group and an artifact: %w", len(l.Entries)+1, c.name(), fault.Invalid))
		return
	}
	e.Key = c.group + ":" + c.artifact + ":" + c.version
	e.Package.Name, e.Package.Version = c.name(), c.version
	if isID(c.group) && isID(c.artifact) && (c.version == "" || isVersion(c.version)) {
		e.Package.PURL = locked.URL("maven", c.group, c.artifact, c.version)
	}
	l.Put(e)
}

// readSbtLock reads a build.sbt.lock (sbt-dependency-lock, model/DependencyLockFile.scala).
func readSbtLock(data []byte) ([]analyzer.Fact, error) {
	r := jsontext.New(data)
	var l resolved
	version := ""
	err := r.Document(func() {
		if r.Peek() != '{' {
			r.Fail("expected an object")
			return
		}
		r.Object(func(key []byte) {
			switch string(key) {
			case "lockVersion":
				version = string(r.Raw())
			case "dependencies":
				r.Array(func() { l.sbt(r) })
			}
		})
	})
	if err == nil && version != "1" {
		err = fmt.Errorf("lockVersion %.20q: %w", version, fault.Unsupported)
	}
	return l.Facts(err)
}

// sbt reads one dependency.
func (l *resolved) sbt(r *jsontext.Reader) {
	var c coordinates
	var files, digests, configurations []string
	ok := r.Object(func(key []byte) {
		switch string(key) {
		case "org":
			c.group, _ = r.Text()
		case "name":
			c.artifact, _ = r.Text()
		case "version":
			c.version, _ = r.Text()
		case "configurations":
			r.Array(func() {
				name, _ := r.Text()
				configurations = append(configurations, name)
			})
		case "artifacts":
			r.Array(func() {
				var file, digest string
				r.Object(func(key []byte) {
					switch string(key) {
					case "name":
						file, _ = r.Text()
					case "hash":
						digest, _ = r.Text()
					}
				})
				files, digests = append(files, file), append(digests, digest)
			})
		}
	})
	if !ok || r.Err() != nil && c.artifact == "" {
		return
	}
	e := locked.Entry{Package: sbom.Package{Scope: configured(configurations)}}
	for i, file := range files { // others are variants with a classifier
		if len(files) == 1 || file == c.artifact+".jar" {
			algorithm, digest, _ := strings.Cut(digests[i], ":")
			e.Package.Hashes = locked.Hex(algorithm, digest)
		}
	}
	l.put(c, e)
}

// configured returns the scope of what is in these configurations of sbt or Ivy.
func configured(names []string) sbom.Scope {
	if len(names) == 0 {
		return sbom.ScopeRuntime
	}
	scope := sbom.ScopeDev
	for _, name := range names {
		switch name = strings.TrimSpace(name); {
		case name == "it", name == "plugin", strings.HasPrefix(name, "scala-"), onlyForBuild(name):
		case name == "optional":
			scope = sbom.ScopeOptional
		default:
			return sbom.ScopeRuntime
		}
	}
	return scope
}
