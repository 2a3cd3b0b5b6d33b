// Package jenkins reads Jenkins: its core and its plugins, as archives (.hpi, .jpi,
// jenkins.war) and unpacked, and which plugins need which.
//
// Plugins are Maven artifacts, and advisories know them as such: what their manifest says
// under Group-Id, Short-Name and Plugin-Version becomes pkg:maven/group/name@version. That is
// also what package java says of the same archives, so that both findings are one package;
// what is inside the archives is read there alone. An archive whose manifest does not name it
// in full is left to package java, too.
package jenkins

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/zipstream"
	"github.com/stella-ops/stella/scan/analyzer"
)

// maxManifest bounds a manifest, in bytes.
const maxManifest = 1 << 20

// Analyzer reads the files of Jenkins. The zero value is ready to use.
//
// The name space of keys is the folder that plugins are in, where they find each other; keys
// are their short names.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "jenkins", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{warName, "MANIFEST.MF"}, Suffixes: []string{".hpi", ".jpi"}, Accept: accept}
}

const (
	warName      = "jenkins.war"
	manifestName = "META-INF/MANIFEST.MF"
)

// accept takes manifests of folders only where Jenkins unpacks plugins and itself: below
// "plugins", in "war", and in "jenkins" as servlet containers do.
func accept(p string) bool {
	if path.Base(p) != "MANIFEST.MF" {
		return true
	}
	folder, ok := strings.CutSuffix(p, "/"+manifestName)
	if !ok {
		return false
	}
	return isCoreFolder(path.Base(folder)) || path.Base(path.Dir(folder)) == "plugins"
}

func isCoreFolder(base string) bool { return base == "war" || base == "jenkins" }

// Extract implements analyzer.Analyzer: one fact, or none where a manifest is of something
// else.
func (Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	folder, unpacked := strings.CutSuffix(f.Path, "/"+manifestName)
	var data []byte
	var err error
	if unpacked {
		data, err = f.Bytes(maxManifest)
	} else {
		folder = f.Path
		data, err = packed(ctx, f)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	m := parseManifest(data)
	switch {
	case m.isPlugin() && (unpacked || m.coordinates()):
		fact := m.plugin()
		fact.Scope = path.Dir(folder)
		return []analyzer.Fact{fact}, nil
	case m.isCore() && (isCoreFolder(path.Base(folder)) || path.Base(folder) == warName):
		return []analyzer.Fact{m.core()}, nil
	}
	return nil, nil
}

// packed returns the manifest of an archive: the last of that name, as for a Java runtime;
// nil where there is none.
func packed(ctx context.Context, f *analyzer.File) ([]byte, error) {
	r, err := f.ReaderAt()
	if err != nil {
		return nil, err
	}
	z, err := zipstream.Open(r, f.Size)
	if err != nil {
		return nil, err
	}
	if err := f.Budget.Member(f.Path, z.Count()); err != nil {
		return nil, err
	}
	var own *zipstream.Member
	n := 0
	for m, err := range z.Members() {
		if err != nil {
			return nil, err
		}
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(m.Name) == len(manifestName) && strings.EqualFold(string(m.Name), manifestName) {
			c := m.Clone()
			own = &c
		}
	}
	if own == nil {
		return nil, nil
	}
	return content(f, z, own)
}

func content(f *analyzer.File, z *zipstream.Archive, m *zipstream.Member) ([]byte, error) {
	if m.Size > maxManifest {
		return nil, &fault.LimitError{What: "bytes of a manifest", Where: f.Path, Max: maxManifest, Seen: m.Size}
	}
	if err := f.Budget.Derive(f.Path, m.Size); err != nil {
		return nil, err
	}
	r, err := z.Open(m)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r) // to the end, where the content is checked; no more than Size
}
