package system

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/filecache"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// Worker is Scanner.Worker: it reads images and says what is in them and what is known
// about that.
func Worker(w *World) (*shell.Part, error) {
	jobs := func(tenant string) (scan.Jobs, error) { return part(w, tenant, (*store.Tenant).Scans) }
	if c := w.Settings.Clients.Scanner; c != nil { // heartbeats and results are callbacks
		jobs = c.jobs
	}
	_, matcher := w.advisories()
	scanners := &scanners{world: w, open: map[string]*scan.Scanner{}}
	worker := &scan.Worker{
		Jobs: jobs, Open: w.openImage, Scanner: scanners.of, Matcher: matcher, Index: advisory.Keys,
		Artifacts: func(tenant string) (scan.Artifacts, error) { return w.objects(tenant) },
		Decode:    format.Decode, MediaType: func(name string) (string, string) { return format.MediaType(name), format.Suffix(name) },
		Encode: encode, Formats: w.Settings.Formats, Holder: w.Name, Lease: w.Settings.Lease, Report: w.report("worker"),
	}
	if w.Settings.Pull != nil {
		worker.Unseal = w.Settings.Pull.Open
	}
	archiver := &scan.Archiver{
		Store:     func(tenant string) (scan.Store, error) { return part(w, tenant, (*store.Tenant).Scans) },
		Layers:    func(tenant string) (scan.Layers, error) { return part(w, tenant, (*store.Tenant).Scans) },
		Open:      w.openImage,
		Artifacts: func(tenant string) (scan.Artifacts, error) { return w.objects(tenant) },
	}
	return &shell.Part{Name: "worker", Loops: w.consume("worker",
		reading{topic: event.ScannerJobs, group: event.GroupScannerWorkers, parallel: cmp.Or(w.Settings.Parallel, 2), handle: worker.Handle},
		reading{topic: event.ScannerEvents, group: "scanner-layers", parallel: 1, types: []event.Type{event.SBOMCreated}, register: true, handle: w.noted("scanner-layers", archiver.Handle)},
	)}, nil
}

func encode(out io.Writer, d *sbom.Document, name string) (mediaType, suffix string, err error) {
	_, err = format.Encode(out, d, name, nil)
	return format.MediaType(name), format.Suffix(name), err
}

// openImage opens an image of a registry.
func (w *World) openImage(ctx context.Context, t scan.Target) (*scan.Image, error) {
	ref := strings.TrimPrefix(strings.TrimPrefix(t.Reference, "docker://"), "registry:")
	pinned := ref
	if t.Digest != "" && !strings.Contains(ref, "@") {
		pinned += "@" + t.Digest // what an earlier attempt found, whatever the tag stands for by now
	}
	o := w.imageOptions(ref, t.Tenant, t.Platform)
	if t.Authorization != "" { // what the registry has given for this scan, and nothing else
		var err error
		if o.Credentials, err = image.Authorization(string(t.Authorization)); err != nil {
			return nil, err
		}
	}
	img, err := image.Open(ctx, "registry:"+pinned, o)
	if err != nil || pinned == ref || img.Source == nil {
		return img, err
	}
	// Every attempt says what was asked for, so that all make the same document.
	asked, err := image.ParseReference(ref)
	if err != nil {
		return nil, errors.Join(err, img.Close())
	}
	img.Source.Reference, img.Source.Tags = "registry:"+ref, []string{asked.String()}
	return img, nil
}

// imageOptions say how registries are reached.
func (w *World) imageOptions(ref, tenant, platform string) *image.Options {
	credentials := image.NoCredentials
	if w.Settings.Registries != nil {
		credentials = w.Settings.Registries(tenant)
	}
	host, _, _ := strings.Cut(ref, "/")
	plain := slices.ContainsFunc(w.Settings.PlainHTTP, func(h string) bool { return strings.EqualFold(h, host) })
	return &image.Options{Platform: platform, Credentials: credentials, Network: w.Settings.Images, PlainHTTP: plain}
}

// scanners has a scanner for each tenant: fragments of one are not for another.
type scanners struct {
	world *World
	mu    sync.Mutex
	open  map[string]*scan.Scanner
}

func (s *scanners) of(tenant string) *scan.Scanner {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.open[tenant]; found != nil {
		return found
	}
	made := &scan.Scanner{Analyzers: all.Set(), TempDir: s.world.Settings.TempDir}
	cache, err := filecache.Open(filepath.Join(s.world.Data, "fragments", tenant))
	if err != nil {
		s.world.report("worker")(fmt.Errorf("no cache for tenant %s: %w", tenant, err))
	} else {
		made.Cache = cache
	}
	s.open[tenant] = made
	return made
}
