package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
)

// hidden stands for sealing: it can be told from the text, and back.
func hidden(tenant, id string, s scan.Secret) ([]byte, error) {
	b := []byte(tenant + "/" + id + "/" + string(s))
	for i := range b {
		b[i] ^= 0x5a
	}
	return b, nil
}

// testSubmitSBOM submits an SBOM: it is kept as long as its job, and not longer.
func testSubmitSBOM(t *testing.T, root *store.Root) {
	acme, other := tenant(t, root, "acme"), tenant(t, root, "other")
	s := acme.Scans()
	ref := blob.Ref{Digest: "sha256:" + strings.Repeat("ab", 32), Size: 3 << 20, Chunks: slices.Repeat([]byte{7}, 96)}
	p := scan.ProjectName{Name: "My shop", Version: "1.4"}
	r := scan.Request{Image: p.Display(), SBOM: scan.ObjectOf(ref), Project: &p, Owner: "ci", Labels: map[string]string{"a": "b"}}
	j, _, err := s.Submit(t.Context(), r, "k")
	if err != nil {
		t.Fatal(err)
	}
	if again, repeated, err := s.Submit(t.Context(), r, "k"); err != nil || !repeated || again.ID != j.ID {
		t.Errorf("submitted again: %v %v %v", again, repeated, err)
	}
	changed := r
	changed.SBOM = scan.ObjectOf(blob.Ref{Digest: "sha256:" + strings.Repeat("cd", 32), Size: 1})
	if _, _, err := s.Submit(t.Context(), changed, "k"); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("another SBOM under the same key: %v", err)
	}
	m, err := scan.DecodeManifest(must[[]byte](t)(s.Manifest(t.Context(), j.ID)))
	want := &scan.Manifest{JobID: j.ID, Reference: "sbom:" + ref.Digest, Name: "My shop@1.4", SBOM: scan.ObjectOf(ref), Owner: "ci", Labels: r.Labels}
	if diff := cmp.Diff(want, m); err != nil || diff != "" || j.Image != "My shop@1.4" {
		t.Errorf("%s: %v (-want +got):\n%s", j.Image, err, diff)
	}
	if free := must[bool](t)(acme.References().Condemn(t.Context(), ref.Digest)); free {
		t.Error("the SBOM of a job that waits may be collected")
	}
	if free := must[bool](t)(other.References().Condemn(t.Context(), ref.Digest)); !free {
		t.Error("another tenant's job keeps the SBOM")
	}
	if _, _, err := other.Scans().Submit(t.Context(), r, ""); !errors.Is(err, scan.ErrConflict) {
		t.Errorf("an SBOM that is being deleted: %v", err)
	}
	l := claim(t, s, j)
	if err := s.Complete(t.Context(), *l, results("sbom")); err != nil {
		t.Fatal(err)
	}
	e := must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "web", Length: 15 * time.Second}))
	if err := s.FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{}); err != nil {
		t.Fatal(err)
	}
	if free := must[bool](t)(acme.References().Condemn(t.Context(), ref.Digest)); free {
		t.Error("the source of a scan may be collected")
	}
	testProjects(t, acme, other, p, j)
	time.Sleep(5 * time.Millisecond)
	if done := must[store.Removed](t)(root.Collect(t.Context(), &store.Retention{Scans: time.Millisecond})); done.Scans != 1 {
		t.Errorf("removed %+v", done)
	}
	if free := must[bool](t)(acme.References().Condemn(t.Context(), ref.Digest)); !free {
		t.Error("the source of a scan that was deleted is still referred to")
	}
	if _, err := s.Upload(t.Context(), scan.UploadToken("acme", j.ID)); !errors.Is(err, scan.ErrNotFound) {
		t.Errorf("an upload whose scan was deleted: %v", err)
	}
}

// testProjects finds a project by all its names.
func testProjects(t *testing.T, acme, other *store.Tenant, p scan.ProjectName, j *scan.Job) {
	s, ctx := acme.Scans(), t.Context()
	id := scan.ProjectID("acme", p)
	want := &scan.Project{ProjectName: p, ID: id, ScanID: j.ID, Updated: j.Created}
	if diff := cmp.Diff(want, must[*scan.Project](t)(s.Project(ctx, id))); diff != "" {
		t.Errorf("project (-want +got):\n%s", diff)
	}
	if got := must[string](t)(s.Upload(ctx, scan.UploadToken("acme", j.ID))); got != j.ID {
		t.Errorf("upload: %s, want %s", got, j.ID)
	}
	for i := range 5 {
		q := scan.ProjectName{Name: fmt.Sprint("p", i%3)}
		r := scan.Request{Image: q.Display(), Project: &q, SBOM: scan.ObjectOf(blob.Ref{Digest: "sha256:" + strings.Repeat("ef", 32), Size: 1})}
		if _, _, err := s.Submit(ctx, r, ""); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for skip := 0; skip < 6; skip += 2 {
		list, total, err := s.Projects(ctx, skip, 2)
		if err != nil || total != 4 {
			t.Fatal(total, err)
		}
		for _, p := range list {
			got = append(got, p.Display())
		}
	}
	if diff := cmp.Diff([]string{"My shop@1.4", "p0", "p1", "p2"}, got); diff != "" {
		t.Errorf("projects (-want +got):\n%s", diff)
	}
	_, e1 := other.Scans().Project(ctx, id)
	_, e2 := other.Scans().Upload(ctx, scan.UploadToken("acme", j.ID))
	_, e3 := s.Project(ctx, "x\x00'")
	if _, total, err := other.Scans().Projects(ctx, 0, 10); total != 0 || err != nil || !errors.Is(e1, scan.ErrNotFound) || !errors.Is(e2, scan.ErrNotFound) || !errors.Is(e3, scan.ErrNotFound) {
		t.Errorf("another tenant: %d, %v, %v, %v, %v", total, err, e1, e2, e3)
	}
	if _, _, err := s.Projects(ctx, -1, 10); !errors.Is(err, scan.ErrInvalid) {
		t.Errorf("from -1 on: %v", err)
	}
}

// testPullSecrets follows what a registry is asked with: to who claims the job, until the
// worker is done, and no longer than its time.
func testPullSecrets(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	r := scan.Request{Image: "registry.example/a:1", Authorization: "Basic Y2FuYXJ5"}
	if _, _, err := acme.Scans().Submit(t.Context(), r, ""); !errors.Is(err, scan.ErrUnsupported) || strings.Contains(err.Error(), "Y2Fu") {
		t.Errorf("without a key: %v", err)
	}
	s := acme.Scans().With(&store.ScansOptions{Seal: hidden})
	sealed := func(j *scan.Job) []byte {
		t.Helper()
		l, err := s.Claim(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "w", Length: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if !l.Manifest.Credential {
			t.Error("the manifest does not say that there is one")
		}
		if err := s.Fail(t.Context(), *l, scan.Failure{Cause: "over", Permanent: true}); err != nil {
			t.Fatal(err)
		}
		return l.Sealed
	}
	j, _, err := s.Submit(t.Context(), r, "key")
	if err != nil {
		t.Fatal(err)
	}
	renewed := r
	renewed.Authorization = "Basic bmV3" // a short-lived token is another one each time
	if again, repeated, err := s.Submit(t.Context(), renewed, "key"); err != nil || !repeated || again.ID != j.ID {
		t.Errorf("submitted again: %v %v", repeated, err)
	}
	want, _ := hidden("acme", j.ID, r.Authorization)
	if diff := cmp.Diff(want, sealed(j)); diff != "" {
		t.Errorf("sealed (-want +got):\n%s", diff)
	}
	if n := kept(t, root, "acme"); n != 0 {
		t.Errorf("%d secrets are kept of a job that failed", n)
	}
	for name, end := range map[string]func(*scan.Job) error{
		"cancelled": func(j *scan.Job) error { _, err := s.Cancel(t.Context(), j.ID, ""); return err },
		"completed": func(j *scan.Job) error { return s.Complete(t.Context(), *claim(t, s, j), results(j.ID)) },
	} {
		j := must2Job(t)(s.Submit(t.Context(), r, ""))
		if n := kept(t, root, "acme"); n != 1 {
			t.Errorf("%s: %d secrets before", name, n)
		}
		if err := end(j); err != nil {
			t.Fatal(err)
		}
		if n := kept(t, root, "acme"); n != 0 {
			t.Errorf("%s: %d secrets are left", name, n)
		}
	}
	brief := acme.Scans().With(&store.ScansOptions{Seal: hidden, SecretLife: time.Microsecond})
	j = must2Job(t)(brief.Submit(t.Context(), r, ""))
	time.Sleep(2 * time.Millisecond)
	if b := sealed(j); b != nil {
		t.Errorf("after its time: %q", b)
	}
	must2Job(t)(brief.Submit(t.Context(), r, ""))
	time.Sleep(2 * time.Millisecond)
	must[store.Removed](t)(root.Collect(t.Context(), nil))
	if n := kept(t, root, "acme"); n != 0 {
		t.Errorf("%d secrets are left after a collection", n)
	}
}

func must2Job(t testing.TB) func(*scan.Job, bool, error) *scan.Job {
	return func(j *scan.Job, _ bool, err error) *scan.Job {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
}

// kept counts what is kept of secrets: as many as a deletion finds that is taken back.
func kept(t testing.TB, root *store.Root, name string) int {
	t.Helper()
	back, found := errors.New("taken back"), int64(0)
	_, err := tenant(t, root, name).Once(t.Context(), "count", "count", func(tx *store.Tx) (err error) {
		if found, err = tx.Exec(`DELETE FROM scanner.pull_secrets WHERE tenant_id = $1`, name); err != nil {
			return err
		}
		return back
	})
	if !errors.Is(err, back) {
		t.Fatal(err)
	}
	return int(found)
}

// testQuota submits more than is allowed, one after the other and at once.
func testQuota(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	image := func(i int) scan.Request { return scan.Request{Image: fmt.Sprint("a", i)} }
	open := acme.Scans().With(&store.ScansOptions{Quota: scan.Quota{Open: 3}})
	var mu sync.Mutex
	var jobs []*scan.Job
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			j, _, err := open.Submit(context.WithoutCancel(t.Context()), image(i), fmt.Sprint("open-", i))
			var q *scan.QuotaError
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				jobs = append(jobs, j)
			} else if !errors.As(err, &q) || !errors.Is(err, scan.ErrLimit) || q.After != 0 || q.Max != 3 {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(jobs) != 3 {
		t.Fatalf("%d jobs are open, 3 may be", len(jobs))
	}
	if page := must[*scan.Page](t)(open.List(t.Context(), scan.Query{})); len(page.Jobs) != 3 {
		t.Errorf("%d jobs are there", len(page.Jobs))
	}
	l := claim(t, open, jobs[0]) // running counts as well
	if _, _, err := open.Submit(t.Context(), image(99), ""); !errors.Is(err, scan.ErrLimit) {
		t.Errorf("a fourth: %v", err)
	}
	if err := open.Fail(t.Context(), *l, scan.Failure{Cause: "over", Permanent: true}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open.Submit(t.Context(), image(99), ""); err != nil {
		t.Errorf("after one ended: %v", err)
	}
	// Other tenants have quotas of their own.
	daily := tenant(t, root, "other").Scans().With(&store.ScansOptions{Quota: scan.Quota{Daily: 2}})
	submit(t, daily, "a")
	again := must2Job(t)(daily.Submit(t.Context(), image(1), "one"))
	if j, repeated, err := daily.Submit(t.Context(), image(1), "one"); err != nil || !repeated || j.ID != again.ID {
		t.Errorf("a repetition: %v %v", repeated, err)
	}
	for range 3 { // what is refused does not count
		var q *scan.QuotaError
		if _, _, err := daily.Submit(t.Context(), image(2), ""); !errors.As(err, &q) || q.After <= 0 || q.After > 24*time.Hour {
			t.Errorf("a third: %v", err)
		}
	}
	wider := tenant(t, root, "other").Scans().With(&store.ScansOptions{Quota: scan.Quota{Daily: 3}})
	submit(t, wider, "b")
	if _, _, err := wider.Submit(t.Context(), image(3), ""); !errors.Is(err, scan.ErrLimit) {
		t.Errorf("a fourth: %v", err)
	}
	submit(t, tenant(t, root, "third").Scans(), "a")                                                     // without a quota
	if b := must[store.Backlog](t)(root.Backlog(t.Context(), event.ScannerJobs)); b.Pending != 4+3+1-1 { // one was claimed
		t.Errorf("%d messages of jobs, want those of the jobs that were taken", b.Pending)
	}
}
