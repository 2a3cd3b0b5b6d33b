// Package pear reads the registries of PEAR, the installer of PHP libraries and of PECL's
// extensions: one file for each package that is installed.
//
// Packages are named by their channel and their name, as syft names them:
// "pkg:pear/pecl.php.net/memcached". A file of version 1 names no channel: its folder does
// (".channel.pecl.php.net"), and files in the registry itself are of pear.php.net. No advisories
// are published by it, so that matching says a gap. Optional dependencies are left out.
package pear

import (
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
)

// maxBytes bounds one file. With long change logs real ones reach some 500 KiB.
const maxBytes = 16 << 20

// Analyzer reads registries of PEAR. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "pear", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Suffixes: []string{".reg"}, Accept: func(file string) bool { return registryOf(file) != "" }}
}

// channelOf returns the channel whose packages lie where a file does.
func channelOf(file string) string {
	if channel, ok := strings.CutPrefix(path.Base(path.Dir(file)), ".channel."); ok && channel != "" {
		return channel
	}
	return home
}

// registryOf returns the registry that a file is in, or "".
func registryOf(file string) string {
	dir := path.Dir(file)
	if strings.HasPrefix(path.Base(dir), ".channel.") {
		dir = path.Dir(dir)
	}
	if path.Base(dir) != ".registry" {
		return ""
	}
	return dir
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	if registryOf(f.Path) == "" {
		return nil, nil
	}
	return locked.ReadAt(f, maxBytes, readPackage)
}
