package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/vex"
)

// Gateway decides about scans: it loads what a verdict follows from in one
// consistent read, evaluates the policy of each environment, and keeps verdict and
// trace under the key of their inputs. Stores and Document are required. It is safe
// for concurrent use and must not be copied or changed after its first call.
type Gateway struct {
	// Stores gives what is kept of a tenant.
	Stores func(tenant string) (Store, error)
	// Document reads a neutral document whose digest it has verified.
	Document func(ctx context.Context, tenant string, d *Document) (*sbom.Document, error)
	// Statements returns what sets, named by their digests, say about vulnerabilities
	// with one of the ids, prepared. A set that is not there, or not what its digest
	// says, is an error. Nil refuses to decide where there is a set.
	Statements func(ctx context.Context, tenant string, digests, ids []string) ([]*vex.Statement, error)
	// Signals says what a snapshot of advisories has beside records: "kev", "epss".
	// Nil means nothing.
	Signals func(ctx context.Context, snapshot string) ([]string, error)
	// Compile makes an engine of a policy. Nil is [Compile] without options, which
	// refuses expressions.
	Compile func(p *Policy) (*Engine, error)

	mu      sync.Mutex
	engines map[string]*Engine // by the policy's digest
	recent  []string           // digests, the oldest first
}

// maxEngines bounds the engines that a Gateway remembers.
const maxEngines = 64

// Evaluate decides about a scan in every environment that has a policy, or in those
// of the request, and keeps what it decides. Without a policy there are no records.
// Where a policy cannot be evaluated, and trying again would fail the same way, its
// record has the outcome Error and no verdict; any other failure is an error, and
// nothing is kept then. Neither is ever a pass.
func (g *Gateway) Evaluate(ctx context.Context, tenant string, q Request) ([]Record, error) {
	store, in, err := g.load(ctx, tenant, q)
	if err != nil {
		return nil, fmt.Errorf("decide about %.80s: %w", q.ScanID, err)
	}
	b := &Batch{ScanID: q.ScanID, At: q.At, Cause: q.Cause, Message: q.Message, Marks: in.Marks, Vulnerabilities: in.names()}
	if len(in.Active) > 0 {
		shared, err := g.inputs(ctx, tenant, q, in)
		if err != nil && !permanent(err) {
			return nil, fmt.Errorf("decide about %s: %w", q.ScanID, err)
		}
		for i := range in.Active {
			a := &in.Active[i]
			r, failed := Record{}, err
			if failed == nil {
				r, failed = g.decide(a, *shared)
			}
			if failed != nil && !permanent(failed) {
				return nil, fmt.Errorf("decide about %s in environment %q: %w", q.ScanID, a.Environment, failed)
			}
			if failed != nil {
				r = Record{Environment: a.Environment, Policy: a.Policy, Outcome: Error, Because: "the evaluation failed: " + failed.Error(), At: q.At.UTC()}
			}
			b.Records = append(b.Records, r)
		}
	}
	crashpoint.Hit(crashpoint.PolicyEvaluated)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("decide about %s: %w", q.ScanID, err)
	}
	if err := store.Keep(ctx, b); err != nil {
		return nil, fmt.Errorf("keep what is decided about %s: %w", q.ScanID, err)
	}
	return b.Records, nil
}

// Simulate decides about a scan by a policy that need not be kept, in the first of
// the request's environments, "" without one. Nothing is kept.
func (g *Gateway) Simulate(ctx context.Context, tenant string, q Request, p *Policy) (*Record, error) {
	engine, err := g.compile(p)
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	_, in, err := g.load(ctx, tenant, q)
	if err != nil {
		return nil, fmt.Errorf("simulate about %.80s: %w", q.ScanID, err)
	}
	shared, err := g.inputs(ctx, tenant, q, in)
	if err != nil {
		return nil, fmt.Errorf("simulate about %s: %w", q.ScanID, err)
	}
	if len(q.Environments) > 0 {
		shared.Environment = q.Environments[0]
	}
	for _, a := range in.Active {
		if a.Environment == shared.Environment {
			shared.Controls = a.Controls
		}
	}
	r, err := evaluate(engine, shared)
	if err != nil {
		return nil, fmt.Errorf("simulate about %s: %w", q.ScanID, err)
	}
	return &r, nil
}

// load reads what a verdict follows from.
func (g *Gateway) load(ctx context.Context, tenant string, q Request) (Store, *Loaded, error) {
	if q.ScanID == "" || q.At.IsZero() {
		return nil, nil, fmt.Errorf("a scan and an evaluation time are required: %w", fault.Invalid)
	}
	store, err := g.Stores(tenant)
	if err != nil {
		return nil, nil, err
	}
	in, err := store.Load(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	crashpoint.Hit(crashpoint.PolicyLoaded)
	return store, in, nil
}

// inputs makes what the policies of all environments are evaluated over.
func (g *Gateway) inputs(ctx context.Context, tenant string, q Request, in *Loaded) (*Inputs, error) {
	doc, err := g.Document(ctx, tenant, &in.Document)
	if err != nil {
		return nil, fmt.Errorf("read its document: %w", err)
	}
	out := &Inputs{At: q.At, Exceptions: in.Exceptions, Digests: Digests{SBOM: in.Document.Digest}}
	if in.Digest != "" {
		out.Subject.Image.Digests = []string{in.Digest}
	}
	if in.Image != "" {
		out.Subject.Image.Names = []string{in.Image}
	}
	if r := in.Report; r != nil {
		out.Findings, out.Digests.Advisories = r.Findings, r.Snapshot
		out.Gaps = slices.Clone(r.Gaps)
		if g.Signals != nil && r.Snapshot != "" {
			if out.Signals, err = g.Signals(ctx, r.Snapshot); err != nil {
				return nil, fmt.Errorf("look which signals snapshot %s has: %w", r.Snapshot, err)
			}
		}
	}
	out.Of(doc)
	if out.Judge, err = in.Trust.Judge(); err != nil {
		return nil, err
	}
	for _, s := range in.VEX {
		out.Digests.VEX = append(out.Digests.VEX, s.Digest)
	}
	ids := in.names()
	if len(in.VEX) == 0 || len(ids) == 0 {
		return out, nil
	}
	if g.Statements == nil {
		return nil, fmt.Errorf("nothing reads statements here: %w", fault.Unavailable)
	}
	if out.Statements, err = g.Statements(ctx, tenant, out.Digests.VEX, ids); err != nil {
		return nil, fmt.Errorf("read statements: %w", err)
	}
	return out, nil
}

// names are the ids and aliases of the report's vulnerabilities, in upper case.
func (in *Loaded) names() []string {
	if in.Report == nil {
		return nil
	}
	var out []string
	for i := range in.Report.Findings {
		f := &in.Report.Findings[i]
		out = append(out, strings.ToUpper(f.Vulnerability))
		for _, a := range f.Aliases {
			out = append(out, strings.ToUpper(a))
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(id string) bool { return id == "" })
}

// decide evaluates the policy of one environment.
func (g *Gateway) decide(a *Active, in Inputs) (Record, error) {
	engine, err := g.engine(a)
	if err != nil {
		return Record{}, err
	}
	in.Environment, in.Controls = a.Environment, a.Controls
	return evaluate(engine, &in)
}

// evaluate runs an engine. One that panics has failed.
func evaluate(e *Engine, in *Inputs) (r Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = Record{}, fmt.Errorf("policy %s: the engine panicked: %v: %w", e.policy.ID, p, fault.Unsupported)
		}
	}()
	result, err := e.Evaluate(in)
	if err != nil {
		return Record{}, err
	}
	v := result.Verdict
	r = Record{
		Environment: in.Environment, Policy: v.Policy, Outcome: v.Outcome, Because: v.Because, Key: v.Key(), Digest: sum.Of(result.Body),
		At: v.At, NextChange: v.NextChange, Body: result.Body, Trace: result.Trace, Open: result.Open,
	}
	if v.Counts.Block+v.Counts.Error+v.Counts.Items.Block+v.Counts.Items.Error > 0 {
		r.Blocking, err = blocking(result.Trace)
	}
	return r, err
}

// blocking lists the findings and the items that a trace says block.
func blocking(trace []byte) ([]string, error) {
	var t struct {
		Decisions []struct {
			Name          string  `json:"name"`
			Version       string  `json:"version"`
			PURL          string  `json:"purl"`
			Vulnerability string  `json:"vulnerability"`
			Outcome       Outcome `json:"outcome"`
		} `json:"decisions"`
		Items []Item `json:"items"`
	}
	if err := json.Unmarshal(trace, &t); err != nil {
		return nil, fmt.Errorf("read the trace: %v: %w", err, fault.Invalid)
	}
	var out []string
	for _, d := range t.Decisions {
		if d.Outcome.Rank() < Block.Rank() {
			continue
		}
		product := d.PURL
		if product == "" {
			product = d.Name + "@" + d.Version
		}
		out = append(out, d.Vulnerability+" "+product)
	}
	for i := range t.Items {
		if t.Items[i].Outcome.Rank() >= Block.Rank() {
			out = append(out, t.Items[i].Title())
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// engine returns the engine of a policy that is kept. What is remembered is known by
// the digest, which is verified.
func (g *Gateway) engine(a *Active) (*Engine, error) {
	g.mu.Lock()
	e := g.engines[a.Digest]
	g.mu.Unlock()
	if e != nil && e.Digest() == a.Digest {
		return e, nil
	}
	p, err := DecodePolicy(a.Body, a.Digest)
	if err != nil {
		return nil, err
	}
	if e, err = g.compile(p); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.engines == nil {
		g.engines = map[string]*Engine{}
	}
	if g.engines[a.Digest] == nil {
		g.recent = append(g.recent, a.Digest)
	}
	g.engines[a.Digest] = e
	if len(g.recent) > maxEngines {
		delete(g.engines, g.recent[0])
		g.recent = slices.Delete(g.recent, 0, 1)
	}
	return e, nil
}

// compile makes an engine; a compiler that panics has failed.
func (g *Gateway) compile(p *Policy) (e *Engine, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, fmt.Errorf("policy %s: compiling it panicked: %v: %w", p.ID, r, fault.Unsupported)
		}
	}()
	if g.Compile == nil {
		return Compile(p, nil)
	}
	return g.Compile(p)
}

// DecodePolicy reads a policy from its canonical JSON, and verifies its digest, ""
// for any. An error wraps ErrInvalid or ErrMismatch.
func DecodePolicy(body []byte, digest string) (*Policy, error) {
	p := new(Policy)
	if err := json.Unmarshal(body, p, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("policy: %v: %w", err, fault.Invalid)
	}
	if got := p.Digest(); digest != "" && got != digest {
		return nil, &fault.MismatchError{What: "digest of policy " + p.ID, Want: digest, Got: got}
	}
	return p, nil
}

// Encode returns the policy as canonical JSON (RFC 8785), whose digest is Digest.
func (p *Policy) Encode() ([]byte, error) {
	body, err := canonical(p)
	if err == nil && sum.Of(body) != p.Digest() {
		err = fmt.Errorf("it cannot be written as it is")
	}
	if err != nil {
		return nil, fmt.Errorf("policy %.80s: %v: %w", p.ID, err, fault.Invalid)
	}
	return body, nil
}

// permanent reports whether another attempt would fail the same way. What is missing
// or damaged may be put right.
func permanent(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unsupported, fault.Limit:
		return true
	}
	return false
}
