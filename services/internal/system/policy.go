package system

import (
	"context"
	"time"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// Policy is the Policy Gateway with its engine: it keeps policies, exceptions and verdicts;
// as a worker it matches and decides again when something changes.
func Policy(w *World, role Role) (*shell.Part, error) {
	gateway := w.gateway()
	p := &shell.Part{Name: "policy"}
	if role.web() {
		p.Handler = &policyhttp.Handler{
			Stores:   func(tenant string) (policyhttp.Store, error) { return part(w, tenant, (*store.Tenant).Policy) },
			Parse:    parsePolicy,
			Compile:  compile,
			Simulate: gateway.Simulate, Identify: policyIdentity, Report: w.request("policy"),
		}
	}
	if role.worker() {
		_, matcher := w.advisories()
		evaluator := &schedule.Evaluator{
			Jobs:    func(tenant string) (schedule.Evaluations, error) { return part(w, tenant, (*store.Tenant).Evaluations) },
			Objects: func(tenant string) (schedule.Objects, error) { return w.objects(tenant) },
			Decode:  decode, Match: matcher.MatchAt, Holder: w.Name,
		}
		handler := &policy.Handler{Gateway: gateway, Causes: w.Store.Causes(), Next: evaluator.Handle}
		sample := func(ctx context.Context) error { _, err := w.Store.SamplePostures(ctx); return err }
		p.Loops = w.consume("policy",
			reading{topic: event.ScannerEvents, group: event.GroupPolicy, parallel: 2, types: []event.Type{event.SBOMCreated, event.ScanCompleted}, register: true, handle: handler.Handle},
			reading{topic: event.ExcititorDeltas, group: event.GroupPolicy, parallel: 1, register: true, handle: handler.Handle},
			reading{topic: event.SchedulerEvaluations, group: event.GroupPolicyWorkers, parallel: 4, handle: handler.Handle},
		)
		p.Loops = append(p.Loops, w.every("policy", "posture", 15*time.Second, sample))
	}
	return p, nil
}

func parsePolicy(name string, text []byte) (*policy.Policy, error) {
	p, _, err := policyfile.Parse(name, text)
	return p, err
}
