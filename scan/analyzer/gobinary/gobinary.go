// Package gobinary reads the modules that a Go executable was built from: the
// build information that the Go linker writes into every binary (see
// [debug/buildinfo], whose acceptance it keeps).
//
// ELF, PE and Mach-O files are read forwards, once, in a buffer of 64 KiB: an
// executable of hundreds of megabytes inside a compressed layer is never held
// and never spilled. What is not Go is left as soon as its headers say so.
package gobinary

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// Limits of one executable. Reaching one is an error that names it.
const (
	maxText    = 4 << 20 // bytes of the module list; real ones stay below 200 KiB
	maxModules = 20_000  // modules in it; real ones stay below 3,000
)

// Analyzer finds Go executables by their leading bytes and reports the main
// module, the modules it was built with, and the standard library. The zero
// value is ready to use.
//
// Keys are ":main" for the application, ":stdlib" for the standard library and
// the path under which it is required for every other module. The application
// depends on all of them: which module needs which is not recorded in a binary.
type Analyzer struct{}

// Info names the analyzer "gobinary".
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "gobinary", Version: 1} }

// Paths wants ELF, PE and Mach-O files, universal ones included, whatever they
// are called. Java class files share the magic of universal Mach-O files; the
// count of architectures that follows tells them apart.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Forward: true, Magic: []string{
		"\x7fELF",
		"MZ",
		"\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xfe\xed\xfa\xce",
		"\xca\xfe\xba\xbe\x00\x00\x00\x01", "\xca\xfe\xba\xbe\x00\x00\x00\x02",
		"\xca\xfe\xba\xbe\x00\x00\x00\x03", "\xca\xfe\xba\xbe\x00\x00\x00\x04",
		"\xca\xfe\xba\xbf",
	}}
}

// Extract returns the packages of one executable, and nothing for one that Go
// did not make. It returns as soon as that is known, without reading the rest.
//
// An error means that f was made by Go, or may have been, and cannot be
// assessed: build information that is damaged, over a limit, missing from a
// binary with a Go build ID, or hidden by an executable packer.
func (Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	s := newStream(f)
	defer s.release()
	info, err := read(ctx, s)
	if s.err != nil { // what follows from the bytes that are missing is not known
		err = s.err
	}
	if errors.Is(err, errNotGo) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Go build information of %s: %w", f.Path, err)
	}
	facts, err := info.facts(f.Path)
	if err != nil {
		return facts, fmt.Errorf("read Go build information of %s: %w", f.Path, err)
	}
	return facts, nil
}

// errNotGo means that a file holds no Go executable. It is not a failure.
var errNotGo = errors.New("not a Go executable")

// buildInfo is what the linker left: the toolchain's version and the text of
// the module list, which is empty for binaries built without modules.
type buildInfo struct {
	version string
	modules string
	lost    error // why there is no module list although there should be one
}

// read finds the build information in s, which stands at its start.
func read(ctx context.Context, s *stream) (buildInfo, error) {
	img, err := parseImage(s.peek(headBytes), 0)
	if err != nil {
		return buildInfo{}, err
	}
	if img.inner > 0 { // the first architecture of a universal file
		if err := s.skipTo(img.inner); errors.Is(err, errShort) {
			return buildInfo{}, errNotGo
		} else if err != nil {
			return buildInfo{}, err
		}
		if img, err = parseImage(s.peek(headBytes), img.inner); err != nil {
			return buildInfo{}, err
		}
		if img.inner > 0 {
			return buildInfo{}, errNotGo
		}
	}
	if img.packed {
		return buildInfo{}, fmt.Errorf("packed by UPX, which hides what is inside: %w", fault.Unsupported)
	}
	return img.search(ctx, s)
}
