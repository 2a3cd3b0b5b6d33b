package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// DefaultLease is how long a worker holds a job between heartbeats.
const DefaultLease = 15 * time.Second

// Neutral is the format of the document that everything else is derived from.
const Neutral = "stella-json"

// Target is an image that a job names.
type Target struct {
	Tenant    string // whose scan it is
	Reference string
	Digest    string // what the reference stood for at an earlier attempt, or ""
	Platform  string
	PlainHTTP bool // the registry is spoken to without encryption
	// Authorization is what the registry is asked with, as the header of that name has
	// it; "" means that this process has to know.
	Authorization Secret
}

// Artifacts keep what a worker made, and what was uploaded to be scanned. A blob.Bucket
// is one.
type Artifacts interface {
	// Put keeps the bytes of r under their content. Doing it twice is no error.
	Put(ctx context.Context, r io.Reader) (blob.Ref, error)
	// Name copies an object, once it is verified, to a human name.
	Name(ctx context.Context, ref blob.Ref, name string) error
	// Stat returns an error wrapping ErrNotFound for an object that is not there.
	Stat(ctx context.Context, ref blob.Ref) (blob.Info, error)
	// Open gives out verified bytes only.
	Open(ctx context.Context, ref blob.Ref) (io.ReadCloser, error)
}

// Decoding reads an SBOM, and says in which format and version it was, such as
// "cyclonedx-json@1.6". Decode of package scan/sbom/format is one.
type Decoding func(r io.Reader) (doc *sbom.Document, format string, err error)

// Encoding writes a document in one format.
type Encoding func(w io.Writer, d *sbom.Document, format string) (mediaType, suffix string, err error)

// Worker scans what job messages name. Jobs, Open, Scanner, Artifacts and
// Encode are required. A Worker is safe for concurrent use.
type Worker struct {
	// Jobs gives the jobs of a tenant.
	Jobs func(tenant string) (Jobs, error)
	// Open opens an image.
	Open func(ctx context.Context, t Target) (*Image, error)
	// Scanner gives the scanner of a tenant; tenants that do not trust each
	// other must not share its cache.
	Scanner func(tenant string) *Scanner
	// Matcher is asked what affects the packages. Nil: nothing is matched, and
	// the results say so.
	Matcher Matcher
	// Index says by what packages are found when advisories change, one for each
	// package of the document in its order; advisory.Keys does. Nil: scans are not
	// found by it.
	Index func(doc *sbom.Document) []finding.PackageKey
	// Artifacts keep the documents and fragments of a tenant.
	Artifacts func(tenant string) (Artifacts, error)
	// Encode writes a document.
	Encode Encoding
	// Decode reads SBOMs that were uploaded, and MediaType says of a format what its media
	// type is and how a file's name ends. Where either is nil their jobs fail as unsupported.
	Decode    Decoding
	MediaType func(format string) (mediaType, suffix string)
	// Unseal opens the Authorization of a lease; package scan/pullsecret does. Nil: jobs
	// that have one fail as unsupported.
	Unseal func(tenant, jobID string, sealed []byte) (Secret, error)
	// Formats are kept where a request names none.
	Formats []string
	// Holder names this worker in leases. It must be unique.
	Holder string
	// Lease is how long a job is held between heartbeats. Default: DefaultLease.
	Lease time.Duration
	// Report is told what does not end an attempt, such as a lost heartbeat. Nil
	// means nobody. It is called from several goroutines.
	Report func(error)
}

// Handle scans the job of one message, whose ID it notes. A nil error means that
// the message is done, whatever became of the job: that stands in the store.
// Any other error means that the store could not be asked.
func (w *Worker) Handle(ctx context.Context, body []byte) error {
	message, s, err := readMessage(body, event.ScanJob)
	if err != nil || message == nil {
		return err
	}
	jobs, err := w.Jobs(message.Tenant)
	if err != nil {
		return fmt.Errorf("job %s: %w", s.JobID, err)
	}
	lease, err := jobs.Claim(ctx, ClaimRequest{JobID: s.JobID, Holder: w.Holder, Message: message.ID, Length: cmp.Or(w.Lease, DefaultLease)})
	switch {
	case errors.Is(err, fault.Conflict), errors.Is(err, fault.NotFound):
		return nil // it ended, or somebody else holds it
	case err != nil:
		return fmt.Errorf("job %s: claim: %w", s.JobID, err)
	}
	return w.attempt(ctx, jobs, message.Tenant, lease)
}

// attempt does the work of a lease and says how it ended.
func (w *Worker) attempt(ctx context.Context, jobs Jobs, tenant string, lease *Lease) error {
	seen := new(progress)
	held := w.hold(ctx, jobs, lease, seen)
	results, keep, err := w.work(held.ctx, jobs, tenant, lease, seen)
	if err == nil {
		err = jobs.Complete(held.ctx, *lease, *results)
		if errors.Is(err, fault.Unavailable) && held.ctx.Err() == nil {
			err = jobs.Complete(held.ctx, *lease, *results) // the answer may have been lost
		}
	}
	held.release()
	switch {
	case err == nil:
		if err := keep.again(ctx, results); err != nil {
			w.report(fmt.Errorf("job %s: %w", lease.JobID, err))
		}
		return nil
	case errors.Is(err, fault.Fenced) || held.fenced.Load():
		return nil // somebody else has the job
	case ctx.Err() != nil:
		// Stopping: the job goes back at once, not after its lease.
		err = fmt.Errorf("worker %s stopped", w.Holder)
	}
	failure := Failure{Cause: err.Error(), Permanent: permanent(err)}
	err = jobs.Fail(context.WithoutCancel(ctx), *lease, failure)
	if errors.Is(err, fault.Fenced) {
		return nil
	}
	return err
}

// permanent reports whether another attempt would fail the same way.
func permanent(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unsupported, fault.Forbidden, fault.Mismatch, fault.Limit, fault.NotFound:
		return true
	}
	return false
}

// holding keeps a lease alive.
type holding struct {
	ctx    context.Context // done when the lease is lost
	fenced atomic.Bool
	stop   context.CancelFunc
	ended  chan struct{}
}

func (h *holding) release() {
	h.stop()
	<-h.ended
}

// newsEvery is how often a heartbeat is sent for progress alone, at most.
const newsEvery = time.Second

// hold sends heartbeats, and with them what was seen of the progress. Work stops when
// the store says that the lease is over, and by itself when no heartbeat succeeded for
// two thirds of its length.
func (w *Worker) hold(ctx context.Context, jobs Jobs, lease *Lease, seen *progress) *holding {
	h := &holding{ended: make(chan struct{})}
	h.ctx, h.stop = context.WithCancel(ctx)
	go func() {
		defer close(h.ended)
		tick := time.NewTicker(lease.Length / 4)
		defer tick.Stop()
		news := time.NewTicker(newsEvery)
		defer news.Stop()
		good, silent := time.Now(), false
		for {
			now := *lease
			select {
			case <-h.ctx.Done():
				return
			case <-tick.C:
				now.Progress = seen.news()
			case <-news.C:
				if now.Progress = seen.news(); now.Progress == nil || silent {
					continue
				}
			}
			if silent {
				now.Progress = nil
			}
			beat, cancel := context.WithTimeout(h.ctx, lease.Length/4)
			began := time.Now()
			_, err := jobs.Heartbeat(beat, now)
			cancel()
			if err != nil {
				seen.again()
			}
			switch {
			case errors.Is(err, fault.Invalid) && now.Progress != nil:
				silent = true // an older store takes none, and the job is worth more
			case err == nil:
				good = began
				continue
			case h.ctx.Err() != nil:
				return
			}
			w.report(fmt.Errorf("job %s: heartbeat: %w", lease.JobID, err))
			if errors.Is(err, fault.Fenced) || time.Since(good) > lease.Length*2/3 {
				h.fenced.Store(true)
				h.stop()
				return
			}
		}
	}()
	return h
}

func (w *Worker) report(err error) {
	if w.Report != nil {
		w.Report(err)
	}
}

// packages makes the rows of the package index.
func (w *Worker) packages(doc *sbom.Document) []PackageFact {
	var keys []finding.PackageKey
	if w.Index != nil {
		keys = w.Index(doc)
	}
	var out []PackageFact
	for i := range doc.Packages {
		p := &doc.Packages[i]
		f := PackageFact{ID: p.ID, PURL: p.PURL.String(), Name: p.Name, Version: p.Version}
		if len(keys) == len(doc.Packages) {
			f.Keys, f.Fact = keys[i].Keys, keys[i].Fact
		}
		out = append(out, f)
	}
	return out
}

// work scans, matches and keeps the documents.
func (w *Worker) work(ctx context.Context, jobs Jobs, tenant string, lease *Lease, seen *progress) (*Results, *keeper, error) {
	m := lease.Manifest
	if m == nil {
		return nil, nil, fmt.Errorf("job %s: the lease has no manifest: %w", lease.JobID, fault.Invalid)
	}
	keep := &keeper{worker: w, lease: lease}
	var err error
	if m.SBOM != nil {
		keep.artifacts, err = w.Artifacts(tenant)
		if err == nil {
			keep.doc, keep.uploaded, err = w.read(ctx, keep.artifacts, m)
		}
	} else {
		keep.doc, keep.fragments, err = w.scan(ctx, jobs, tenant, lease, seen)
	}
	if err != nil {
		return nil, nil, err
	}
	doc := keep.doc
	crashpoint.Hit(crashpoint.WorkerScanned)
	r := &Results{ImageDigest: doc.Subject.ConfigDigest, Gaps: len(doc.Gaps), Blocked: doc.Blocked()}
	if w.Matcher != nil {
		if r.Report, err = w.Matcher.Match(ctx, doc); err != nil {
			return nil, nil, fmt.Errorf("match: %w", err)
		}
		r.Gaps += len(r.Report.Gaps)
		r.Blocked = r.Blocked || r.Report.Blocked()
		r.Inputs = map[string]string{"advisories": r.Report.Snapshot}
	} else {
		r.Blocked = true // nothing is known: not assessed
	}
	r.Packages = w.packages(doc)
	if keep.artifacts, err = w.Artifacts(tenant); err != nil {
		return nil, nil, err
	}
	if r.Fragments, r.Documents, err = keep.all(ctx); err != nil {
		return nil, nil, err
	}
	r.SBOMDigest = r.Documents[0].Ref.Digest
	return r, keep, nil
}
