package schedulehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
)

// Handler serves the Scheduler for many tenants. Plans, Evaluations and Identify are
// required. A Handler is safe for concurrent use and must not be copied or changed after its
// first request.
//
// Errors are problem documents (RFC 9457). What a backend says is not part of them: such an
// answer has a request_id, and Report is told the rest.
type Handler struct {
	// Plans gives what a tenant has scheduled, Evaluations its evaluations.
	Plans       func(tenant string) (schedule.Plans, error)
	Evaluations func(tenant string) (schedule.Evaluations, error)
	// Deltas takes webhooks. Nil: none are taken here.
	Deltas *Deltas
	// Identify says who sends a request. Nothing else in a request decides on tenant and
	// rights. An error should wrap ErrUnauthenticated or ErrForbidden. It is not asked
	// about webhooks, which are signed.
	Identify func(*http.Request) (Identity, error)
	// Report is told of errors that are not for clients, under the request_id that the
	// client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

// route is one method of one path.
type route struct {
	method, path string
	operator     bool
	query        []string // the keys that exist
	serve        func(*Handler, *call) error
}

var pageKeys = []string{"after", "limit"}

var routes = []route{
	{"GET", schedules, false, pageKeys, (*Handler).list},
	{"GET", oneSchedule, false, nil, (*Handler).get},
	{"PUT", oneSchedule, true, nil, (*Handler).put},
	{"DELETE", oneSchedule, true, nil, (*Handler).remove},
	{"POST", oneSchedule + "/run", true, nil, (*Handler).run},
	{"GET", oneSchedule + "/runs", false, pageKeys, (*Handler).runs},
	{"GET", oneSchedule + "/runs/{run_id}", false, nil, (*Handler).oneRun},
	{"GET", root + "/scheduler/evaluations", false, []string{"scan"}, (*Handler).evaluations},
}

// call is one request on its way.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	who   Identity
	id    string // of the schedule, where the path has one
	query url.Values
	plans schedule.Plans
}

// ServeHTTP answers a request below /api/v1/scheduler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.route)
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) route() {
	h.mux.Report = h.Report
	for i := range routes {
		rt := &routes[i]
		h.mux.Handle(rt.method, rt.path, func(w http.ResponseWriter, r *http.Request) error {
			c := &call{w: w, r: r}
			if err := h.admit(c, rt); err != nil {
				return err
			}
			return rt.serve(h, c)
		})
	}
	h.mux.Handle(http.MethodPost, deltas, func(w http.ResponseWriter, r *http.Request) error {
		if h.Deltas == nil {
			return fmt.Errorf("no webhooks are taken here: %w", fault.NotFound)
		}
		return h.Deltas.serve(w, r)
	})
}

// admit finds out who calls, for what, and about what.
func (h *Handler) admit(c *call, rt *route) error {
	var err error
	if c.who, err = h.Identify(c.r); err != nil {
		return err
	}
	if c.who.Tenant == "" {
		return fmt.Errorf("the identity %.80q belongs to no tenant: %w", c.who.Subject, fault.Forbidden)
	}
	if rt.operator && !c.who.Operator {
		return fmt.Errorf("%s %s is not for %.80q: %w", rt.method, rt.path, c.who.Subject, fault.Forbidden)
	}
	if c.query, err = httpjson.Query(c.r, rt.query); err != nil {
		return err
	}
	if strings.Contains(rt.path, "{schedule_id}") {
		if c.id = c.r.PathValue("schedule_id"); !schedule.IsPlanID(c.id) {
			return noSuch("schedule", c.id)
		}
	}
	c.plans, err = h.Plans(c.who.Tenant)
	return httpjson.Opened(c.who.Tenant, err)
}

func noSuch(what, id string) error { return fmt.Errorf("%s %.80q: %w", what, id, fault.NotFound) }

// answer gives what may change at any time.
func (c *call) answer(status int, v any) error {
	c.w.Header().Set("Cache-Control", "no-store")
	return httpjson.Write(c.w, status, v)
}

// limit reads how long a page may be.
func (c *call) limit() (int, error) {
	if !c.query.Has("limit") {
		return 100, nil
	}
	n, err := strconv.Atoi(c.query.Get("limit"))
	if err != nil || n < 1 || n > MaxPage {
		return 0, httpjson.BadRequest("query: limit %.20q: want 1 to %d", c.query.Get("limit"), MaxPage)
	}
	return n, nil
}

// page gives a list and where the next begins. After a page that is full there may be none.
func page[T any](list []T, limit int, id func(*T) string) (out []T, next string) {
	if list == nil {
		list = []T{} // never null
	}
	if len(list) >= limit {
		list = list[:limit]
		next = id(&list[limit-1])
	}
	return list, next
}

func (h *Handler) list(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	list, err := c.plans.List(c.r.Context(), c.query.Get("after"), limit)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	var out schedulePage
	out.Schedules, out.Next = page(list, limit, func(p *schedule.Plan) string { return p.ID })
	return c.answer(http.StatusOK, out)
}

func (h *Handler) get(c *call) error {
	p, err := c.plans.Plan(c.r.Context(), c.id)
	if err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "private, no-cache")
	// When it is due next changes without it.
	if httpjson.Unchanged(c.w, c.r, tag(p)) {
		return nil
	}
	return httpjson.Write(c.w, http.StatusOK, p)
}

// tag names a version of a schedule.
func tag(p *schedule.Plan) string { return strconv.FormatInt(p.Version, 10) }

func (h *Handler) put(c *call) error {
	version, err := httpjson.Revision(c.r.Header, "the schedule")
	if err != nil {
		return err
	}
	var in change
	if err := httpjson.Read(c.r, MaxBody, &in); err != nil {
		return err
	}
	if in.ID != "" && in.ID != c.id {
		return fmt.Errorf("id %.80q: the path says %q: %w", in.ID, c.id, fault.Invalid)
	}
	p := &schedule.Plan{ID: c.id, Cron: in.Cron, Zone: in.Zone, Kind: in.Kind, Selection: in.Selection, Jitter: in.Jitter, Disabled: in.Disabled, Priority: in.Priority}
	if err := c.plans.Set(c.r.Context(), p, version, c.who.Subject); err != nil {
		return failedCondition(err)
	}
	status := http.StatusOK
	if version == 0 {
		status = http.StatusCreated
		c.w.Header().Set("Location", schedules+"/"+c.id)
	}
	c.w.Header().Set("ETag", httpjson.Tag(tag(p)))
	return c.answer(status, p)
}

func (h *Handler) remove(c *call) error {
	version, err := httpjson.Revision(c.r.Header, "the schedule")
	if err != nil {
		return err
	}
	if version == 0 {
		return httpjson.BadRequest("If-Match: what is deleted has an entity tag")
	}
	if err := c.plans.Delete(c.r.Context(), c.id, version); err != nil {
		return failedCondition(err)
	}
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// failedCondition is a conflict as what the condition of a change spoke of.
func failedCondition(err error) error {
	if fault.KindOf(err) == fault.Conflict {
		return &httpjson.Error{Status: http.StatusPreconditionFailed, Err: err}
	}
	return err
}

func (h *Handler) run(c *call) error {
	key, err := httpjson.IdempotencyKey(c.r, KeyHeader, scan.MaxKey)
	if err != nil {
		return err
	}
	body, err := httpjson.ReadBytes(c.r, "a request for a run", 1<<10)
	if err != nil {
		return err
	}
	if len(body) > 0 {
		return httpjson.BadRequest("body: a request for a run has none")
	}
	run, _, err := c.plans.Request(c.r.Context(), c.id, key, c.who.Subject)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", schedules+"/"+c.id+"/runs/"+run.ID)
	return c.answer(http.StatusAccepted, run)
}

func (h *Handler) runs(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	after := c.query.Get("after")
	if after != "" && !isRun(after) {
		return httpjson.BadRequest("query: after %.80q is not what an earlier page gave", after)
	}
	list, err := c.plans.Runs(c.r.Context(), c.id, after, limit)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	var out runPage
	out.Runs, out.Next = page(list, limit, func(r *schedule.Run) string { return r.ID })
	return c.answer(http.StatusOK, out)
}

func (h *Handler) oneRun(c *call) error {
	id := c.r.PathValue("run_id")
	if !isRun(id) {
		return noSuch("run", id)
	}
	run, err := c.plans.Run(c.r.Context(), c.id, id)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, run)
}

func (h *Handler) evaluations(c *call) error {
	id := c.query.Get("scan")
	if id == "" {
		return httpjson.BadRequest("query: scan is missing")
	}
	out := evaluationList{Evaluations: []schedule.Evaluation{}}
	if !isScan(id) {
		return c.answer(http.StatusOK, out) // no such scan has any
	}
	evaluations, err := h.Evaluations(c.who.Tenant)
	if err := httpjson.Opened(c.who.Tenant, err); err != nil {
		return err
	}
	list, err := evaluations.List(c.r.Context(), id)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	out.Evaluations = append(out.Evaluations, list...)
	return c.answer(http.StatusOK, out)
}

// Handle is how a Deltas hands on what it has verified: a schedule.Scheduler's.
type Handle func(ctx context.Context, body []byte) error
