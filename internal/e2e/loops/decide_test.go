package loops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/finding"
	advisories "github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/e2e/world"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
)

const (
	decideScans  = 36
	decideImages = 6
	decideSteps  = 90 // changes of what verdicts follow from
	decideSaid   = 24 // changes of VEX alone, at the end
)

// TestDecisionLoop has everything that verdicts follow from change at random while
// scans of two tenants complete, on PostgreSQL and Valkey, with two processes' worth of
// every worker: advisories, statements of suppliers, trust, policies, exceptions and
// the time. Meanwhile the queue loses everything and a process ends and comes back.
// When it is quiet, each scan has the verdict that deciding in full by what is newest
// gives, which was told of once; and every verdict that there ever was can be decided
// again to the byte.
func TestDecisionLoop(t *testing.T) {
	database, valkey := servers.PostgresStore(t), servers.StartValkey(t)
	d := &decideLoop{did: map[string]int{}, loop: loop{T: t, url: database.App, queue: valkey.URL + "?prefix=decide", dir: t.TempDir()}, changes: map[[2]string]*event.VerdictChange{}, decided: map[[2]string]*decidedFrom{}}
	seed := uint64(1) // STELLA_SEED=2 is another course of events
	if text := os.Getenv("STELLA_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("what changes is drawn with seed %d", seed)
	d.random = rand.New(rand.NewPCG(seed, 2))
	var err error
	if d.bucket, err = blob.Open(t.Context(), "mem:"); err != nil {
		t.Fatal(err)
	}
	defer d.bucket.Close()
	for i, scope := range decideScopes {
		d.sources = append(d.sources, &decideSource{scope: scope, name: []string{"maker", "distro", "own", "own"}[i], documents: map[string]*decideDocument{}})
	}
	first := d.node("node-0")
	second := d.node("node-1")
	defer func() { first(); second() }()
	public := d.nodes[0].root.Advisories(d.bucket)
	d.ingester = &advisories.Ingester{Store: public, Holder: "node-0"}
	d.heads = &advisories.Publisher{Heads: public, Objects: public, Cache: d.nodes[0].matcher.Cache}
	d.source.random = rand.New(rand.NewPCG(seed, 1))
	var submitting sync.WaitGroup
	submitting.Go(func() { d.submitAll(rand.New(rand.NewPCG(seed, 3))) })
	for n := range decideSteps {
		switch n {
		case decideSteps / 3:
			if err := servers.ValkeyClient(t, valkey.URL).FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		case decideSteps / 2:
			second()
		case decideSteps * 2 / 3:
			second = d.node("node-2")
		}
		d.step(n)
		d.pause()
	}
	submitting.Wait()
	d.await("all scans", 90*time.Second, d.completed)
	d.publish()
	for of := range loopTenants { // what suppliers say matters then
		p, err := world.Part(d.nodes[0].root, loopTenants[of], (*store.Tenant).Policy)
		if err != nil {
			t.Fatal(err)
		}
		strict := d.policy(of)
		strict.Threshold.Block, strict.VEX.Require.Tier = finding.Low, 0
		d.enforce(p, strict, policy.Activation{Environment: "production"})
	}
	d.believe("", d.trust("maker"))
	d.believe("alpha", d.trust("maker", "distro", "own"))
	d.rest()
	d.saying()
	d.rest()
	first()
	second()
	first, second = func() {}, func() {}
	d.check(database.App)
}

// decideScopes are whose each source is.
var decideScopes = []string{"", "", "alpha", "beta"}

// decideLoop is the whole of the test.
type decideLoop struct {
	loop
	random   *rand.Rand // of who changes things
	sources  []*decideSource
	versions [2]int         // of the tenants' policies
	made     [2][]string    // their exceptions
	did      map[string]int // how often each kind of change

	mu      sync.Mutex
	changes map[[2]string]*event.VerdictChange // by tenant and event
	twice   []string                           // events that say something else than before
	decided map[[2]string]*decidedFrom         // by tenant and key
}

// decidedFrom is what a verdict was made of.
type decidedFrom struct {
	loaded *policy.Loaded
	at     time.Time
	active policy.Active
}

// node starts what one process runs, and returns what ends it.
func (d *decideLoop) node(name string) (stop func()) {
	ctx, cancel := context.WithCancel(d.Context())
	var running sync.WaitGroup
	root, err := store.Open(ctx, d.url)
	if err != nil {
		d.Fatal(err)
	}
	messages, err := queue.Open(ctx, d.queue)
	if err != nil {
		d.Fatal(err)
	}
	public := root.Advisories(d.bucket)
	n := &loopNode{root: root, matcher: &snapshot.Matcher{Heads: public, Cache: advisories.Cache(filepath.Join(d.dir, name), public)}}
	d.nodes = append(d.nodes, n)
	for _, r := range []struct {
		topic, group string
		types        []event.Type
	}{
		{event.ScannerEvents, event.GroupScannerWeb, []event.Type{event.SBOMCreated}}, {event.ScannerEvents, event.GroupPolicy, []event.Type{event.SBOMCreated, event.ScanCompleted}},
		{event.PolicyEvents, event.GroupNotify, []event.Type{event.VerdictChanged}},
	} {
		if err := root.Register(ctx, r.topic, r.group, r.types...); err != nil {
			d.Fatal(err)
		}
	}
	for _, c := range d.consumers(n, name, d.watch(ctx, &running, root, name)) {
		g, err := messages.Group(ctx, c.topic, c.group)
		if err != nil {
			d.Fatal(err)
		}
		running.Go(func() {
			queue.Consume(ctx, g, c.handle, &queue.Options{Consumer: name, Parallel: 3, Report: d.report})
		})
	}
	running.Go(func() {
		root.Relay(messages, &store.RelayOptions{Poll: 50 * time.Millisecond, Report: d.report}).Run(ctx)
	})
	var once sync.Once
	end := func() {
		once.Do(func() { cancel(); running.Wait() })
	}
	d.Cleanup(func() { end(); messages.Close(); root.Close() })
	return end
}

type decideConsumer struct {
	topic, group string
	handle       func(context.Context, []byte) error
}

// consumers are the workers of a process.
func (d *decideLoop) consumers(n *loopNode, name string, snapshots map[string]*vexsnapshot.Store) []decideConsumer {
	root := n.root
	gateway := &policy.Gateway{
		Stores: func(tenant string) (policy.Store, error) {
			p, err := world.Part(root, tenant, (*store.Tenant).Policy)
			return &watchedPolicy{Policy: p, loop: d, tenant: tenant}, err
		},
		Document:   store.Documents(func(tenant string) (schedule.Objects, error) { return d.bucket.Sub(tenant) }, world.Decode),
		Statements: said(snapshots),
	}
	decider := &policy.Handler{Gateway: gateway, Causes: root.Causes(), Next: d.evaluator(n, name).Handle}
	finder := &drift.Worker{Store: root.Drift(), Views: n.matcher.Cache.Views}
	scheduler := &schedule.Scheduler{Store: root.Schedule()}
	completer := &scan.Completer{
		Jobs:      func(tenant string) (scan.Evaluations, error) { return world.Part(root, tenant, (*store.Tenant).Scans) },
		Evaluator: &store.Judge{Gateway: gateway}, Holder: name,
	}
	return []decideConsumer{
		{event.ScannerJobs, event.GroupScannerWorkers, d.worker(n, name).Handle}, {event.ScannerEvents, event.GroupScannerWeb, completer.Handle},
		{event.ConcelierDeltas, event.GroupConcelier, finder.Handle}, {event.ConcelierDeltas, event.GroupScheduler, scheduler.Handle},
		{event.ConcelierDrift, event.GroupScheduler, scheduler.Handle}, {event.ExcititorDeltas, event.GroupPolicy, decider.Handle},
		{event.ScannerEvents, event.GroupPolicy, decider.Handle}, {event.SchedulerEvaluations, event.GroupPolicyWorkers, decider.Handle},
		{event.PolicyEvents, event.GroupNotify, func(ctx context.Context, body []byte) error { return d.hear(ctx, root, body) }},
	}
}

// watch publishes heads of VEX of all scopes, and returns where their sets are.
func (d *decideLoop) watch(ctx context.Context, running *sync.WaitGroup, root *store.Root, name string) map[string]*vexsnapshot.Store {
	out := map[string]*vexsnapshot.Store{}
	for _, scope := range []string{"", "alpha", "beta"} {
		said := scopeOf(d, root, scope)
		bucket, err := d.bucket.Sub("vex-" + scope)
		if err != nil {
			d.Fatal(err)
		}
		s := &vexsnapshot.Store{Dir: filepath.Join(d.dir, name, "vex-"+scope), Bucket: bucket, Refs: said}
		d.Cleanup(func() { s.Close() })
		out[scope] = s
		w := &ingest.Watch{Publisher: &ingest.Publisher{Heads: said, Snapshot: s.Put}, Every: 200 * time.Millisecond, Done: func(_ *vex.Head, err error) {
			if err != nil && !errors.Is(err, vex.ErrConflict) {
				d.report(err)
			}
		}}
		running.Go(func() { w.Run(ctx) })
	}
	return out
}

func scopeOf(t testing.TB, root *store.Root, scope string) *store.VEX {
	if scope == "" {
		return root.VEX()
	}
	v, err := world.Part(root, scope, (*store.Tenant).VEX)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// said reads statements from snapshots: a tenant's own, or those that are public.
func said(snapshots map[string]*vexsnapshot.Store) func(context.Context, string, []string, []string) ([]*vex.Statement, error) {
	return func(ctx context.Context, tenant string, digests, ids []string) (out []*vex.Statement, err error) {
		for _, digest := range digests {
			view, done, err := snapshots[tenant].View(ctx, digest)
			if errors.Is(err, vex.ErrNotFound) {
				view, done, err = snapshots[""].View(ctx, digest)
			}
			if err != nil {
				return nil, err
			}
			list, err := view.Statements(ctx, ids)
			done()
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
		}
		return out, nil
	}
}

// watchedPolicy remembers what each verdict was made of.
type watchedPolicy struct {
	*store.Policy
	loop   *decideLoop
	tenant string
	loaded *policy.Loaded
}

func (p *watchedPolicy) Load(ctx context.Context, q policy.Request) (in *policy.Loaded, err error) {
	in, err = p.Policy.Load(ctx, q)
	p.loaded = in
	return in, err
}

func (p *watchedPolicy) Keep(ctx context.Context, b *policy.Batch) error {
	p.loop.mu.Lock()
	for i := range b.Records { // before: the answer may get lost, and the verdict not
		if r := &b.Records[i]; r.Key != "" {
			a := p.loaded.Active[slices.IndexFunc(p.loaded.Active, func(a policy.Active) bool { return a.Environment == r.Environment })]
			p.loop.decided[[2]string{p.tenant, r.Key}] = &decidedFrom{p.loaded, b.At, a}
		}
	}
	p.loop.mu.Unlock()
	return p.Policy.Keep(ctx, b)
}

// hear writes down what is told of verdicts. A queue may tell it again, in the same
// words.
func (d *decideLoop) hear(ctx context.Context, root *store.Root, body []byte) error {
	e, err := event.Decode(body)
	if err != nil || e.Type != event.VerdictChanged {
		return err
	}
	c, err := event.DecodeVerdictChange(e)
	if err != nil {
		return err
	}
	t, err := root.Tenant(e.Tenant)
	if err != nil {
		return err
	}
	if _, err := t.Once(ctx, event.GroupNotify, e.ID, func(*store.Tx) error { return nil }); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := [2]string{e.Tenant, e.ID}
	if have := d.changes[key]; have != nil && fmt.Sprint(*have) != fmt.Sprint(*c) {
		d.twice = append(d.twice, e.ID)
	}
	d.changes[key] = c
	return nil
}

func (d *decideLoop) submitAll(random *rand.Rand) {
	root := d.nodes[0].root
	for i := range decideScans {
		tenant := loopTenants[random.IntN(2)]
		scans, err := world.Part(root, tenant, (*store.Tenant).Scans)
		if err == nil {
			var job *scan.Job
			if job, _, err = scans.Submit(d.Context(), scan.Request{Image: fmt.Sprint("registry.test/image:", i%decideImages)}, ""); err == nil {
				d.scans = append(d.scans, loopScan{tenant, job.ID})
			}
		}
		if err != nil {
			d.Error(err)
		}
		time.Sleep(time.Duration(random.Int64N(int64(250 * time.Millisecond))))
	}
}

// step has one thing change.
func (d *decideLoop) step(n int) {
	of := d.random.IntN(2)
	tenant, err := d.nodes[0].root.Tenant(loopTenants[of])
	if err != nil {
		d.Fatal(err)
	}
	kind := d.random.IntN(20)
	if n < 6 { // what the rest needs
		kind, of = []int{0, 8, 0, 16, 16, 0}[n], n%2
		tenant, _ = d.nodes[0].root.Tenant(loopTenants[of])
	}
	switch {
	case kind < 3:
		d.did["advisories"]++
		d.publish()
	case kind < 9:
		d.say(d.sources[d.random.IntN(len(d.sources))])
	case kind < 10:
		var names []string
		for _, name := range []string{"maker", "distro", "own"} {
			if d.random.IntN(4) > 0 {
				names = append(names, name)
			}
		}
		d.believe([]string{"", "alpha"}[d.random.IntN(2)], d.trust(names...)) // beta has none of its own
	case kind < 14:
		d.except(tenant.Policy(), of)
	case kind < 15 && len(d.made[of]) > 0:
		d.did["revoked"]++
		id := d.made[of][d.random.IntN(len(d.made[of]))]
		d.until(func() error { _, err := tenant.Policy().Revoke(d.Context(), id, "bob", "why not"); return err })
	default:
		d.activate(tenant.Policy(), of)
	}
}

// saying has suppliers alone say other things: nothing else has scans decided about.
// Whom alpha believes nobody else does.
func (d *decideLoop) saying() {
	for range decideSaid {
		d.say(d.sources[d.random.IntN(len(d.sources))])
		d.pause()
	}
}

func (d *decideLoop) pause() {
	time.Sleep(time.Duration(d.random.Int64N(int64(100 * time.Millisecond))))
}

// believe puts another trust in force.
func (d *decideLoop) believe(scope string, trust *vex.Trust) {
	d.did["trust"]++
	d.until(func() error {
		_, err := scopeOf(d, d.nodes[0].root, scope).SetTrust(d.Context(), trust, "ann")
		return err
	})
}

// until does something until the store is available.
func (d *decideLoop) until(do func() error) {
	d.Helper()
	for range 100 {
		err := do()
		if err == nil {
			return
		}
		if !errors.Is(err, policy.ErrUnavailable) && !errors.Is(err, vex.ErrFenced) {
			d.Error(err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.Error("it is never available")
}

// trust believes some sources, each in a tier of its own.
func (d *decideLoop) trust(names ...string) *vex.Trust {
	t := new(vex.Trust)
	for _, name := range names {
		i := vex.Issuer{ID: name, Tier: 1 + d.random.IntN(3), Sources: []string{name}, Products: []string{"*"}, Unsigned: vex.Statuses}
		if d.random.IntN(3) == 0 {
			i.Unsigned = []vex.Status{vex.NotAffected, vex.UnderInvestigation}
		}
		t.Issuers = append(t.Issuers, i)
	}
	return t
}

// soon is a time that comes during the test.
func (d *decideLoop) soon() time.Time {
	return time.Now().Add(time.Second + time.Duration(d.random.Int64N(int64(2*time.Second))))
}

// vulnerability is an id that findings may have, or an alias, with the package.
func (d *decideLoop) vulnerability() (id, url string) {
	r := &loopRecord{number: 1 + d.random.IntN(20), name: world.Names[d.random.IntN(len(world.Names))]}
	if n := len(d.source.records); n > 0 && d.random.IntN(5) > 0 {
		r = d.source.records[d.random.IntN(n)]
	}
	id, url = fmt.Sprint("CVE-2026-", 10000+r.number), "pkg:apk/alpine/"+r.name
	if d.random.IntN(4) == 0 {
		id = fmt.Sprint("LOOP-", r.number)
	}
	if r.ecosystem == "PyPI" {
		url = "pkg:pypi/" + r.name
	}
	return id, url
}

func (d *decideLoop) except(p *store.Policy, of int) {
	d.did["exceptions"]++
	e := policy.Exception{ID: fmt.Sprintf("exc-%d-%d", of, len(d.made[of])), Owner: "ann", Approver: "bob", Reason: "for a while", Effect: policy.Effects[d.random.IntN(len(policy.Effects))]}
	switch e.Effect {
	case policy.Downgrade:
		e.Severity = finding.Low
	case policy.RequireControl:
		e.Control = "waf"
	}
	switch d.random.IntN(4) {
	case 0:
		e.Scope.Vulnerabilities = []string{"CVE-2026-1000*"}
	case 1:
		e.Scope.Packages = []string{"pkg:pypi/" + world.Names[d.random.IntN(len(world.Names))]}
	default:
		one, _ := d.vulnerability()
		other, _ := d.vulnerability()
		e.Scope.Vulnerabilities = []string{one, other}
	}
	if d.random.IntN(3) == 0 {
		e.Scope.Environments = []string{"production"}
	}
	if d.random.IntN(3) > 0 {
		e.Expires = d.soon()
	}
	d.made[of] = append(d.made[of], e.ID)
	d.until(func() error { _, _, err := p.Except(d.Context(), e, "bob"); return err })
}

// activate puts another policy in force, or an older one, or none.
func (d *decideLoop) activate(p *store.Policy, of int) {
	d.did["policies"]++
	a := policy.Activation{Environment: []string{"", "production"}[d.random.IntN(2)], By: "ann", Reason: "a change", Rollback: true}
	if d.random.IntN(3) == 0 {
		a.Controls = []string{"waf"}
	}
	switch {
	case d.versions[of] > 2 && d.random.IntN(6) == 0:
		d.did["ended"]++
		d.until(func() error {
			_, err := p.Activate(d.Context(), policy.Activation{Environment: a.Environment, By: "ann", Reason: "the end"})
			if errors.Is(err, policy.ErrNotFound) {
				err = nil // there was none
			}
			return err
		})
		return
	case d.versions[of] > 2 && d.random.IntN(3) == 0:
		a.Policy = policy.Named{ID: "release", Version: 1 + d.random.IntN(d.versions[of])}
	default:
		d.enforce(p, d.policy(of), a)
		return
	}
	d.until(func() error { _, err := p.Activate(d.Context(), a); return err })
}

// enforce keeps a policy and puts it in force.
func (d *decideLoop) enforce(p *store.Policy, v *policy.Policy, a policy.Activation) {
	a.Policy = policy.Named{ID: v.ID, Version: v.Version}
	d.until(func() error { _, _, err := p.Add(d.Context(), v, nil, "ann"); return err })
	d.until(func() error { _, err := p.Activate(d.Context(), a); return err })
}

// policy is the next version of a tenant's.
func (d *decideLoop) policy(of int) *policy.Policy {
	d.versions[of]++
	severities := []finding.Severity{finding.Low, finding.Medium, finding.High, finding.Critical, ""}
	p := &policy.Policy{ID: "release", Version: d.versions[of], Semantics: policy.Semantics}
	p.Threshold = policy.Threshold{Block: severities[d.random.IntN(5)], Warn: finding.Low}
	if d.random.IntN(5) > 0 {
		p.Evidence = policy.Evidence{Gaps: policy.Warn, Unknown: policy.Warn, Unrated: finding.Medium}
	}
	p.VEX.Disputed = []policy.Disputed{"", policy.DisputedWarn, policy.DisputedBlock}[d.random.IntN(3)]
	p.VEX.Require.Tier = d.random.IntN(3)
	if d.random.IntN(3) == 0 {
		p.Rules = append(p.Rules, policy.Rule{ID: "wait", Action: policy.ActionIgnore, Until: d.soon().UTC().Truncate(time.Microsecond), Because: "a fix comes",
			Conditions: []policy.Condition{{Field: "name", Operator: policy.Is, Values: world.Names[:2]}}})
	}
	if d.random.IntN(3) == 0 {
		p.Rules = append(p.Rules, policy.Rule{ID: "said", Action: policy.ActionRequireVEX, Because: "suppliers know",
			Conditions: []policy.Condition{{Field: "name", Operator: policy.Is, Values: world.Names[2:3]}}})
	}
	return p
}

// decideSource publishes documents of statements.
type decideSource struct {
	scope, name string
	last        int
	documents   map[string]*decideDocument
}

type decideDocument struct {
	ID, Version string
	Statements  []*vex.Statement
}

// say has one document appear, change or disappear, and runs the source.
func (d *decideLoop) say(s *decideSource) {
	d.did["documents"]++
	names := slices.Sorted(maps.Keys(s.documents))
	s.last++
	switch {
	case len(names) > 4 && d.random.IntN(3) == 0:
		delete(s.documents, names[d.random.IntN(len(names))])
	case len(names) > 1 && d.random.IntN(2) == 0:
		name := names[d.random.IntN(len(names))]
		s.documents[name] = &decideDocument{name, fmt.Sprint(s.last), d.statements()}
	default:
		name := fmt.Sprint("document-", s.last)
		s.documents[name] = &decideDocument{name, fmt.Sprint(s.last), d.statements()}
	}
	i := &ingest.Ingester{Store: scopeOf(d, d.nodes[0].root, s.scope), Holder: "test"}
	d.until(func() error {
		out, err := i.Run(d.Context(), s)
		if err == nil && out.Problems+out.Quarantined > 0 {
			err = fmt.Errorf("%+v", out)
		}
		return err
	})
}

func (d *decideLoop) statements() (out []*vex.Statement) {
	for range 1 + d.random.IntN(4) {
		id, url := d.vulnerability()
		version := fmt.Sprint(1+d.random.IntN(4), ".0")
		if strings.HasPrefix(url, "pkg:apk") {
			version += "-r0"
		}
		s := &vex.Statement{Vulnerability: id, Status: vex.Statuses[d.random.IntN(len(vex.Statuses))], Time: time.Now().Add(-time.Duration(d.random.Int64N(int64(time.Hour)))).UTC().Truncate(time.Microsecond)}
		if d.random.IntN(3) == 0 || s.Status == vex.Fixed {
			url += "@" + version
		}
		s.Products = []vex.Product{{PURL: url}}
		switch s.Status {
		case vex.NotAffected:
			s.Justification = vex.CodeNotPresent
		case vex.Affected:
			s.Action = "update"
		}
		switch d.random.IntN(5) {
		case 0:
			s.Until = d.soon().UTC().Truncate(time.Microsecond)
		case 1:
			s.Time = d.soon().UTC().Truncate(time.Microsecond)
		}
		out = append(out, s)
	}
	return out
}

func (s *decideSource) Describe() vex.Description { return vex.Description{Name: s.name} }

func (s *decideSource) Fetch(_ context.Context, _ vex.Door, _ []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	for _, name := range slices.Sorted(maps.Keys(s.documents)) {
		text, err := json.Marshal(s.documents[name])
		if err == nil {
			err = emit(&vex.Document{Source: s.name, Name: name, URL: "https://vex.test/" + name, Content: text})
		}
		if err != nil {
			return nil, err
		}
	}
	return &vex.Fetched{Complete: true}, nil
}

func (s *decideSource) Parse(doc *vex.Document) iter.Seq2[*vex.Statement, error] {
	return func(yield func(*vex.Statement, error) bool) {
		var d decideDocument
		if err := json.Unmarshal(doc.Content, &d); err != nil {
			yield(nil, err)
			return
		}
		for i, st := range d.Statements {
			st.Origin = vex.Origin{Document: policy.ContentDigest(doc.Content), ID: d.ID, Version: d.Version, Format: "openvex", Author: s.name, Pointer: fmt.Sprint("/statements/", i)}
			if err := st.Prepare(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(st, nil) {
				return
			}
		}
	}
}
