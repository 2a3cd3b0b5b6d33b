package scalibr

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/inventory"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// Extract implements analyzer.Analyzer. Files are held whole by most extractors, so they may
// be as large as the budget says of files that are.
func (a *adapter) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	file := info{path: f.Path, size: f.Size, mode: f.Mode}
	wanted, err := a.required(file)
	if err != nil || !wanted {
		return nil, err
	}
	if limit := f.Budget.Limits.FileBytes; f.Size > limit {
		return nil, &fault.LimitError{What: "bytes of a file held whole", Where: f.Path, Max: limit, Seen: f.Size}
	}
	content, err := f.ReaderAt()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	system := &alone{info: file, content: content}
	facts, err := a.ask(ctx, system)
	if err == nil && len(system.missed) > 0 {
		err = fmt.Errorf("osv-scalibr's %s asked for %s beside %s, which files of layers do not have: %w", a.name, system.first(), f.Path, fault.Unsupported)
	}
	return facts, err
}

// ask has the extractor read a file. Facts beside an error are good.
func (a *adapter) ask(ctx context.Context, system *alone) (facts []analyzer.Fact, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.survive(system.path, &err)
	found, err := a.extractor.Extract(ctx, &filesystem.ScanInput{
		FS: system, Path: system.path, Info: system.info, Reader: io.NewSectionReader(system.content, 0, system.size),
	})
	for _, e := range found.EmbeddedFSs {
		for _, path := range e.TempPaths {
			os.RemoveAll(path) // nobody will mount what is in it
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	facts, bad := factsOf(system.path, found.Packages)
	switch other := others(&found); {
	case err != nil:
		err = fmt.Errorf("osv-scalibr's %s on %s: %s: %w", a.name, system.path, line(err.Error()), fault.Invalid)
	case bad != nil:
		err = fmt.Errorf("osv-scalibr's %s on %s: %w", a.name, system.path, bad)
	case other > 0:
		err = fmt.Errorf("osv-scalibr's %s found %d things in %s that are no packages, and are not kept: %w", a.name, other, system.path, fault.Unsupported)
	}
	return facts, err
}

// others counts what was found beside packages.
func others(found *inventory.Inventory) int {
	return len(found.PackageVulns) + len(found.GenericFindings) + len(found.Secrets) + len(found.ContainerImageMetadata) +
		len(found.EmbeddedFSs) + len(found.SensitiveInformation)
}

// line makes one line of a text.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
