package scan_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/sqlite"
)

// site is a store, a bucket and a worker over one small image.
type site struct {
	*testing.T
	root   *store.Root
	scans  *store.Scans
	bucket *blob.Bucket
	worker *scan.Worker
	opened []scan.Target
	open   func(t scan.Target) (*scan.Image, error)
}

func alpineImage(manifest string) *scan.Image {
	blobs := []layer.Blob{imagetest.Blob(imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"},
		imagetest.File{Name: "lib/apk/db/installed", Data: "P:musl\nV:1.2.5-r0\nA:x86_64\n"},
	), imagetest.Gzip)}
	return &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "sha256:c0", ConfigDigest: "sha256:c0"}, Layers: blobs, Source: &sbom.Source{Manifest: manifest}}
}

func newSite(t *testing.T) *site {
	s := &site{T: t}
	var err error
	if s.root, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.root.Close() })
	if s.bucket, err = blob.Open(t.Context(), "file:"+t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.bucket.Close() })
	acme, err := s.root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	s.scans = acme.Scans()
	s.open = func(scan.Target) (*scan.Image, error) { return alpineImage("sha256:m1"), nil }
	s.worker = &scan.Worker{
		Jobs: func(tenant string) (scan.Jobs, error) {
			tn, err := s.root.Tenant(tenant)
			if err != nil {
				return nil, err
			}
			return tn.Scans(), nil
		},
		Open: func(_ context.Context, target scan.Target) (*scan.Image, error) {
			s.opened = append(s.opened, target)
			return s.open(target)
		},
		Scanner:   func(string) *scan.Scanner { return &scan.Scanner{Analyzers: all.Set()} },
		Artifacts: func(string) (scan.Artifacts, error) { return s.bucket, nil },
		Encode: func(w io.Writer, d *sbom.Document, name string) (string, string, error) {
			_, err := format.Encode(w, d, name, nil)
			return format.MediaType(name), format.Suffix(name), err
		},
		Formats: []string{"spdx-json"}, Holder: "worker-1",
		Report: func(err error) { t.Log(err) },
	}
	return s
}

func (s *site) submit(r scan.Request) *scan.Job {
	s.Helper()
	j, _, err := s.scans.Submit(s.Context(), r, "")
	if err != nil {
		s.Fatal(err)
	}
	return j
}

func (s *site) message(j *scan.Job, t event.Type, suffix string) []byte {
	s.Helper()
	sum := ""
	if now := s.job(j.ID); now.Summary != nil {
		sum = now.Summary.ImageDigest
	}
	e := event.Event{ID: j.ID + "/" + suffix, Type: t, Source: "scanner", Tenant: "acme", Data: (&event.Scan{JobID: j.ID, Digest: sum}).Encode()}
	b, err := e.Encode()
	if err != nil {
		s.Fatal(err)
	}
	return b
}

func (s *site) work(ctx context.Context, j *scan.Job, round int) {
	s.Helper()
	if err := s.worker.Handle(ctx, s.message(j, event.ScanJob, fmt.Sprint("job/", round))); err != nil {
		s.Fatal(err)
	}
}

func (s *site) job(id string) *scan.Job {
	s.Helper()
	j, err := s.scans.Job(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return j
}

func TestWorker(t *testing.T) {
	s := newSite(t)
	j := s.submit(scan.Request{Image: "alpine:latest", Owner: "ann"})
	s.work(t.Context(), j, 1)
	s.work(t.Context(), j, 1) // delivered again: nothing happens
	got := s.job(j.ID)
	if got.State != scan.Evaluating || got.Attempt != 1 || got.Summary.Packages != 1 || !got.Summary.Blocked || got.Summary.Snapshot != "" {
		t.Errorf("after the worker: %+v, %+v", got, got.Summary)
	}
	docs, err := s.scans.Documents(t.Context(), j.ID)
	if err != nil || len(docs) != 2 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	for _, d := range docs {
		r, err := s.bucket.OpenName(t.Context(), j.ID+"/"+d.Name, d.Ref)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		doc, name, err2 := format.Decode(bytes.NewReader(b))
		if err != nil || err2 != nil || !strings.HasPrefix(name, d.Format) || len(doc.Packages) != 1 || !bytes.Equal(b, d.Content) {
			t.Errorf("%s: read %s with %d packages, %v, %v", d.Name, name, len(doc.Packages), err, err2)
		}
	}
	if docs[0].Name != "sbom.spdx.json" {
		t.Errorf("the SPDX document is called %s", docs[0].Name)
	}
	c := &scan.Completer{Holder: "web", Jobs: func(string) (scan.Evaluations, error) { return s.scans, nil }}
	if err := c.Handle(t.Context(), s.message(j, event.SBOMCreated, "sbom")); err != nil {
		t.Fatal(err)
	}
	if got := s.job(j.ID); got.State != scan.Completed || got.Summary.Outcome != scan.NotEvaluated {
		t.Errorf("completed: %+v, %+v", got, got.Summary)
	}
}

// A worker stores by what its packages are found when advisories change.
func TestWorkerIndexes(t *testing.T) {
	s := newSite(t)
	s.worker.Index = advisory.Keys
	j := s.submit(scan.Request{Image: "alpine:latest"})
	s.work(t.Context(), j, 1)
	n := 0
	for c, err := range s.root.Drift().Candidates(t.Context(), []finding.Key{{Ecosystem: "Alpine", Name: "musl"}}) {
		if err != nil || c.Tenant != "acme" || !strings.Contains(c.Fact, "1.2.5-r0") || !strings.Contains(c.Fact, "3.20.1") {
			t.Errorf("%+v, %v", c, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d packages are found, want musl", n)
	}
	s.worker.Index = func(*sbom.Document) []finding.PackageKey { return nil } // of no use, and no harm
	s.work(t.Context(), s.submit(scan.Request{Image: "alpine:3"}), 1)
}

// A second job of the same image makes the same bytes.
func TestWorkerIsDeterministic(t *testing.T) {
	s := newSite(t)
	var digests [2]string
	for i := range digests {
		j := s.submit(scan.Request{Image: "alpine:latest"})
		s.work(t.Context(), j, 1)
		digests[i] = s.job(j.ID).Summary.SBOMDigest
	}
	if digests[0] != digests[1] {
		t.Errorf("two scans gave %q", digests)
	}
}

// The first attempt notes what the tag stood for; a later one reads that.
func TestWorkerPinsTheDigest(t *testing.T) {
	s := newSite(t)
	j := s.submit(scan.Request{Image: "alpine:latest", Platform: "linux/amd64"})
	s.worker.Artifacts = func(string) (scan.Artifacts, error) {
		return nil, fmt.Errorf("the bucket is away: %w", scan.ErrUnavailable)
	}
	s.work(t.Context(), j, 1)
	got := s.job(j.ID)
	if got.State != scan.Queued || !strings.Contains(got.Reason, "the bucket is away") {
		t.Fatalf("%s: %q", got.State, got.Reason)
	}
	m, err := s.scans.Manifest(t.Context(), j.ID)
	if err != nil || !strings.Contains(string(m), `"resolved":"sha256:m1"`) {
		t.Errorf("manifest %s, %v", m, err)
	}
	want := []scan.Target{{Tenant: "acme", Reference: "alpine:latest", Platform: "linux/amd64"}}
	if diff := cmp.Diff(want, s.opened); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

// The tag moves between opening and noting: another attempt was first.
func TestWorkerTagMoved(t *testing.T) {
	s := newSite(t)
	j := s.submit(scan.Request{Image: "alpine:latest"})
	lease, err := s.scans.Claim(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "earlier", Length: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.scans.Resolve(t.Context(), *lease, "sha256:m0"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	s.work(t.Context(), j, 2)
	want := []scan.Target{{Tenant: "acme", Reference: "alpine:latest", Digest: "sha256:m0"}}
	if diff := cmp.Diff(want, s.opened); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

func TestWorkerFailures(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want scan.State
	}{
		"no such image": {fmt.Errorf("manifest unknown: %w", scan.ErrNotFound), scan.Failed},
		"forged layer":  {fmt.Errorf("layer: %w", scan.ErrMismatch), scan.Failed},
		"registry away": {fmt.Errorf("dial: %w", scan.ErrUnavailable), scan.Queued},
		"unknown":       {errors.New("something else"), scan.Queued},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.open = func(scan.Target) (*scan.Image, error) { return nil, c.err }
			j := s.submit(scan.Request{Image: "x"})
			s.work(t.Context(), j, 1)
			if got := s.job(j.ID); got.State != c.want || !strings.Contains(got.Reason, c.err.Error()) {
				t.Errorf("%s: %q, want %s", got.State, got.Reason, c.want)
			}
		})
	}
}

// slowLayer gives an image whose layer ends when its context does.
func slowLayer(began chan<- struct{}) *scan.Image {
	img := alpineImage("")
	img.Layers[0].Open = func(ctx context.Context) (io.ReadCloser, error) {
		close(began)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return img
}

// A cancelled job's worker stops by itself within a heartbeat.
func TestWorkerStopsWhenCancelled(t *testing.T) {
	s := newSite(t)
	s.worker.Lease = time.Second
	began := make(chan struct{})
	s.open = func(scan.Target) (*scan.Image, error) { return slowLayer(began), nil }
	j := s.submit(scan.Request{Image: "x"})
	done := make(chan error, 1)
	message := s.message(j, event.ScanJob, "job/1")
	go func() { done <- s.worker.Handle(t.Context(), message) }()
	<-began
	if _, err := s.scans.Cancel(t.Context(), j.ID, "not needed"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the worker goes on with a cancelled job")
	}
	if got := s.job(j.ID); got.State != scan.Cancelled {
		t.Errorf("%s", got.State)
	}
}

// deaf are jobs whose heartbeats do not get through.
type deaf struct {
	scan.Jobs
	beats atomic.Int32
}

func (d *deaf) Heartbeat(context.Context, scan.Lease) (*scan.Lease, error) {
	d.beats.Add(1)
	return nil, fmt.Errorf("no answer: %w", scan.ErrUnavailable)
}

// A worker that cannot reach the store stops before its lease ends.
func TestWorkerFencesItself(t *testing.T) {
	s := newSite(t)
	s.worker.Lease = 2 * time.Second
	d := &deaf{Jobs: s.scans}
	s.worker.Jobs = func(string) (scan.Jobs, error) { return d, nil }
	began := make(chan struct{})
	s.open = func(scan.Target) (*scan.Image, error) { return slowLayer(began), nil }
	j := s.submit(scan.Request{Image: "x"})
	if err := s.worker.Handle(t.Context(), s.message(j, event.ScanJob, "job/1")); err != nil {
		t.Fatal(err)
	}
	if got := s.job(j.ID); got.State != scan.Running || d.beats.Load() == 0 {
		t.Errorf("%s after %d heartbeats: the lease has to end by itself", got.State, d.beats.Load())
	}
}

// A store that is away costs no attempt of the message.
func TestWorkerWaitsForTheStore(t *testing.T) {
	s := newSite(t)
	j := s.submit(scan.Request{Image: "x"})
	message := s.message(j, event.ScanJob, "job/1")
	s.worker.Jobs = func(string) (scan.Jobs, error) { return nil, fmt.Errorf("connect: %w", scan.ErrUnavailable) }
	if err := s.worker.Handle(t.Context(), message); !errors.Is(err, scan.ErrUnavailable) { // a queue postpones that
		t.Errorf("the message is not postponed: %v", err)
	}
}

// A worker that is stopped gives its job back at once.
func TestWorkerGivesBack(t *testing.T) {
	s := newSite(t)
	began := make(chan struct{})
	s.open = func(scan.Target) (*scan.Image, error) { return slowLayer(began), nil }
	j := s.submit(scan.Request{Image: "x"})
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-began; stop() }()
	s.work(ctx, j, 1)
	if got := s.job(j.ID); got.State != scan.Queued || !slices.Equal(got.Causes, []string{"attempt 1: worker worker-1 stopped"}) {
		t.Errorf("%s: %q", got.State, got.Causes)
	}
}

// swept are artifacts of which a collection deletes one just before its reference
// is stored.
type swept struct {
	*blob.Bucket
	gone, puts int
}

func (s *swept) Put(ctx context.Context, r io.Reader) (blob.Ref, error) {
	s.puts++
	return s.Bucket.Put(ctx, r)
}

func (s *swept) Stat(ctx context.Context, ref blob.Ref) (blob.Info, error) {
	if s.gone--; s.gone == 0 {
		return blob.Info{}, fmt.Errorf("object: %w", scan.ErrNotFound)
	}
	return s.Bucket.Stat(ctx, ref)
}

func TestWorkerPutsAgain(t *testing.T) {
	s := newSite(t)
	a := &swept{Bucket: s.bucket, gone: 2}
	s.worker.Artifacts = func(string) (scan.Artifacts, error) { return a, nil }
	s.work(t.Context(), s.submit(scan.Request{Image: "x"}), 1)
	if a.puts != 6 { // a fragment and two documents, twice
		t.Errorf("%d objects put", a.puts)
	}
}

func TestArchiver(t *testing.T) {
	s := newSite(t)
	a := &scan.Archiver{
		Store: func(string) (scan.Store, error) { return s.scans, nil }, Layers: func(string) (scan.Layers, error) { return s.scans, nil },
		Open: s.worker.Open, Artifacts: s.worker.Artifacts,
	}
	var archives [][]byte
	for i, store := range []bool{true, true, false} {
		j := s.submit(scan.Request{Image: "alpine:latest", StoreLayers: store})
		s.work(t.Context(), j, 1)
		before := len(s.opened)
		if err := a.Handle(t.Context(), s.message(j, event.SBOMCreated, "sbom")); err != nil {
			t.Fatal(err)
		}
		if made := len(s.opened) - before; made != 1-min(i, 1) {
			t.Errorf("job %d: the image was opened %d times", i, made)
		}
		ref, err := s.scans.Layers(t.Context(), "sha256:c0")
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.bucket.OpenName(t.Context(), j.ID+"/"+scan.LayersName, ref)
		if !store {
			if !errors.Is(err, scan.ErrNotFound) {
				t.Errorf("an archive that nobody asked for: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if r.Close(); err != nil {
			t.Fatal(err)
		}
		archives = append(archives, b)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives of one image differ")
	}
	z, err := gzip.NewReader(bytes.NewReader(archives[0]))
	if err != nil {
		t.Fatal(err)
	}
	header, err := tar.NewReader(z).Next()
	if want := "sha256/" + strings.TrimPrefix(alpineImage("").Layers[0].Descriptor.Digest, "sha256:"); err != nil || header.Name != want {
		t.Errorf("first entry %v, %v; want %s", header, err, want)
	}
	forged := alpineImage("")
	forged.Layers[0].Open = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(strings.Repeat("x", int(forged.Layers[0].Descriptor.Size)))), nil
	}
	if err := scan.WriteLayers(t.Context(), io.Discard, forged); !errors.Is(err, scan.ErrMismatch) {
		t.Errorf("a forged layer: %v", err)
	}
}

// listener notes the progress that heartbeats tell, and loses some of them.
type listener struct {
	scan.Jobs
	mu   sync.Mutex
	told [][]scan.LayerProgress
	lost int // how many heartbeats with progress are refused first
	as   error
}

func (l *listener) Heartbeat(ctx context.Context, lease scan.Lease) (*scan.Lease, error) {
	l.mu.Lock()
	if lease.Progress != nil {
		l.told = append(l.told, lease.Progress)
		if len(l.told) <= l.lost {
			l.mu.Unlock()
			return nil, l.as
		}
	}
	l.mu.Unlock()
	return l.Jobs.Heartbeat(ctx, lease)
}

func (l *listener) heard() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.told)
}

// patientLayers are an image of two layers, the first of which ends when it may.
func patientLayers(end <-chan struct{}) *scan.Image {
	img := alpineImage("")
	more := imagetest.Blob(imagetest.Tar(imagetest.File{Name: "srv/a", Data: "a"}), imagetest.Gzip)
	open := img.Layers[0].Open
	img.Layers[0].Open = func(ctx context.Context) (io.ReadCloser, error) {
		select {
		case <-end:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return open(ctx)
	}
	img.Layers = append(img.Layers, more)
	return img
}

// What a worker has read is told while it works; what is lost does not matter, and a
// store that takes no progress keeps the job going.
func TestWorkerProgress(t *testing.T) {
	for name, c := range map[string]struct {
		lost int
		as   error
		want int // heartbeats with progress, at least
	}{
		"told": {0, nil, 1}, "lost": {1, fmt.Errorf("no answer: %w", scan.ErrUnavailable), 2}, "refused": {1, fmt.Errorf("unknown member: %w", scan.ErrInvalid), 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.worker.Lease = 8 * time.Second
			l := &listener{Jobs: s.scans, lost: c.lost, as: c.as}
			s.worker.Jobs = func(string) (scan.Jobs, error) { return l, nil }
			end := make(chan struct{})
			img := patientLayers(end)
			s.open = func(scan.Target) (*scan.Image, error) { return img, nil }
			j := s.submit(scan.Request{Image: "x"})
			done := make(chan error, 1)
			message := s.message(j, event.ScanJob, "job/1")
			go func() { done <- s.worker.Handle(t.Context(), message) }()
			until := time.Now().Add(20 * time.Second)
			for l.heard() < c.want && time.Now().Before(until) {
				time.Sleep(20 * time.Millisecond)
			}
			if c.as == nil {
				want := []scan.LayerProgress{{DiffID: img.Layers[0].DiffID, Size: img.Layers[0].Descriptor.Size},
					{Layer: 1, DiffID: img.Layers[1].DiffID, Bytes: img.Layers[1].Descriptor.Size, Size: img.Layers[1].Descriptor.Size, Done: true}}
				for len(s.job(j.ID).Progress) == 0 && time.Now().Before(until) {
					time.Sleep(20 * time.Millisecond)
				}
				if diff := cmp.Diff(want, s.job(j.ID).Progress); diff != "" {
					t.Errorf("while it works (-want +got):\n%s", diff)
				}
			}
			if name == "refused" {
				time.Sleep(2500 * time.Millisecond)
			}
			close(end)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got := s.job(j.ID); got.State != scan.Evaluating || len(got.Progress) > 0 {
				t.Errorf("afterwards: %+v", got)
			}
			if name == "refused" && l.heard() != 1 {
				t.Errorf("told %d times what is refused", l.heard())
			}
		})
	}
}
