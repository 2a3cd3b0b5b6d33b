package crash

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// tenants share everything but their rows.
var tenants = []string{"alpha", "beta", "gamma"}

// The keys of what is special: a job is cancelled at once, or its first attempt
// fails.
func isCancelled(i int) bool { return i%25 == 13 }
func isFlaky(i int) bool     { return i%20 == 7 }

// reference is the image of the ith submission; no other has it.
func reference(i int) string {
	kind := "plain"
	if isFlaky(i) {
		kind = "flaky"
	}
	return fmt.Sprintf("registry.test/%s/v%d:k%06d", kind, i%layouts, i)
}

// submit acts for clients until its input ends: each repeats its request under
// the same key until it is answered.
func (c *child) submit() error {
	var ended atomic.Bool
	go func() {
		io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		ended.Store(true)
	}()
	for i := c.From; !ended.Load(); i++ {
		name := tenants[i%len(tenants)]
		t, err := c.root.Tenant(name)
		if err != nil {
			return err
		}
		key := fmt.Sprintf("k%06d", i)
		priority := i * 7 % 10
		request := scan.Request{Image: reference(i), Priority: &priority, Formats: []string{format.CycloneDXJSON}}
		c.say("try", i)
		job, repeated, err := t.Scans().Submit(c.ctx, request, key)
		for err != nil {
			c.report(err)
			time.Sleep(50 * time.Millisecond)
			job, repeated, err = t.Scans().Submit(c.ctx, request, key)
		}
		c.say("ack", i, job.ID, repeated)
		if isCancelled(i) {
			if _, err := t.Scans().Cancel(c.ctx, job.ID, "no longer wanted"); err != nil {
				c.report(err)
			}
		}
		time.Sleep(c.Pace)
		for i%10 == 0 && !ended.Load() && c.isAhead(t) { // clients wait for results
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// isAhead reports whether much is waiting.
func (c *child) isAhead(t *store.Tenant) bool {
	for _, state := range []scan.State{scan.Queued, scan.Evaluating} {
		page, err := t.Scans().List(c.ctx, scan.Query{State: state, Limit: 8})
		if err == nil && len(page.Jobs) == 8 {
			return true
		}
	}
	b, err := c.root.Backlog(c.ctx, event.ScannerEvents)
	if err == nil && c.proof != nil {
		var exports store.Backlog
		exports, err = c.root.Backlog(c.ctx, event.ExportJobs)
		b.Pending += exports.Pending
		b.Published += exports.Published
	}
	return err == nil && b.Pending+b.Published > 100
}

func (c *child) worker() *scan.Worker {
	scanner := &scan.Scanner{Analyzers: all.Set(), Parallel: 1}
	return &scan.Worker{
		Jobs: func(tenant string) (scan.Jobs, error) {
			t, err := c.root.Tenant(tenant)
			if err != nil {
				return nil, err
			}
			return &zombie{Scans: t.Scans(), child: c}, nil
		},
		Open:    c.openImage,
		Scanner: func(string) *scan.Scanner { return scanner },
		Matcher: matcher{},
		Artifacts: func(tenant string) (scan.Artifacts, error) {
			return c.bucket.Sub(tenant)
		},
		Encode: func(w io.Writer, d *sbom.Document, name string) (string, string, error) {
			_, err := format.Encode(w, d, name, nil)
			return format.MediaType(name), strings.ReplaceAll(name, "-", "."), err
		},
		Holder: c.Name, Lease: c.Lease, Report: c.report,
	}
}

// openImage gives one of the layouts under the name of a registry. The first
// attempt at a flaky one fails.
func (c *child) openImage(ctx context.Context, t scan.Target) (*scan.Image, error) {
	parts := strings.FieldsFunc(t.Reference, func(r rune) bool { return r == '/' || r == ':' })
	if len(parts) != 4 {
		return nil, fmt.Errorf("image %s: %w", t.Reference, fault.NotFound)
	}
	if parts[1] == "flaky" {
		f, err := os.OpenFile(filepath.Join(c.Images, "failed-"+parts[3]), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			f.Close()
			return nil, fmt.Errorf("image %s: the registry is away: %w", t.Reference, fault.Unavailable)
		}
	}
	return image.Open(ctx, "oci:"+filepath.Join(c.Images, parts[2]), nil)
}

// matcher finds something in each package: results have rows of all kinds.
type matcher struct{}

func (matcher) Match(_ context.Context, doc *sbom.Document) (*finding.Report, error) {
	r := &finding.Report{Snapshot: "sha256:" + strings.Repeat("7e57", 16)}
	for _, p := range doc.Packages {
		r.Findings = append(r.Findings, finding.Finding{Package: p.ID, Name: p.Name, Version: p.Version, Vulnerability: "CVE-2024-1", Advisory: "TEST-1", Severity: finding.Low})
	}
	r.Sort()
	return r, nil
}

func (c *child) completer() *scan.Completer {
	return &scan.Completer{
		Jobs: func(tenant string) (scan.Evaluations, error) {
			t, err := c.root.Tenant(tenant)
			if err != nil {
				return nil, err
			}
			return t.Scans(), nil
		},
		Evaluator: judge{}, Signer: judge{}, Holder: c.Name, Lease: c.Lease,
	}
}

// judge decides and signs, the same each time.
type judge struct{}

func (judge) Evaluate(_ context.Context, e *scan.Evaluation, at time.Time) (*scan.Verdict, error) {
	body := fmt.Appendf(nil, `{"at":%d,"job":%q,"sbom":%q}`, at.UnixMicro(), e.Job.ID, e.Job.Summary.SBOMDigest)
	sum := sha256.Sum256(body)
	return &scan.Verdict{Digest: "sha256:" + hex.EncodeToString(sum[:]), Outcome: "pass", Body: body}, nil
}

func (judge) Sign(_ context.Context, _ *scan.Evaluation, body []byte) (*scan.Signature, error) {
	sum := sha256.Sum256(append([]byte("key"), body...))
	return &scan.Signature{KeyID: "test", Envelope: sum[:]}, nil
}

// note is a consumer whose effect can be counted: nothing but Once keeps the
// table from having a row twice.
func (c *child) note(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	s, err := event.DecodeScan(e)
	if err != nil {
		return err
	}
	t, err := c.root.Tenant(e.Tenant)
	if err != nil {
		return err
	}
	_, err = t.Once(ctx, event.GroupTimeline, e.ID, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO scanner.crash_effects (tenant_id, event_id, type, job_id) VALUES ($1, $2, $3, $4)`, e.Tenant, e.ID, string(e.Type), s.JobID)
		return err
	})
	return err
}

// grace is longer than a worker takes from its first object to its results.
const grace = 8 * time.Second

// collect deletes what nothing refers to, over and over. It leaves something to
// find each time.
func (c *child) collect() error {
	for n := 0; ; n++ {
		for _, name := range tenants {
			t, err := c.root.Tenant(name)
			if err != nil {
				return err
			}
			b, err := c.bucket.Sub(name)
			if err != nil {
				return err
			}
			ref, err := b.Put(c.ctx, bytes.NewReader(fmt.Appendf(nil, "nobody's %s %d", c.Name, n)))
			if err != nil {
				return err
			}
			old := time.Now().Add(-time.Hour) // nobody wants this one: it need not wait
			sum := strings.TrimPrefix(ref.Digest, "sha256:")
			dir := strings.TrimPrefix(c.Bucket, "file:")
			if err := os.Chtimes(filepath.Join(dir, name, "sha256", sum[:2], sum), old, old); err != nil {
				return err
			}
			if _, err := b.Collect(c.ctx, t.References(), grace); err != nil {
				c.report(err)
			}
		}
		if _, err := c.root.Collect(c.ctx, nil); err != nil {
			c.report(err)
		}
		time.Sleep(500 * time.Millisecond)
	}
}
