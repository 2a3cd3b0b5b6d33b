package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/vex"
)

// Result is what an evaluation gives.
type Result struct {
	Verdict *Verdict
	// Body is the verdict and Trace its trace, both as canonical JSON (RFC 8785).
	Body, Trace []byte
	// Open counts what is open by this verdict.
	Open *Open
}

// Evaluate decides. It is a pure function of the policy and the inputs; their order
// does not matter where it is not documented. An error says which input cannot be
// used: there is no verdict then, which is no pass.
func (e *Engine) Evaluate(in *Inputs) (*Result, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	r, err := e.begin(in)
	if err != nil {
		return nil, err
	}
	for i := range in.Findings {
		r.finding(&in.Findings[i])
	}
	r.items()
	return r.finish(), nil
}

// run is one evaluation.
type run struct {
	engine     *Engine
	in         *Inputs
	gates      Gates
	judge      *vex.Judge
	exceptions *indexedExceptions
	byID       map[string]int              // packages
	packages   map[string]*packageFacts    // by the package's ID
	layers     map[string]int              // by diffID
	statements map[string][]*vex.Statement // by id of the vulnerability
	scores     map[string]scored
	ratings    map[[2]string]string // source and severity as one text
	now        evaluated            // the finding that is being decided
	imageNames []string
	gapCodes   []string
	files      []int // packages that are files which no package accounts for
	trace      traceWriter
	verdict    Verdict
	open       Open
}

func (e *Engine) begin(in *Inputs) (*run, error) {
	r := &run{
		engine: e, in: in, gates: e.policy.gates(in.Environment), judge: in.Judge,
		byID: make(map[string]int, len(in.Packages)), packages: map[string]*packageFacts{}, layers: map[string]int{}, statements: map[string][]*vex.Statement{}, scores: map[string]scored{}, ratings: map[[2]string]string{},
		imageNames: append(slices.Clone(in.Subject.Image.Digests), in.Subject.Image.Names...),
	}
	var err error
	if r.exceptions, err = e.policy.indexExceptions(in.Exceptions); err != nil {
		return nil, err
	}
	if r.judge == nil {
		if r.judge, err = new(vex.Trust).Judge(); err != nil {
			return nil, err
		}
	}
	for i := range in.Packages {
		r.byID[in.Packages[i].ID] = i
	}
	for i, l := range in.Subject.Layers {
		if _, ok := r.layers[l]; !ok {
			r.layers[l] = i
		}
	}
	for _, s := range in.Statements {
		r.index(s.Vulnerability, s)
		for _, a := range s.Aliases {
			r.index(a, s)
		}
	}
	for _, g := range in.Gaps {
		if code := string(g.Code); !slices.Contains(r.gapCodes, code) {
			r.gapCodes = append(r.gapCodes, code)
		}
	}
	slices.Sort(r.gapCodes)
	r.findFiles()
	r.verdict = r.newVerdict()
	if r.engine.readsImageAge {
		r.changes(nextDay(in.Subject.Created, in.At))
	}
	r.trace.begin(r)
	return r, nil
}

func (r *run) index(id string, s *vex.Statement) {
	id = upper(id)
	if list := r.statements[id]; len(list) == 0 || list[len(list)-1] != s {
		r.statements[id] = append(list, s)
	}
}

// evaluated is a finding that is being decided.
type evaluated struct {
	*finding.Finding
	run       *run
	in        *Inputs
	pkg       *packageFacts
	about     About            // findings, unless item is set
	item      *Item            // that is being decided instead of a finding
	ids       []string         // the vulnerability and its aliases
	rated     finding.Severity // that its sources give it, or the policy
	severity  finding.Severity // that counts
	selection vex.Selection
	consensus *vex.Consensus
	// Whether an assurance excuses it, and else why not; "" where there is none.
	excused bool
	refused string
	// Facts that were found out, and which those are.
	facts [maxFields]value
	have  uint64
	// Room for a decision's.
	asked    []askedRule
	warnings []*rule
}

// decision is what is decided about a finding.
type decision struct {
	outcome  Outcome
	gate     Gate
	rule     *rule // that decided, nil for none
	because  string
	warnings []*rule
	asked    []askedRule
	// final says that a final rule which restricts applies, or that nobody can tell:
	// no exception softens the finding then.
	final bool
}

// askedRule is a rule, by its number, with what it answered. There are many of them,
// so they are small and hold no pointers.
type askedRule struct {
	rule int32
	by   int16
	is   answer
}

// Gate is which gate decided.
type Gate string

// The gates.
const (
	GateEvidence  Gate = "evidence"
	GateLattice   Gate = "lattice"
	GateTrust     Gate = "trust"
	GateRules     Gate = "rules"
	GateThreshold Gate = "threshold"
	GateNone      Gate = "none" // nothing had anything against it
)

// ruled is what exceptions did about a decision.
type ruled struct {
	winner     *exception
	considered []consideredException
	before     *decision // nil where nothing was softened
}

type consideredException struct {
	*exception
	why string // "" for the winner
}

// finding decides about one finding and writes it down.
func (r *run) finding(f *finding.Finding) {
	v := &r.now
	v.Finding, v.run, v.in, v.pkg, v.rated = f, r, r.in, r.factsOf(f), cmp.Or(f.Severity, r.gates.Evidence.Unrated)
	v.severity, v.have, v.excused, v.refused, v.selection = v.rated, 0, false, "", vex.Selection{}
	v.ids = append(v.ids[:0], f.Vulnerability)
	for _, a := range f.Aliases {
		if a != f.Vulnerability { // the advisory's aliases have the vulnerability's id
			v.ids = append(v.ids, a)
		}
	}
	v.listen()
	d := v.decide()
	x := v.soften(&d)
	r.verdict.count(d.outcome)
	if d.outcome != Pass {
		r.open.count(f, r.in.At)
	}
	if d.outcome.Rank() > r.verdict.Outcome.Rank() {
		r.verdict.worsen(d.outcome, v.Vulnerability+" in "+v.Name+": "+d.because)
	}
	r.changes(v.consensus.NextChange)
	if r.engine.readsAge {
		r.changes(nextDay(f.Published, r.in.At))
	}
	r.trace.finding(v, &d, &x)
	v.asked, v.warnings = d.asked, d.warnings
}

// changes notes that the verdict may be another one from a time on.
func (r *run) changes(t time.Time) {
	if t.After(r.in.At) && (r.verdict.NextChange.IsZero() || t.Before(r.verdict.NextChange)) {
		r.verdict.NextChange = t
	}
}

// listen finds out what suppliers say, and whether that excuses the finding.
func (v *evaluated) listen() {
	v.consensus = &silence
	if len(v.run.statements) == 0 {
		return
	}
	var list []*vex.Statement
	for _, id := range v.ids {
		for _, s := range v.run.statements[upper(id)] {
			if !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
	}
	if len(list) == 0 {
		return
	}
	v.selection = v.run.queryOf(v).Select(v.ids, list)
	if len(v.selection.Claims) == 0 {
		return
	}
	v.consensus = v.run.judge.Resolve(v.selection.Claims, v.in.At)
	gate := &v.run.gates.VEX
	switch {
	case !v.assured():
	case gate.Ignore:
		v.refused = "the policy takes no assurances"
	case v.consensus.Disputed && (gate.Disputed == "" || gate.Disputed == Distrust):
		v.refused = "it is disputed"
	default:
		v.refused = v.lacks(&gate.Require)
		v.excused = v.refused == ""
	}
}

// silence is that nobody said anything.
var silence vex.Consensus

// assured reports whether suppliers say that there is no risk.
func (v *evaluated) assured() bool {
	return v.consensus.Status == vex.NotAffected || v.consensus.Status == vex.Fixed
}

// lacks says what an assurance lacks of a requirement, "" for nothing.
func (v *evaluated) lacks(q *Requirement) string {
	c := v.consensus
	switch {
	case q.Tier > 0 && c.Tier > q.Tier:
		return "its tier is too low"
	case q.Signed && !c.Signed:
		return "it is not signed"
	case len(q.Issuers) > 0 && !slices.ContainsFunc(v.deciders(), func(i string) bool { return slices.Contains(q.Issuers, i) }):
		return "it is from another issuer"
	case len(q.Justifications) > 0 && c.Status == vex.NotAffected && !slices.ContainsFunc(v.justifications(), func(j string) bool {
		return slices.Contains(q.Justifications, vex.Justification(j))
	}):
		return "it has another justification"
	}
	return ""
}

// deciders lists the issuers of the claims that decide.
func (v *evaluated) deciders() []string {
	var out []string
	for _, i := range v.consensus.Deciding {
		out = append(out, v.consensus.Claims[i].Issuer.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (v *evaluated) justifications() []string {
	var out []string
	for _, i := range v.consensus.Deciding {
		if j := v.consensus.Claims[i].Statement.Justification; j != "" {
			out = append(out, string(j))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// decide passes the finding through the gates.
func (v *evaluated) decide() decision {
	g := &v.run.gates
	if v.consensus.Disputed && g.VEX.Disputed == DisputedBlock {
		return decision{outcome: Block, gate: GateLattice, because: "suppliers contradict each other"}
	}
	d := decision{outcome: Pass, gate: GateNone, asked: v.asked[:0], warnings: v.warnings[:0]}
	if v.excused {
		d.gate, d.because = GateTrust, "a supplier says that it is "+string(v.consensus.Status)
	}
	unknown, done := v.ask(&d)
	if !done && !v.excused && v.about == AboutFinding {
		unknown = v.threshold(&d) || unknown
	}
	if unknown && d.outcome.Rank() < Block.Rank() {
		if o := cmp.Or(g.Evidence.Unknown, NotAssessed); o.Rank() > d.outcome.Rank() {
			d.outcome, d.gate, d.rule, d.because = o, GateEvidence, nil, "a fact is unknown on which it hangs"
		}
	}
	switch {
	case len(d.warnings) > 0 && d.outcome.Allows(): // it tells more than the threshold
		d.outcome, d.rule, d.gate, d.because = Warn, d.warnings[0], GateRules, d.warnings[0].Because
	case v.excused && v.consensus.Disputed && d.outcome == Pass:
		d.outcome, d.gate, d.because = Warn, GateLattice, "suppliers contradict each other"
	}
	return d
}

// ask goes through the rules. unknown means that a restricting rule could not be
// decided; done that a rule has ended it.
func (v *evaluated) ask(d *decision) (unknown, done bool) {
	end := func(r *rule, o Outcome, because string) (bool, bool) {
		d.outcome, d.gate, d.rule, d.because = o, GateRules, r, because
		return unknown, true
	}
	for i := range v.run.engine.rules {
		r := &v.run.engine.rules[i]
		if r.About != v.about || v.excused && !r.DespiteVEX {
			continue
		}
		is, by, why := r.ask(v)
		d.asked = append(d.asked, askedRule{int32(i), int16(by), is})
		d.final = d.final || r.Final && is != isNo && r.Action.restricts()
		if !r.Until.IsZero() && is != isNo {
			v.run.changes(r.Until)
		}
		switch {
		case is == isError:
			return end(r, Error, "its condition failed: "+why)
		case is == isUnknown && r.Action == ActionWarn:
			d.warnings = append(d.warnings, r)
		case is == isUnknown && r.Action.restricts():
			unknown = true
		case is != isYes:
		case r.Action == ActionWarn:
			d.warnings = append(d.warnings, r)
		case r.Action == ActionBlock:
			return end(r, Block, r.Because)
		case r.Action == ActionRequireVEX:
			if !v.assured() || v.consensus.Disputed || v.run.gates.VEX.Ignore || v.lacks(&r.Require) != "" {
				return end(r, Block, r.Because)
			}
			return end(r, Pass, r.Because)
		default:
			return end(r, Pass, r.Because)
		}
	}
	return unknown, false
}

// threshold is the last gate. It reports whether it hangs on an unknown severity.
func (v *evaluated) threshold(d *decision) (unknown bool) {
	t := &v.run.gates.Threshold
	switch {
	case t.Block == "" && t.Warn == "":
		return false
	case v.severity == finding.Unknown:
		return true
	case t.Block != "" && v.severity.Rank() >= t.Block.Rank():
		d.outcome, d.gate, d.because = Block, GateThreshold, "its severity is "+string(v.severity)
	case t.Warn != "" && v.severity.Rank() >= t.Warn.Rank():
		d.outcome, d.gate, d.because = Warn, GateThreshold, "its severity is "+string(v.severity)
	}
	return false
}

// soften applies the exception that wins, where the finding does not pass.
func (v *evaluated) soften(d *decision) (x ruled) {
	covering := v.run.exceptions.covering(v)
	if len(covering) == 0 {
		return x
	}
	allowed := d.outcome == Warn || d.outcome == NotAssessed || d.outcome == Block
	perhaps := false // one that ranks higher may cover the finding
	for _, e := range covering {
		why := e.void(v, v.in.At, &v.run.engine.policy.Exceptions)
		switch {
		case why != "":
		case e.covers(v) == isUnknown:
			why, perhaps = whyUnknown, true
		case !allowed:
			why = whyNothing
		case d.final:
			why = whyFinal
		case perhaps:
			why = whyPerhaps
		case x.winner != nil:
			why = whyOutranked
		default:
			x.winner = e
		}
		x.considered = append(x.considered, consideredException{e, why})
		v.run.changes(e.Created)
		v.run.changes(e.end)
	}
	if x.winner != nil {
		before := *d
		x.before = &before
		v.apply(x.winner, d)
	}
	return x
}

func (v *evaluated) apply(e *exception, d *decision) {
	switch e.Effect {
	case Suppress:
		d.outcome = Pass
	case Defer, RequireControl:
		d.outcome = Warn
	case Downgrade:
		if v.severity != finding.Unknown && v.severity.Rank() <= e.Severity.Rank() {
			return
		}
		v.severity, v.have, v.asked, v.warnings = e.Severity, 0, nil, nil // what was decided before stays
		if again := v.decide(); again.outcome.Rank() <= d.outcome.Rank() {
			*d = again
			return
		}
		v.severity, v.have = v.rated, 0 // a rule wants it severe: an exception makes nothing worse
	}
}
