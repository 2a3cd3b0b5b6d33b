// Package scalibr lets extractors of github.com/google/osv-scalibr run as analyzers, for the
// ecosystems that it reads and package all does not. It is a module of its own: who does not
// import it has none of its dependencies, and who does has those of the extractors that they
// name and of what osv-scalibr links with each.
//
// An extractor sees one file at a time, as analyzers do. What it gets as the file system holds
// that file alone; where it asks for another, what it said is kept and the file is a gap that
// names both. Extractors that need more from the start, such as a real folder, a running system
// or a network, are refused by [New].
//
// Packages keep their name, version, package URL, licences as declared, the place inside an
// archive, the source repository and commit, and who depends on them. A package is for
// development where all groups that its lockfile names for it are. Left out are line numbers,
// the files that a package installed, and signals that a vulnerability does not apply to it.
// What an extractor finds beside packages, as secrets, is a gap that counts it.
//
// Extractors that panic, also while they are asked whether they want a file, leave a gap for
// the file. A panic in a goroutine of theirs ends the process, as it does everywhere. They
// write to the log of osv-scalibr, which is the process's.
package scalibr

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/plugin"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// Release is the version of osv-scalibr whose facts these are. It counts for what a cache has.
const Release = "v0.5.3"

// version is raised when this package makes other facts of the same packages.
const version = 1

// Extractor is one of osv-scalibr's.
type Extractor = filesystem.Extractor

// offered is what a file of a layer can offer an extractor: it is one of a Linux system, and
// nothing else is there.
var offered = plugin.Capabilities{OS: plugin.OSLinux, Network: plugin.NetworkOffline}

// New returns an analyzer for each extractor, in their order, named "scalibr/" and the name
// that the extractor has. An extractor that needs what files of a layer cannot offer is an
// error of the kind "unsupported", one that is nil or there twice "invalid input".
func New(list ...Extractor) ([]analyzer.Analyzer, error) {
	out := make([]analyzer.Analyzer, 0, len(list))
	seen := map[string]bool{}
	for i, e := range list {
		if e == nil {
			return nil, fmt.Errorf("extractor %d of osv-scalibr is nil: %w", i, fault.Invalid)
		}
		name := e.Name()
		if seen[name] {
			return nil, fmt.Errorf("osv-scalibr's %s is there twice: %w", name, fault.Invalid)
		}
		seen[name] = true
		err := plugin.ValidateRequirements(e, &offered)
		if err == nil && e.Requirements().ExtractFromDirs {
			err = errors.New("folders as well as files")
		}
		if err != nil {
			return nil, fmt.Errorf("osv-scalibr's %s needs more than files of layers: %v: %w", name, err, fault.Unsupported)
		}
		out = append(out, &adapter{extractor: e, name: name})
	}
	return out, nil
}

// adapter is an extractor as an analyzer.
type adapter struct {
	name string

	mu        sync.Mutex // extractors are not made to be used by several at once
	extractor Extractor
}

// Info implements analyzer.Analyzer.
func (a *adapter) Info() analyzer.Info {
	return analyzer.Info{
		Name: "scalibr/" + a.name, Version: version,
		Rules: fmt.Sprintf("osv-scalibr %s, %s %d", Release, a.name, a.extractor.Version()),
	}
}

// Paths implements analyzer.Analyzer. Which files an extractor wants is code of its own, so
// it is asked for every path, before anything but the path is known: of a file that may be run
// and is not empty. Extract asks again, of the file as it is.
func (a *adapter) Paths() analyzer.Paths {
	return analyzer.Paths{All: true, Accept: func(path string) bool {
		wanted, err := a.required(info{path: path, size: 1, mode: 0o755})
		return wanted || err != nil // Extract says the error
	}}
}

// required asks the extractor whether it wants a file.
func (a *adapter) required(file info) (wanted bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.survive(file.path, &err)
	return a.extractor.FileRequired(file), nil
}

// survive makes an error of a panic of the extractor.
func (a *adapter) survive(path string, err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("osv-scalibr's %s panicked on %s: %s: %w", a.name, path, line(fmt.Sprint(v)), fault.Invalid)
	}
}

var _ fs.FileInfo = info{}
