package schedulehttp

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan/schedule"
)

// The defaults of a Client.
const (
	DefaultTimeout  = 2 * time.Minute
	DefaultAttempts = 4
)

// Client asks a [Handler] for the tenant that its token names. It is a schedule.Plans; who
// makes a change is the subject of the token, whatever by says. URL is required. A Client is
// safe for concurrent use and must not be copied or changed after its first call.
//
// Where no answer came or the service was unavailable, a call is repeated if doing it over
// gives the same. Changes, and requests for runs without a key, are tried once.
//
// Only answers of the service itself say that something is not found; from any other
// server, such as a gateway, that is ErrUnavailable.
type Client struct {
	// URL is where the service is, such as https://scheduler.example. It may have a path,
	// and must not have a query or user information.
	URL string
	// Transport sends requests. Nil: one of the client's own, which checks certificates
	// with the system's roots, and uses no proxy and no cookies. Redirects are never
	// followed.
	Transport http.RoundTripper
	// Token gives what is sent as a bearer token, before each attempt. Nil sends none.
	Token func(context.Context) (string, error)
	// Timeout bounds one attempt, with its answer. Default: DefaultTimeout.
	Timeout time.Duration
	// Attempts bounds how often a call is tried. Default: DefaultAttempts.
	Attempts int

	once   sync.Once
	caller *httpjson.Caller
}

var _ schedule.Plans = (*Client)(nil)

// do sends a request until it has an answer, and hands that to read.
func (c *Client) do(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(func() {
		c.caller = &httpjson.Caller{Service: "scheduler", Root: root, URL: c.URL, Transport: c.Transport, Token: c.Token,
			Timeout: cmp.Or(c.Timeout, DefaultTimeout), Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts)}
	})
	return c.caller.Do(ctx, q, read)
}

func get[T any](ctx context.Context, c *Client, what, path string, query url.Values, right func(*T) bool) (*T, error) {
	v := new(T)
	err := c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Query: query, Want: http.StatusOK, Again: true}, httpjson.Into(v, MaxAnswer, right))
	if err != nil {
		return nil, err
	}
	return v, nil
}

// path is where a schedule is. Nothing else is looked up.
func path(id string) (string, error) {
	if !schedule.IsPlanID(id) {
		return "", noSuch("schedule", id)
	}
	return "/scheduler/schedules/" + id, nil
}

func pageOf(after string, limit int) url.Values {
	q := url.Values{}
	if after != "" {
		q.Set("after", after)
	}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

// Plan returns one schedule.
func (c *Client) Plan(ctx context.Context, id string) (*schedule.Plan, error) {
	p, err := path(id)
	if err != nil {
		return nil, err
	}
	return get(ctx, c, "read schedule "+id, p, nil, func(p *schedule.Plan) bool { return p.ID == id && p.Version > 0 })
}

// List returns schedules by id, after one.
func (c *Client) List(ctx context.Context, after string, limit int) ([]schedule.Plan, error) {
	out, err := get(ctx, c, "list schedules", "/scheduler/schedules", pageOf(after, limit), func(p *schedulePage) bool { return p.Schedules != nil })
	if err != nil {
		return nil, err
	}
	return out.Schedules, nil
}

// Set keeps a schedule in place of the one of that version, 0 for a new one.
func (c *Client) Set(ctx context.Context, p *schedule.Plan, version int64, _ string) error {
	where, err := path(p.ID)
	if err != nil {
		return err
	}
	body := change{ID: p.ID, Cron: p.Cron, Zone: p.Zone, Kind: p.Kind, Selection: p.Selection, Jitter: p.Jitter, Disabled: p.Disabled, Priority: p.Priority}
	q := httpjson.Call{What: "set schedule " + p.ID, Method: http.MethodPut, Path: where, Body: body, Want: http.StatusOK, Also: []int{http.StatusCreated}, Header: condition(version)}
	kept := new(schedule.Plan)
	if err := c.do(ctx, q, httpjson.Into(kept, MaxAnswer, func(k *schedule.Plan) bool { return k.ID == p.ID && k.Version > version })); err != nil {
		return err
	}
	*p = *kept
	return nil
}

// condition says what a change is made to.
func condition(version int64) map[string]string {
	if version == 0 {
		return map[string]string{"If-None-Match": "*"}
	}
	return map[string]string{"If-Match": httpjson.Tag(strconv.FormatInt(version, 10))}
}

// Delete deletes the schedule of that version.
func (c *Client) Delete(ctx context.Context, id string, version int64) error {
	where, err := path(id)
	if err != nil {
		return err
	}
	return c.do(ctx, httpjson.Call{What: "delete schedule " + id, Method: http.MethodDelete, Path: where, Want: http.StatusNoContent, Header: condition(version)}, nil)
}

// Request asks for a run now. It does not learn whether the run was there before: repeated
// is false.
func (c *Client) Request(ctx context.Context, id, key, _ string) (run *schedule.Run, repeated bool, err error) {
	where, err := path(id)
	if err != nil {
		return nil, false, err
	}
	q := httpjson.Call{What: "run schedule " + id, Method: http.MethodPost, Path: where + "/run", Want: http.StatusAccepted, Again: key != ""}
	if key != "" {
		q.Header = map[string]string{KeyHeader: key}
	}
	run = new(schedule.Run)
	if err := c.do(ctx, q, httpjson.Into(run, MaxAnswer, func(r *schedule.Run) bool { return r.Schedule == id && r.ID != "" })); err != nil {
		return nil, false, err
	}
	return run, false, nil
}

// Run returns one run.
func (c *Client) Run(ctx context.Context, id, runID string) (*schedule.Run, error) {
	where, err := path(id)
	if err == nil && !isRun(runID) {
		err = noSuch("run", runID)
	}
	if err != nil {
		return nil, err
	}
	return get(ctx, c, "read run "+runID, where+"/runs/"+runID, nil, func(r *schedule.Run) bool { return r.Schedule == id && r.ID == runID })
}

// Runs returns those of a schedule, the newest first.
func (c *Client) Runs(ctx context.Context, id, after string, limit int) ([]schedule.Run, error) {
	where, err := path(id)
	if err != nil {
		return nil, err
	}
	out, err := get(ctx, c, "list runs of "+id, where+"/runs", pageOf(after, limit), func(p *runPage) bool { return p.Runs != nil })
	if err != nil {
		return nil, err
	}
	return out.Runs, nil
}

// Evaluations returns how the evaluations of a scan stand, by their heads.
func (c *Client) Evaluations(ctx context.Context, scanID string) ([]schedule.Evaluation, error) {
	out, err := get(ctx, c, "list evaluations of "+scanID, "/scheduler/evaluations", url.Values{"scan": {scanID}}, func(l *evaluationList) bool { return l.Evaluations != nil })
	if err != nil {
		return nil, err
	}
	return out.Evaluations, nil
}
