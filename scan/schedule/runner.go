package schedule

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

// The defaults of a Runner.
const (
	DefaultEvery      = time.Second
	DefaultPlans      = 4
	DefaultResolves   = 8
	DefaultResolveFor = 30 * time.Second
)

const (
	runPage    = 200 // images between two notes of how far a run is
	dueLimit   = 100 // plans in one look
	minRetry   = 5 * time.Second
	maxRetry   = 2 * time.Minute
	minRewatch = 5 * time.Minute
	maxRewatch = 24 * time.Hour
)

// Runner runs plans of all tenants when they are due. Due, Progress, Scans, Evaluations and
// Resolve are required. It must not be changed after the first call.
//
// Only one runs at a time: call Run in the term of a leader. Where two do all the same, or
// one does a part over, each scan and evaluation is there once; what the first writes of a
// run is refused after the second has begun its term.
type Runner struct {
	// Due lists plans to look after, at most limit: a store.Root's SchedulesDue.
	Due func(ctx context.Context, limit int) ([]Due, error)
	// Progress gives the plans of a tenant, Scans what takes its scans.
	Progress func(tenant string) (Progress, error)
	Scans    func(tenant string) (Submitter, error)
	// Evaluations schedules evaluations: a store.Root's Schedule.
	Evaluations Store
	// Resolve asks a registry which image a reference stands for: the digest of the manifest
	// for a platform, as scan/image.Resolve returns it.
	Resolve func(ctx context.Context, tenant, ref, platform string) (digest string, err error)
	// Every is the time between two looks. Default: DefaultEvery.
	Every time.Duration
	// Plans bounds the plans that run at once, Resolves the questions to registries that one
	// of them asks at once, ResolveFor the time for one. Defaults: DefaultPlans,
	// DefaultResolves, DefaultResolveFor.
	Plans, Resolves int
	ResolveFor      time.Duration
	// Report is told of failures; the loop goes on. Nil means nobody.
	Report func(error)
}

// Run runs plans in a term until ctx ends, and waits for those that have begun. It returns
// early where the term is over.
func (r *Runner) Run(ctx context.Context, term int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	defer running.Wait()
	var mu sync.Mutex
	busy := map[Due]bool{}
	places := make(chan struct{}, max(cmp.Or(r.Plans, DefaultPlans), 1))
	tick := time.NewTicker(cmp.Or(max(r.Every, 0), DefaultEvery))
	defer tick.Stop()
	for ctx.Err() == nil {
		list, err := r.Due(ctx, dueLimit)
		if err != nil && ctx.Err() == nil {
			r.report(fmt.Errorf("look which plans are due: %w", err))
		}
		for _, d := range list {
			mu.Lock()
			skip := busy[d]
			mu.Unlock()
			if skip {
				continue
			}
			select {
			case places <- struct{}{}:
			default: // all are taken; the rest is still due at the next look
				continue
			}
			mu.Lock()
			busy[d] = true
			mu.Unlock()
			running.Go(func() {
				defer func() {
					mu.Lock()
					delete(busy, d)
					mu.Unlock()
					<-places
				}()
				if err := r.RunPlan(ctx, term, d); errors.Is(err, fault.Fenced) {
					cancel(err)
				} else if err != nil && ctx.Err() == nil {
					r.report(err)
				}
			})
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, fault.Fenced) {
		return cause
	}
	return ctx.Err()
}

func (r *Runner) report(err error) {
	if r.Report != nil {
		r.Report(err)
	}
}

// RunPlan runs what is due of one plan. Nothing due is no error.
func (r *Runner) RunPlan(ctx context.Context, term int64, d Due) error {
	fail := func(err error) error { return fmt.Errorf("run plan %s of %s: %w", d.ID, d.Tenant, err) }
	work, err := r.Progress(d.Tenant)
	if err != nil {
		return fail(err)
	}
	run, err := work.Begin(ctx, term, d.ID)
	if k := fault.KindOf(err); k == fault.Conflict || k == fault.NotFound {
		return nil // somebody else was first, or it was deleted
	}
	if err != nil {
		return fail(err)
	}
	for run.State == RunRunning {
		next := *run
		marks, err := r.page(ctx, work, d.Tenant, &next)
		if err != nil {
			if errors.Is(err, fault.Fenced) || ctx.Err() != nil {
				return fail(err) // the run goes on under the next leader
			}
			next = *run
			next.Reason, next.Wait, marks = cutText(err.Error(), scan.MaxReason), doubled(minRetry, maxRetry, run.Attempt), nil
			if run.Attempt >= RunAttempts {
				next.State = RunFailed
			}
			return errors.Join(fail(err), r.advance(ctx, work, &next, nil))
		}
		if err := r.advance(ctx, work, &next, marks); err != nil {
			return fail(err)
		}
		run = &next
	}
	return nil
}

func (r *Runner) advance(ctx context.Context, work Progress, run *Run, marks []Mark) error {
	err := work.Advance(ctx, run, marks)
	if errors.Is(err, fault.NotFound) { // the plan was deleted meanwhile
		run.State = RunFailed
		return nil
	}
	return err
}

// doubled is a wait that doubles with each attempt from 1 on.
func doubled(least, most time.Duration, attempt int) time.Duration {
	return min(least<<min(max(attempt-1, 0), 20), most)
}

// page works off the next images of a run, and returns what came of resolving tags.
func (r *Runner) page(ctx context.Context, work Progress, tenant string, run *Run) ([]Mark, error) {
	targets, err := work.Targets(ctx, &run.Plan.Selection, run.After, runPage)
	if err != nil {
		return nil, err
	}
	run.Selected += len(targets.List)
	var marks []Mark
	switch run.Plan.Kind {
	case Evaluate:
		err = r.evaluate(ctx, tenant, run, targets)
	case Watch:
		marks, err = r.watch(ctx, tenant, run, targets.List)
	default:
		err = r.submit(ctx, tenant, run, targets.List)
	}
	if err != nil {
		return nil, err
	}
	run.Attempt, run.Reason, run.Wait = 1, "", 0
	if targets.Next == nil {
		run.State = RunDone
	} else {
		run.After = *targets.Next
	}
	return marks, nil
}

// evaluate schedules evaluations of those whose report is older than the current head.
func (r *Runner) evaluate(ctx context.Context, tenant string, run *Run, targets *Targets) error {
	var jobs []Job
	for _, t := range targets.List {
		if t.Head >= targets.Head {
			run.Skipped++
			continue
		}
		jobs = append(jobs, Job{Tenant: tenant, ScanID: t.ScanID, Head: targets.Head, Cause: CauseSchedule, Priority: run.Plan.priority()})
	}
	run.Submitted += len(jobs)
	if len(jobs) == 0 {
		return nil
	}
	return r.Evaluations.Schedule(ctx, tenant, "", jobs)
}

// submit asks for each image again, but for those of which that is no use, or that are being
// scanned already: runs that are faster than workers do not pile up.
func (r *Runner) submit(ctx context.Context, tenant string, run *Run, list []Target) error {
	scans, err := r.Scans(tenant)
	if err != nil {
		return err
	}
	for _, t := range list {
		if t.Active || t.Fixed {
			run.Skipped++
			continue
		}
		request := t.Request
		priority := run.Plan.priority()
		request.Priority = &priority
		_, _, err := scans.Submit(ctx, request, submissionKey(run, &request))
		switch fault.KindOf(err) {
		case fault.Conflict: // this run has submitted it, as the scan before asked
			err = nil
		case fault.Invalid, fault.Unsupported, fault.Limit, fault.Forbidden:
			run.problem(&t, err)
			continue
		}
		if err != nil {
			return err
		}
		run.Submitted++
	}
	return nil
}

// submissionKey is the idempotency key of what a run submits for an image.
func submissionKey(run *Run, request *scan.Request) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{run.Schedule, run.ID, request.Image, request.Platform}, "\x00")))
	return fmt.Sprintf("schedule/%x", sum)
}

func (r *Run) problem(t *Target, err error) {
	r.Failed++
	if len(r.Problems) < MaxProblems {
		r.Problems = append(r.Problems[:len(r.Problems):len(r.Problems)], Problem{Image: t.Request.Image, Platform: t.Request.Platform, Reason: cutText(err.Error(), MaxProblem)})
	}
}

func cutText(s string, most int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most-3], "") + "…"
	}
	return s
}

// watch asks registries about tags, and submits a scan of each image whose tag has moved.
func (r *Runner) watch(ctx context.Context, tenant string, run *Run, list []Target) ([]Mark, error) {
	ask := make([]Target, 0, len(list))
	for _, t := range list {
		// A digest never moves; who fails is left alone for a while.
		if strings.Contains(t.Request.Image, "@") || t.Resolved == "" || t.Fixed || t.Active || t.Waits {
			run.Skipped++
			continue
		}
		ask = append(ask, t)
	}
	digests, failed := r.resolve(ctx, tenant, ask)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var moved []Target
	var marks []Mark
	for i := range ask {
		t := &ask[i]
		switch {
		case failed[i] != nil:
			run.problem(t, failed[i])
			marks = append(marks, Mark{Image: t.Request.Image, Platform: t.Request.Platform, Failures: t.Failures + 1, Reason: cutText(failed[i].Error(), MaxProblem), Wait: doubled(minRewatch, maxRewatch, t.Failures+1)})
			continue
		case t.Failures > 0:
			marks = append(marks, Mark{Image: t.Request.Image, Platform: t.Request.Platform})
		}
		if digests[i] == t.Resolved {
			run.Skipped++
			continue
		}
		moved = append(moved, *t)
	}
	return marks, r.submit(ctx, tenant, run, moved)
}

// resolve asks about several images at a time.
func (r *Runner) resolve(ctx context.Context, tenant string, list []Target) ([]string, []error) {
	digests, failed := make([]string, len(list)), make([]error, len(list))
	places := make(chan struct{}, max(cmp.Or(r.Resolves, DefaultResolves), 1))
	var wg sync.WaitGroup
	for i := range list {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(ctx, cmp.Or(max(r.ResolveFor, 0), DefaultResolveFor))
			defer cancel()
			request := &list[i].Request
			digests[i], failed[i] = r.Resolve(ctx, tenant, request.Image, request.Platform)
			if failed[i] == nil && digests[i] == "" {
				failed[i] = fmt.Errorf("%.200q stands for no digest: %w", request.Image, fault.Mismatch)
			}
		})
	}
	wg.Wait()
	return digests, failed
}
