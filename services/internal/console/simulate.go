package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/services/auth"
)

// The bounds of a simulation: how many scans are decided about at a time, and how long one
// takes at most.
const (
	simulateAtOnce = 4
	simulateTime   = 60 * time.Second
	shownFailures  = 10
)

// simulateCounts are of how many images a policy may be tried on.
var simulateCounts = []int{10, 50, 200}

// editorView is a policy's text that is written and tried.
type editorView struct {
	Text        string
	Wrong       []string
	Environment string
	Count       int
	Counts      []int
	Known       []string // environments where something is in force
	Author      bool
	Try         bool // the person may read scans
	Simulated   *simulated
}

// simulated is what a text would decide about the newest images.
type simulated struct {
	Of      int // images that were chosen
	Done    int // of them decided about
	Moved   []moved
	Outcome policy.Tally // of those that were decided about
	Failed  []failedOne
	Failing int  // all that failed
	Late    bool // the time was over
}

// moved is an image that would be decided about otherwise.
type moved struct {
	ScanID, Image string
	Before, After policy.Outcome // Before is "" where nothing was decided
	Was, Because  string
	Stale         bool // what holds is about to be decided anew
}

// failedOne is an image that nothing could be decided about.
type failedOne struct{ ScanID, Image, Why string }

// editor reads the form of the editor, or its beginning.
func (v *visit) editor() *editorView {
	d := &editorView{Text: area(v, "text"), Environment: v.form("environment"), Counts: simulateCounts, Author: v.Can(auth.PolicyAuthor), Try: v.Can(auth.ScannerRead)}
	d.Count, _ = strconv.Atoi(v.form("count"))
	if !slices.Contains(simulateCounts, d.Count) {
		d.Count = simulateCounts[0]
	}
	return d
}

func (d *editorView) show(v *visit, status int) error {
	if force, err := v.api.inForce(v.ctx(), nil); err == nil {
		for _, f := range force.List {
			d.Known = append(d.Known, f.Environment)
		}
	}
	return v.show(status, "simulate", "Write and try a policy", d)
}

// simulate tries a text on the newest scan of each of some images.
func simulate(v *visit) error {
	d := v.editor()
	if strings.TrimSpace(d.Text) == "" {
		d.Wrong = []string{"There is no text: a policy has an id, a version, and rules or a threshold."}
		return d.show(v, http.StatusUnprocessableEntity)
	}
	page, err := v.api.scans.List(v.ctx(), scan.Query{Latest: true, State: scan.Completed, Limit: d.Count})
	if err != nil {
		return err
	}
	jobs := slices.DeleteFunc(page.Jobs, func(j scan.Job) bool { return j.Summary == nil })
	d.Simulated = &simulated{Of: len(jobs)}
	if len(jobs) == 0 {
		return d.show(v, http.StatusOK)
	}
	ctx, cancel := context.WithTimeout(v.ctx(), simulateTime)
	defer cancel()
	s := &simulation{api: v.api, text: d.Text, environment: d.Environment, at: v.c.Now().UTC(), out: d.Simulated}
	if err := s.one(ctx, &jobs[0]); err != nil { // the text is looked at before the rest is asked for
		if lines := wrongText(err); lines != nil {
			d.Simulated, d.Wrong = nil, lines
			return d.show(v, http.StatusUnprocessableEntity)
		}
		if errors.Is(err, fault.Forbidden) || errors.Is(err, fault.Unauthenticated) {
			return err
		}
		s.failed(v, &jobs[0], err)
	}
	v.early()
	s.all(ctx, v, jobs[1:])
	return d.show(v, http.StatusOK)
}

// wrongText is what is wrong with the text of a policy, nil for an error that is about
// something else.
func wrongText(err error) []string {
	var remote *httpjson.Remote
	if !errors.As(err, &remote) || remote.Problem.Extra["diagnostics"] == nil {
		var l *fault.LimitError
		if errors.As(err, &l) {
			return []string{l.Error()}
		}
		return nil
	}
	lines, _, _ := said(err)
	return lines
}

// early sends the head of an answer that takes longer than a gateway waits for one.
func (v *visit) early() {
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy)
	v.w.WriteHeader(http.StatusOK)
	http.NewResponseController(v.w).Flush()
	v.w = &headSent{v.w}
}

// headSent writes an answer whose head is on its way.
type headSent struct{ http.ResponseWriter }

func (*headSent) WriteHeader(int) {}

// simulation decides about scans by a text, some at a time.
type simulation struct {
	api         *api
	text        string
	environment string
	at          time.Time

	mu  sync.Mutex
	out *simulated
}

// all decides about jobs until the time is over.
func (s *simulation) all(ctx context.Context, v *visit, jobs []scan.Job) {
	var wg sync.WaitGroup
	next := make(chan *scan.Job)
	for range simulateAtOnce {
		wg.Go(func() {
			for j := range next {
				if err := s.one(ctx, j); err != nil && ctx.Err() == nil {
					s.failed(v, j, err)
				}
			}
		})
	}
	for i := range jobs {
		select {
		case <-ctx.Done():
		case next <- &jobs[i]:
		}
	}
	close(next)
	wg.Wait()
	s.out.Late = ctx.Err() != nil
	slices.SortFunc(s.out.Moved, func(a, b moved) int {
		return cmp.Or(outcomeRank(a.After)-outcomeRank(b.After), strings.Compare(a.Image, b.Image), strings.Compare(a.ScanID, b.ScanID))
	})
	slices.SortFunc(s.out.Failed, func(a, b failedOne) int { return strings.Compare(a.Image, b.Image) })
	s.out.Failed = s.out.Failed[:min(len(s.out.Failed), shownFailures)]
}

// one decides about a scan, and compares with what holds about it.
func (s *simulation) one(ctx context.Context, j *scan.Job) error {
	after, err := s.api.policies.Simulate(ctx, policyhttp.Simulation{ScanID: j.ID, Policy: s.text, Environment: s.environment, At: s.at})
	if err != nil {
		return err
	}
	m := moved{ScanID: j.ID, Image: j.Image, After: after.Outcome, Because: after.Because}
	holds, err := s.api.policies.Verdict(ctx, j.ID, s.environment)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	if err == nil && len(holds.Verdicts) > 0 {
		b := &holds.Verdicts[0]
		m.Before, m.Was, m.Stale = b.Outcome, b.Because, b.Stale
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Done++
	tally(&s.out.Outcome, m.After)
	if m.Before != m.After {
		s.out.Moved = append(s.out.Moved, m)
	}
	return nil
}

func (s *simulation) failed(v *visit, j *scan.Job, err error) {
	why := v.c.why(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Failing++
	s.out.Failed = append(s.out.Failed, failedOne{j.ID, j.Image, why})
}

// tally adds an outcome to a tally.
func tally(t *policy.Tally, o policy.Outcome) {
	switch o {
	case policy.Pass:
		t.Pass++
	case policy.Warn:
		t.Warn++
	case policy.NotAssessed:
		t.NotAssessed++
	case policy.Block:
		t.Block++
	case policy.Error:
		t.Error++
	}
}
