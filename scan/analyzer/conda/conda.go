// Package conda reads packages of conda, mamba and pixi: what is installed in an
// environment, and what the files name that describe environments.
//
// Installed packages are the conda-meta/*.json of an environment. What pip installed beside
// them has metadata of its own, which package pypi reads; so has what conda packages of
// Python projects bring, which are thus found under both names. Unpacked archives in a
// package cache (pkgs/) are not installed and are left out.
//
// Of the files of an installed package, programs, libraries and folders of its own are kept
// as what came with it.
//
// Declared ones come from environment.yml, conda-lock.yml, pixi.lock and from lists of
// addresses under @EXPLICIT, which have no fixed name and are known by their first bytes.
// Packages that pip adds to an environment are packages of PyPI there. A requirement that
// allows more than one version is a package without a version, and the property
// "conda:requirement" has the condition.
//
// A package URL has build, channel and subdir where they are known; it has to have a
// version (purl-spec, type conda). Credentials in addresses are dropped.
package conda

import (
	"bytes"
	"context"
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
)

// Analyzer reads the files of the conda ecosystem. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "conda", Version: 2} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{
		Names:    []string{"pixi.lock"},
		Suffixes: []string{".json", ".yml", ".yaml"},
		Magic:    []string{"@EXPLICI", "# This f", "# Genera"}, // what conda and conda-lock write first
		Accept:   func(file string) bool { return formatOf(file) != nil },
	}
}

// format reads one kind of file.
type format func(file string, data []byte) ([]analyzer.Fact, error)

// formatOf returns the format of a file by its path, or nil.
func formatOf(file string) format {
	dir, base := path.Split(file)
	stem, yaml := strings.CutSuffix(base, ".yml")
	if !yaml {
		stem, yaml = strings.CutSuffix(base, ".yaml")
	}
	switch {
	case path.Base(dir) == "conda-meta":
		if strings.HasSuffix(base, ".json") {
			return readMeta
		}
		return nil // history, and what a constructor was given
	case base == "pixi.lock":
		return readPixi
	case yaml && strings.HasSuffix(stem, "conda-lock"):
		return readCondaLock
	case yaml && strings.HasPrefix(stem, "environment"):
		return readEnvironment
	case strings.HasSuffix(base, ".txt"), strings.HasSuffix(base, ".lock") && strings.Contains(base, "conda"):
		return readExplicit
	}
	return nil
}

// Extract implements analyzer.Analyzer: one fact for each package.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	read := formatOf(f.Path)
	if read == nil {
		return nil, nil
	}
	return locked.Read(f, locked.MaxBytes, func(data []byte) ([]analyzer.Fact, error) {
		return read(f.Path, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	})
}
