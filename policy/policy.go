package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/vex"
)

// Outcome is what is decided, about a finding, a gap or an image.
type Outcome string

// The outcomes, from the best to the worst. The outcome of an image is the worst of
// all.
const (
	Pass        Outcome = "pass"
	Warn        Outcome = "warn"
	NotAssessed Outcome = "not_assessed" // nobody can say: never a pass
	Block       Outcome = "block"
	Error       Outcome = "error" // the evaluation failed: never a pass
)

// Rank orders outcomes: Pass is 0, Error 4. Others are -1.
func (o Outcome) Rank() int {
	return slices.Index([]Outcome{Pass, Warn, NotAssessed, Block, Error}, o)
}

// Allows reports whether an image with this outcome may be used.
func (o Outcome) Allows() bool { return o == Pass || o == Warn }

// Worst returns the worse of two outcomes.
func Worst(a, b Outcome) Outcome {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// Policy is a policy as it was parsed. The zero value passes everything that was
// assessed.
type Policy struct {
	// ID names the policy, Version its revision from 1 on.
	ID      string `json:"id"`
	Version int    `json:"version"`
	// Semantics is the engine's [Semantics] that it was written for.
	Semantics int    `json:"semantics"`
	Title     string `json:"title,omitempty"`
	Gates
	Rules []Rule `json:"rules,omitempty"`
	// Profiles replace gates in one environment each, sorted by name.
	Profiles []Profile `json:"profiles,omitempty"`
	// Exceptions bounds what exceptions may do.
	Exceptions Grant `json:"exceptions,omitzero"`
}

// Gates are the settings of the gates that are no rules.
type Gates struct {
	Evidence  Evidence  `json:"evidence,omitzero"`
	VEX       VEX       `json:"vex,omitzero"`
	Threshold Threshold `json:"threshold,omitzero"`
}

// Profile is what differs in one environment. A gate that is zero is the policy's.
type Profile struct {
	Environment string `json:"environment"`
	Gates
}

// Evidence is the first gate.
type Evidence struct {
	// Gaps is the outcome of a blocking gap: NotAssessed (also when empty), Warn or
	// Block. Never Pass.
	Gaps Outcome `json:"gaps,omitempty"`
	// Unknown is the outcome of a finding for which a restricting rule or the
	// threshold hangs on an unknown fact: NotAssessed (also when empty), Warn or
	// Block.
	Unknown Outcome `json:"unknown,omitempty"`
	// Unrated is the severity that counts for what nobody rated; "" leaves it
	// unknown.
	Unrated finding.Severity `json:"unrated,omitempty"`
}

// VEX is the second and the third gate.
type VEX struct {
	// Disputed says what becomes of a finding about which suppliers contradict each
	// other.
	Disputed Disputed `json:"disputed,omitempty"`
	// Require is what an assurance needs to excuse a finding.
	Require Requirement `json:"require,omitzero"`
	// Ignore has no assurance excuse anything.
	Ignore bool `json:"ignore,omitzero"`
}

// Disputed is how contradictions are taken.
type Disputed string

// The ways to take them. The zero value is Distrust.
const (
	Distrust      Disputed = "distrust" // no assurance excuses the finding
	DisputedWarn  Disputed = "warn"     // it does, with a warning
	DisputedBlock Disputed = "block"    // the finding blocks
)

// Requirement is what an assurance (not_affected or fixed) must have. The zero value
// asks for nothing.
type Requirement struct {
	// Tier is the largest number of a tier that is believed; 0 for any.
	Tier int `json:"tier,omitzero"`
	// Signed asks for a verified signature.
	Signed bool `json:"signed,omitzero"`
	// Issuers are whom to believe, Justifications which reasons; none for any.
	// "fixed" needs no justification.
	Issuers        []string            `json:"issuers,omitempty"`
	Justifications []vex.Justification `json:"justifications,omitempty"`
}

// Threshold is the last gate.
type Threshold struct {
	// Block and Warn are the lowest severities with that outcome; "" for never.
	Block finding.Severity `json:"block,omitempty"`
	Warn  finding.Severity `json:"warn,omitempty"`
}

// Action is what a rule does.
type Action string

// The actions.
const (
	ActionAllow      Action = "allow"       // the finding passes
	ActionWarn       Action = "warn"        // a warning; later rules are looked at
	ActionBlock      Action = "block"       // the finding blocks
	ActionIgnore     Action = "ignore"      // it passes, and is listed as ignored
	ActionRequireVEX Action = "require_vex" // it blocks unless an assurance excuses it
)

// Actions are all of them.
var Actions = []Action{ActionAllow, ActionWarn, ActionBlock, ActionIgnore, ActionRequireVEX}

// restricts reports whether the action makes an outcome worse.
func (a Action) restricts() bool {
	return a == ActionWarn || a == ActionBlock || a == ActionRequireVEX
}

// Rule is one rule. It applies where all of its conditions hold.
type Rule struct {
	ID string `json:"id"`
	// About is what it is asked about, "" for findings.
	About      About       `json:"about,omitempty"`
	Conditions []Condition `json:"conditions,omitempty"`
	Action     Action      `json:"action"`
	// Until is from when on the rule no longer applies; zero for never. Ignore only.
	Until time.Time `json:"until,omitzero"`
	// Require is what RequireVEX asks for.
	Require Requirement `json:"require,omitzero"`
	// Because is the reason, for people. It is required.
	Because string `json:"because"`
	// Final says of a rule that restricts that no exception softens a finding to which
	// it applies, or to which nobody can tell whether it does.
	Final bool `json:"final,omitzero"`
	// DespiteVEX has the rule looked at also for what an assurance excuses.
	DespiteVEX bool `json:"despite_vex,omitzero"`
}

// Condition is a test of one fact, or an expression. It has either a Field with an
// Operator and Values, or an Expression.
type Condition struct {
	// Field is the name of a fact: see [Fields].
	Field string `json:"field,omitempty"`
	// Operator is one of those that the fact's kind has: see [Kind].
	Operator Operator `json:"operator,omitempty"`
	// Values are what it is compared with: the condition holds for any of them.
	Values []string `json:"values,omitempty"`
	// Negate turns the answer round. Unknown stays unknown.
	Negate bool `json:"negate,omitzero"`
	// Expression is a CEL expression of type bool over facts, in the canonical form
	// of its parser.
	Expression string `json:"expression,omitempty"`
}

// Operator compares a fact with a value.
type Operator string

// The operators.
const (
	Is      Operator = "is"      // equal; for texts with "*" for any characters
	Matches Operator = "matches" // package URLs, by the rules of vex.Pattern
	AtLeast Operator = ">="
	AtMost  Operator = "<="
	Above   Operator = ">"
	Below   Operator = "<"
)

// Grant bounds what exceptions may do. The zero value bounds nothing.
type Grant struct {
	// MaxDays is for how many days after its making an exception counts at most; 0
	// for without end. With it, one that does not expire counts for that long.
	MaxDays int `json:"max_days,omitzero"`
	// Approver has exceptions without an approver, or with their owner as approver,
	// count for nothing.
	Approver bool `json:"approver,omitzero"`
	// Severity is the highest that an exception may soften; "" for any.
	Severity finding.Severity `json:"severity,omitempty"`
	// Effects are those that exceptions may have; none for all.
	Effects []Effect `json:"effects,omitempty"`
}

// The bounds of a policy.
const (
	MaxRules      = 10_000
	MaxConditions = 100
	MaxValues     = 10_000
	MaxText       = 4 << 10 // bytes of an id, a reason, a value, an expression
)

// Digest returns the digest of the policy as canonical JSON (RFC 8785).
func (p *Policy) Digest() string { return digestOf(p) }

// digestOf is of data that always encodes: structs of texts, numbers and times.
func digestOf(v any) string {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err != nil {
		return ""
	}
	return sum.Of(text)
}

// ContentDigest returns the digest of bytes as verdicts name inputs: "sha256:" and 64
// hex digits.
func ContentDigest(b []byte) string { return sum.Of(b) }

// gates returns the gates as they are in an environment.
func (p *Policy) gates(environment string) Gates {
	g := p.Gates
	for _, f := range p.Profiles {
		if f.Environment != environment {
			continue
		}
		if f.Evidence != (Evidence{}) {
			g.Evidence = f.Evidence
		}
		if f.Threshold != (Threshold{}) {
			g.Threshold = f.Threshold
		}
		if v := f.VEX; v.Disputed != "" || v.Ignore || !v.Require.isZero() {
			g.VEX = v
		}
	}
	return g
}

func (r *Requirement) isZero() bool {
	return r.Tier == 0 && !r.Signed && len(r.Issuers) == 0 && len(r.Justifications) == 0
}

// Check reports all that is wrong with the policy apart from its conditions, which
// [Compile] reads. The error wraps ErrInvalid or ErrLimit.
func (p *Policy) Check() error {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if p.ID == "" || len(p.ID) > 128 {
		bad("id: want 1 to 128 bytes")
	}
	if p.Version < 1 {
		bad("version: %d, want 1 or more", p.Version)
	}
	if p.Semantics != Semantics {
		bad("semantics: %d, this engine has %d", p.Semantics, Semantics)
	}
	if len(p.Rules) > MaxRules {
		return fmt.Errorf("policy %.128q: %w", p.ID, &fault.LimitError{What: "rules", Where: "policy", Max: MaxRules, Seen: int64(len(p.Rules))})
	}
	p.Gates.check("", bad)
	for i := range p.Profiles {
		if p.Profiles[i].Environment == "" || i > 0 && p.Profiles[i].Environment <= p.Profiles[i-1].Environment {
			bad("profiles: %q: want names, sorted, each once", p.Profiles[i].Environment)
		}
		p.Profiles[i].Gates.check("profiles."+p.Profiles[i].Environment+".", bad)
	}
	ids := map[string]bool{}
	for i := range p.Rules {
		p.Rules[i].check(i, ids, bad)
	}
	if g := p.Exceptions; g.MaxDays < 0 || g.MaxDays > 36500 || g.Severity.Rank() < 0 || slices.ContainsFunc(g.Effects, func(e Effect) bool { return !slices.Contains(Effects, e) }) {
		bad("exceptions: want max_days of 0 to 36500, a severity, and effects of %v", Effects)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("policy %.128q: %s: %w", p.ID, strings.Join(wrong, "; "), fault.Invalid)
	}
	return nil
}

func (g *Gates) check(where string, bad func(string, ...any)) {
	outcomes := []Outcome{"", NotAssessed, Warn, Block}
	if !slices.Contains(outcomes, g.Evidence.Gaps) || !slices.Contains(outcomes, g.Evidence.Unknown) {
		bad("%sevidence: want not_assessed, warn or block", where)
	}
	if !slices.Contains([]Disputed{"", Distrust, DisputedWarn, DisputedBlock}, g.VEX.Disputed) {
		bad("%svex.disputed: %q: want distrust, warn or block", where, g.VEX.Disputed)
	}
	g.VEX.Require.check(where+"vex.require", bad)
	for name, s := range map[string]finding.Severity{"evidence.unrated": g.Evidence.Unrated, "threshold.block": g.Threshold.Block, "threshold.warn": g.Threshold.Warn} {
		if s.Rank() < 0 {
			bad("%s%s: %q is no severity", where, name, s)
		}
	}
	if b, w := g.Threshold.Block, g.Threshold.Warn; b != "" && w != "" && w.Rank() > b.Rank() {
		bad("%sthreshold: warn %s is above block %s", where, w, b)
	}
}

func (r *Requirement) check(where string, bad func(string, ...any)) {
	if r.Tier < 0 || r.Tier > vex.MaxTier {
		bad("%s.tier: %d: want 0 to %d", where, r.Tier, vex.MaxTier)
	}
	for _, j := range r.Justifications {
		if !slices.Contains(vex.Justifications, j) {
			bad("%s.justifications: %q is none of %v", where, j, vex.Justifications)
		}
	}
}

func (r *Rule) check(i int, ids map[string]bool, bad func(string, ...any)) {
	name := fmt.Sprintf("rules[%d] %.64s", i, r.ID)
	switch {
	case r.ID == "" || len(r.ID) > 128:
		bad("%s: id: want 1 to 128 bytes", name)
	case ids[r.ID]:
		bad("%s: the id is there twice", name)
	}
	ids[r.ID] = true
	if !slices.Contains(Actions, r.Action) {
		bad("%s: action %q is none of %v", name, r.Action, Actions)
	}
	if !slices.Contains(Abouts, r.About) {
		bad("%s: about: %q is none of %v", name, r.About, Abouts[1:])
	}
	if r.About != AboutFinding && (r.Action == ActionRequireVEX || r.Final || r.DespiteVEX) {
		bad("%s: require_vex, final and despite_vex go with findings alone: nothing else has suppliers or exceptions", name)
	}
	if strings.TrimSpace(r.Because) == "" || len(r.Because) > MaxText {
		bad("%s: because: want a reason of 1 to %d bytes", name, MaxText)
	}
	if !r.Until.IsZero() && r.Action != ActionIgnore {
		bad("%s: until goes with ignore alone", name)
	}
	if !r.Require.isZero() && r.Action != ActionRequireVEX {
		bad("%s: require goes with require_vex alone", name)
	}
	r.Require.check(name+": require", bad)
	if len(r.Conditions) > MaxConditions {
		bad("%s: %d conditions, at most %d", name, len(r.Conditions), MaxConditions)
	}
}
