package loops

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/e2e/world"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/policy/verify"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/vex"
)

// asTenant reads rows as a tenant does.
func asTenant(ctx context.Context, db *sql.DB, tenant, query string, row func(func(...any) error) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "SELECT set_config('role', 'stella_app', false), set_config('app.tenant', $1, false)", tenant); err != nil {
		return err
	}
	defer conn.ExecContext(ctx, "RESET ALL")
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// rest waits until nobody has anything left to do, now or soon.
func (d *decideLoop) rest() {
	db := servers.Connect(d, d.url)
	var waiting map[string]int
	idle := func() bool {
		waiting = map[string]int{}
		note := func(what string, n int) {
			if n > 0 {
				waiting[what] += n
			}
		}
		add := func(role, query string) {
			n := 0
			if err := asRole(d.Context(), db, role, query, func(row func(...any) error) error { return row(&n) }); err != nil {
				d.Fatal(err)
			}
			note(query, n)
		}
		add("stella_relay", `SELECT count(*) FROM scheduler.evaluations WHERE state IN ('pending', 'running')`)
		// What becomes due soon is waited for too: it is the end of something.
		add("stella_relay", fmt.Sprintf(`SELECT count(tenant_id) FROM policy.due WHERE due_us < %d`, time.Now().Add(time.Minute).UnixMicro()))
		root := d.nodes[0].root
		for _, scope := range []string{"", "alpha", "beta"} {
			next, err := scopeOf(d, root, scope).NextChange(d.Context())
			if err != nil {
				d.Fatal(err)
			}
			if !next.IsZero() {
				note("next change of VEX of "+scope, 1)
			}
		}
		if _, err := root.Collect(d.Context(), nil); err != nil {
			d.Fatal(err)
		}
		for _, topic := range []string{event.ScannerJobs, event.ScannerEvents, event.ConcelierDeltas, event.ConcelierDrift, event.ExcititorDeltas, event.SchedulerEvaluations, event.PolicyEvents} {
			b, err := root.Backlog(d.Context(), topic)
			if err != nil {
				d.Fatal(err)
			}
			note(topic, b.Pending+b.Published)
		}
		return len(waiting) == 0
	}
	d.await("everything is decided", 2*time.Minute, func() bool {
		for range 3 { // what is on its way is in none of the places; heads are looked for five times a second
			if !idle() {
				return false
			}
			time.Sleep(150 * time.Millisecond)
		}
		return true
	})
	if len(waiting) > 0 {
		d.Errorf("what is left: %v", waiting)
	}
}

// decideCheck is what should have come of it.
type decideCheck struct {
	*decideLoop
	db       *sql.DB
	document func(context.Context, string, *policy.Document) (*sbom.Document, error)
	objects  map[string][]byte // what verdicts follow from
	sets     map[string]*vex.Set
	tally    struct{ verdicts, older int }
	outcomes map[policy.Outcome]int
	causes   map[string]int
}

func (d *decideLoop) check(url string) {
	c := &decideCheck{decideLoop: d, db: servers.Connect(d, url), document: store.Documents(nil, world.Decode), objects: map[string][]byte{}, sets: map[string]*vex.Set{}, outcomes: map[policy.Outcome]int{}, causes: map[string]int{}}
	if len(d.twice) > 0 {
		d.Errorf("told otherwise under the same name: %q", d.twice)
	}
	for _, s := range d.scans {
		tenant, err := d.nodes[0].root.Tenant(s.tenant)
		if err != nil {
			d.Fatal(err)
		}
		c.standing(tenant, s.id)
		c.history(tenant, s.id)
		c.completion(tenant, s.id)
		c.announced(s.tenant, s.id)
		c.stranger(s)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c.kept()
	outcomes := map[string]int{}
	for _, n := range d.changes {
		outcomes[n.Outcome]++
		c.causes[strings.SplitN(n.Cause, "/", 2)[0]]++
	}
	d.Logf("%d scans; changes %v; what holds: %v, %d of it with an older set or list than the newest; %d verdicts decided again; %d changes told: %v; %d faults reported",
		len(d.scans), d.did, c.outcomes, c.tally.older, c.tally.verdicts, len(d.changes), c.causes, d.faults.Load())
	if len(outcomes) < 2 || c.tally.verdicts < 100 || len(d.changes) < 20 {
		d.Error("this run proves little")
	}
}

// engine makes an engine of a policy in force.
func (c *decideCheck) engine(a *policy.Active) (*policy.Policy, *policy.Engine) {
	p, err := policy.DecodePolicy(a.Body, a.Digest)
	if err != nil {
		c.Fatal(err)
	}
	e, err := policy.Compile(p, nil)
	if err != nil {
		c.Fatal(err)
	}
	return p, e
}

// inputs makes what a policy is evaluated over: as a gateway does, but with statements
// from the store's rows and not from snapshots.
func (c *decideCheck) inputs(tenant string, in *policy.Loaded, a *policy.Active, at time.Time) *policy.Inputs {
	doc, err := c.document(c.Context(), tenant, &in.Document)
	if err != nil {
		c.Fatal(err)
	}
	out := &policy.Inputs{At: at, Environment: a.Environment, Controls: a.Controls, Exceptions: in.Exceptions}
	out.Digests.SBOM = in.Document.Digest
	out.Subject.Image.Digests, out.Subject.Image.Names = []string{in.Digest}, []string{in.Image}
	var ids []string
	if r := in.Report; r != nil {
		out.Findings, out.Gaps, out.Digests.Advisories = r.Findings, slices.Clone(r.Gaps), r.Snapshot
		for _, f := range r.Findings {
			ids = append(append(ids, f.Vulnerability), f.Aliases...)
		}
	}
	out.Of(doc)
	if out.Judge, err = in.Trust.Judge(); err != nil {
		c.Fatal(err)
	}
	for _, s := range in.VEX {
		out.Digests.VEX = append(out.Digests.VEX, s.Digest)
	}
	if out.Statements, err = c.nodes[0].root.Said(c.Context(), tenant, out.Digests.VEX, append([]string{}, ids...)); err != nil {
		c.Fatal(err)
	}
	return out
}

// standing holds what holds about a scan against deciding in full by what is newest.
func (c *decideCheck) standing(tenant *store.Tenant, id string) {
	p := tenant.Policy()
	held, err := p.Current(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	newest, err := p.Load(c.Context(), policy.Request{ScanID: id})
	if err != nil {
		c.Fatal(err)
	}
	byName := map[string]policy.Standing{}
	for _, s := range held {
		byName[s.Environment] = s
	}
	for i := range newest.Active {
		a := &newest.Active[i]
		if a.Digest == "" {
			continue // none is in force
		}
		s, ok := byName[a.Environment]
		delete(byName, a.Environment)
		if !ok || s.Key == "" || s.Stale {
			c.Errorf("%s in %q: it holds %+v", id, a.Environment, s)
			continue
		}
		c.outcomes[s.Outcome]++
		c.compare(tenant, id, newest, a, &s)
	}
	if len(byName) > 0 {
		c.Errorf("%s: without a policy holds %+v", id, byName)
	}
}

func (c *decideCheck) compare(tenant *store.Tenant, id string, newest *policy.Loaded, a *policy.Active, s *policy.Standing) {
	kept, err := tenant.Policy().Find(c.Context(), s.Key)
	if err != nil {
		c.Error(err)
		return
	}
	v, err := policy.DecodeVerdict(kept.Body)
	if err != nil {
		c.Fatal(err)
	}
	_, engine := c.engine(a)
	full, err := engine.Evaluate(c.inputs(tenant.Name(), newest, a, v.At))
	if err != nil {
		c.Fatal(err)
	}
	// What is newest may have statements and exceptions about something else.
	want, older := *full.Verdict, false
	if s.Evaluated.VEX != newest.Marks.VEX || s.Evaluated.Own != newest.Marks.Own {
		want.Inputs.VEX, older = v.Inputs.VEX, true
	}
	if s.Evaluated.Exceptions != newest.Marks.Exceptions {
		want.Inputs.Exceptions, older = v.Inputs.Exceptions, true
	}
	if older {
		c.tally.older++
		want.Trace = v.Trace // it names them
	}
	if diff := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", *v)) + cmp.Diff(comparable(c, full.Trace), comparable(c, kept.Trace)); diff != "" {
		c.Errorf("%s of %s in %q, decided as of %v with %+v, newest %+v (-in full now +held):\n%s", id, tenant.Name(), a.Environment, v.At, s.Evaluated, newest.Marks, diff)
		return
	}
	// Nor has the time since then changed anything.
	later, err := engine.Evaluate(c.inputs(tenant.Name(), newest, a, time.Now()))
	if err != nil {
		c.Fatal(err)
	}
	if later.Verdict.Outcome != v.Outcome || later.Verdict.Counts != v.Counts {
		c.Errorf("%s in %q: held since %v is %s %+v, and now it is %s %+v; next change %v", id, a.Environment, v.At, v.Outcome, v.Counts, later.Verdict.Outcome, later.Verdict.Counts, v.NextChange)
	}
}

// comparable is what a trace says about findings and gaps.
func comparable(c *decideCheck, trace []byte) string {
	t, err := policy.DecodeTrace(trace)
	if err != nil {
		c.Fatal(err)
	}
	text, err := json.Marshal(struct {
		Decisions  []policy.Decided
		Gaps       []sbom.Gap
		Exceptions []policy.Exception
	}{t.Decisions, t.Gaps, t.Exceptions}, json.Deterministic(true))
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

// history decides again whatever was decided about a scan.
func (c *decideCheck) history(tenant *store.Tenant, id string) {
	for after := ""; ; {
		list, next, err := tenant.Policy().Decisions(c.Context(), id, after, 50)
		if err != nil {
			c.Fatal(err)
		}
		for i := range list {
			c.again(tenant, id, &list[i])
		}
		if after = next; next == "" {
			return
		}
	}
}

func (c *decideCheck) again(tenant *store.Tenant, id string, d *policy.Decision) {
	c.tally.verdicts++
	kept, err := tenant.Policy().Find(c.Context(), d.Key)
	if err != nil {
		c.Error(err)
		return
	}
	if v, err := verify.Verdict(kept.Body, kept.Trace); err != nil || v.Key() != d.Key || kept.Digest != d.Digest || !v.At.Equal(d.At) || v.Environment != d.Environment || v.Outcome != d.Outcome {
		c.Errorf("%s of %s: %+v: %v", d.Key, id, d, err)
	}
	c.mu.Lock()
	from := c.decided[[2]string{tenant.Name(), d.Key}]
	c.mu.Unlock()
	if from == nil {
		c.Errorf("%s of %s: nobody decided so", d.Key, id)
		return
	}
	p, engine := c.engine(&from.active)
	in := c.inputs(tenant.Name(), from.loaded, &from.active, from.at)
	result, err := engine.Evaluate(in)
	if err != nil {
		c.Fatal(err)
	}
	if !bytes.Equal(result.Body, kept.Body) || !bytes.Equal(result.Trace, kept.Trace) {
		c.Errorf("%s of %s, decided again from rows, is\n%s, and was\n%s", d.Key, id, result.Body, kept.Body)
		return
	}
	r := &replay.Record{Verdict: result.Verdict, Inputs: in, Policy: p, Trust: from.loaded.Trust, Document: from.loaded.Document.Content}
	if err := r.Save(func(digest string, content []byte) error { c.objects[digest] = content; return nil }); err != nil {
		c.Error(err)
		return
	}
	opts := &replay.Options{
		Compile: func(p *policy.Policy, version string) (*policy.Engine, error) {
			return policy.Compile(p, &policy.Options{Version: version})
		},
		Decode: func(text []byte) (*sbom.Document, error) { return world.Decode(bytes.NewReader(text)) },
	}
	if _, err := replay.Run(c.Context(), kept.Body, kept.Trace, &decideObjects{c, tenant.Name()}, opts); err != nil {
		c.Errorf("%s of %s: %v", d.Key, id, err)
	}
}

// decideObjects finds what verdicts of a tenant follow from.
type decideObjects struct {
	*decideCheck
	tenant string
}

func (o *decideObjects) Object(_ context.Context, digest string) ([]byte, error) {
	if text, ok := o.objects[digest]; ok {
		return text, nil
	}
	return nil, fmt.Errorf("object %s: %w", digest, fault.NotFound)
}

func (o *decideObjects) Statements(ctx context.Context, set string, ids []string) ([]*vex.Statement, error) {
	return o.nodes[0].root.Said(ctx, o.tenant, []string{set}, ids)
}

// completion wants the verdict that a scan completed with to be one that is kept, as
// of the time of its results.
func (c *decideCheck) completion(tenant *store.Tenant, id string) {
	job, err := tenant.Scans().Job(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	var at []string
	keys := map[string]bool{}
	for after := ""; ; {
		list, next, err := tenant.Policy().Decisions(c.Context(), id, after, 0)
		if err != nil {
			c.Fatal(err)
		}
		for _, v := range list {
			if v.At.Equal(job.Summary.At) {
				at = append(at, fmt.Sprintf("%q %s", v.Environment, v.Digest))
				if v.Digest == job.Summary.Verdict {
					keys[v.Key] = true
				}
			}
			if v.At.Before(job.Summary.At) {
				c.Errorf("%s was decided about as of %v, before its results of %v", id, v.At, job.Summary.At)
			}
		}
		if after = next; next == "" {
			break
		}
	}
	if job.State != scan.Completed || (job.Summary.Verdict == "") != (job.Summary.Outcome == scan.NotEvaluated) || job.Summary.Verdict != "" && len(keys) != 1 {
		c.Errorf("%s is %s with %s %s as of %v; then was decided %q", id, job.State, job.Summary.Outcome, job.Summary.Verdict, job.Summary.At, at)
	}
}

// announced wants one event for each change, which lead to what holds.
func (c *decideCheck) announced(tenant, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	type change struct {
		number int
		*event.VerdictChange
	}
	told := map[string][]change{} // by environment
	for key, e := range c.changes {
		rest, ok := strings.CutPrefix(key[1], id+"/verdict/"+e.Environment+"/")
		n, err := strconv.Atoi(rest)
		if key[0] == tenant && e.JobID == id {
			told[e.Environment] = append(told[e.Environment], change{n, e})
			if !ok || err != nil {
				c.Errorf("%s was told as %q: %+v", id, key[1], e)
			}
		}
	}
	for environment, list := range told {
		slices.SortFunc(list, func(a, b change) int { return a.number - b.number })
		for i, e := range list {
			// A policy may have been ended in between: counting goes on from then.
			if next := i > 0 && e.number == list[i-1].number+1; next != (e.Before != "") || next && e.Before != list[i-1].Outcome {
				c.Errorf("%s in %q: told is change %d, %s from %q, and before %d changes", id, environment, e.number, e.Outcome, e.Before, i)
			}
		}
	}
	err := asTenant(c.Context(), c.db, tenant, `SELECT environment, outcome, blocked, changes FROM policy.current WHERE scan_id = '`+id+`'`, func(row func(...any) error) error {
		var environment, outcome string
		var blocked, changes int
		err := row(&environment, &outcome, &blocked, &changes)
		list := told[environment]
		if len(list) == 0 || list[len(list)-1].number != changes || list[len(list)-1].Outcome != outcome || list[len(list)-1].Blocked != blocked {
			c.Errorf("%s in %q: %s with %d that block holds after %d changes, and told were %+v", id, environment, outcome, blocked, changes, list)
		}
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
}

// stranger looks for a scan, and its verdicts, as another tenant.
func (c *decideCheck) stranger(s loopScan) {
	other := loopTenants[1-slices.Index(loopTenants, s.tenant)]
	p, err := world.Part(c.nodes[0].root, other, (*store.Tenant).Policy)
	if err != nil {
		c.Fatal(err)
	}
	if _, err := p.Current(c.Context(), s.id); !errors.Is(err, policy.ErrNotFound) {
		c.Errorf("%s reads what holds about %s of %s: %v", other, s.id, s.tenant, err)
	}
	if _, err := p.Load(c.Context(), policy.Request{ScanID: s.id}); !errors.Is(err, policy.ErrNotFound) {
		c.Errorf("%s loads %s of %s: %v", other, s.id, s.tenant, err)
	}
}

// kept wants every tenant to see rows of its own alone, and no verdict to be kept that
// nobody decided.
func (c *decideCheck) kept() {
	for _, tenant := range loopTenants {
		for _, table := range []string{
			"policy.policies", "policy.activations", "policy.exceptions", "policy.exception_events", "policy.verdicts", "policy.decisions", "policy.current", "policy.watched", "policy.due", "policy.locks",
			"vex.documents", "vex.observations", "vex.names", "vex.heads", "vex.consensus", "vex.decisions", "vex.trusts", "vex.scopes", "vex.snapshots",
		} {
			total, foreign, own := 0, 0, "'"+tenant+"'"
			if strings.HasPrefix(table, "vex.") {
				own += ", ''" // and what is public
			}
			err := asTenant(c.Context(), c.db, tenant, `SELECT count(*), count(*) FILTER (WHERE tenant_id NOT IN (`+own+`)) FROM `+table, func(row func(...any) error) error { return row(&total, &foreign) })
			if err != nil || foreign > 0 || total == 0 && table != "policy.due" {
				c.Errorf("%s sees %d rows of %s, %d of them of others: %v", tenant, total, table, foreign, err)
			}
		}
		rows := 0
		err := asTenant(c.Context(), c.db, tenant, `SELECT key FROM policy.verdicts`, func(row func(...any) error) error {
			var key string
			err := row(&key)
			if rows++; c.decided[[2]string{tenant, key}] == nil {
				c.Errorf("%s has a verdict that nobody decided: %s", tenant, key)
			}
			return err
		})
		if err != nil || rows == 0 {
			c.Errorf("%s: %d verdicts, %v", tenant, rows, err)
		}
	}
}
