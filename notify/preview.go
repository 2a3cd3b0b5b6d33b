package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// Preview is what one rule makes of an event for one target, were nothing else about.
type Preview struct {
	Rule     string `json:"rule"`
	RuleName string `json:"rule_name,omitempty"`
	User     string `json:"user,omitempty"`
	Target   Target `json:"target,omitzero"`
	// Matches says whether the rule tells of it. Why lists what speaks for it, Against what
	// does not.
	Matches bool     `json:"matches"`
	Why     []string `json:"why,omitempty"`
	Against string   `json:"against,omitempty"`
	// Matched is how many notices match, of Of.
	Matched int `json:"matched"`
	Of      int `json:"of"`
	// Silenced says what keeps it from being sent, Due when it would be sent, after what
	// else comes until then.
	Silenced string    `json:"silenced,omitempty"`
	Due      time.Time `json:"due,omitzero"`
	Message  *Message  `json:"message,omitempty"`
	// Payload is what would be sent; Problem says why it cannot be rendered.
	Payload *Payload `json:"-"`
	Problem string   `json:"problem,omitempty"`
}

// Preview says what would be sent for an event, to whom, when and why, and why other rules
// would not tell of it: by the settings that stand, and by one more rule where extra is not
// nil, which replaces one of the same id. Nothing is stored or sent. at stands for the
// store's clock. Results are by rule and target.
func (r *Router) Preview(ctx context.Context, tenant string, e *event.Event, extra *Rule, at time.Time) ([]Preview, error) {
	notices, err := Notices(e)
	if err != nil {
		return nil, err
	}
	if len(notices) == 0 {
		return nil, fmt.Errorf("event %.80q: nobody is told of %.60q: %w", e.ID, e.Type, fault.Invalid)
	}
	s, err := r.Stores(tenant)
	if err != nil {
		return nil, err
	}
	k, err := r.settings(ctx, tenant, s, true)
	if err != nil {
		return nil, err
	}
	if extra != nil {
		if k, err = k.with(extra); err != nil {
			return nil, err
		}
	}
	facts, err := scanFacts(ctx, s, k, []*arrival{{event: e, notices: notices}})
	if err != nil {
		return nil, err
	}
	for i := range notices {
		if f, ok := facts[notices[i].ScanID]; ok {
			notices[i].learn(f)
		}
	}
	var out []Preview
	for _, id := range keys(k.byID) {
		out = append(out, r.previewRule(k, k.byID[id], tenant, notices, at)...)
	}
	return out, nil
}

// with are the settings with one more rule.
func (k *known) with(extra *Rule) (*known, error) {
	if err := checkSetting(extra); err != nil {
		return nil, err
	}
	s := *k.Settings
	s.Rules = nil
	for _, old := range k.Settings.Rules {
		if old.ID != extra.ID {
			s.Rules = append(s.Rules, old)
		}
	}
	s.Rules = append(s.Rules, *extra)
	c, _ := compile(&s)
	return &known{compiled: c, open: k.open, channels: map[string]opened{}}, nil
}

// only are the settings with no other rule.
func (c *compiled) only(r *rule) *compiled {
	out := *c
	out.rules, out.own = []*rule{r}, nil
	return &out
}

func (r *Router) previewRule(k *known, ru *rule, tenant string, notices []Notice, at time.Time) []Preview {
	base := Preview{Rule: ru.ID, RuleName: ru.Name, User: ru.Owner, Of: len(notices)}
	matched := ru.matched(notices)
	base.Matched = len(matched)
	if len(matched) == 0 {
		base.Why, base.Against = ru.match.why(&notices[0])
		if ru.Owner != "" && !ru.Watch && notices[0].Owner != ru.Owner {
			base.Against = "it is about scans that " + ru.Owner + " submitted"
		}
		return []Preview{base}
	}
	base.Why, _ = ru.match.why(&matched[0])
	if ru.Disabled {
		base.Against = "the rule is disabled"
		return []Preview{base}
	}
	base.Matches = true
	var out []Preview
	in := newIntake(k.only(ru), tenant)
	in.add(notices[0].Event, matched)
	state := &State{Now: at, Done: map[string]bool{}, Inhibitors: map[string]Inhibitor{}}
	seen := map[Target]bool{}
	for _, b := range in.sort(state) {
		if seen[b.target] {
			continue // what is grouped apart looks alike
		}
		seen[b.target] = true
		p := r.planner(state, k, tenant)
		pv := base
		pv.Target, pv.Silenced, pv.Due = b.target, b.silenced, b.rule.due(at, b.hold, b.silenced, b.severity)
		if b.silenced != "" {
			pv.Due = time.Time{}
		}
		p.render = func(d *Delivery, m *Message) {
			k.render(d, m)
			pv.Message, pv.Payload = m, d.Payload
			if d.Status == Dead {
				pv.Problem, pv.Payload = d.Reason, nil
			}
		}
		g := &Group{ID: b.id, Rule: ru.ID, Target: b.target, Key: b.key, Window: at.UnixMicro()}
		p.deliver(g, ru, KindAlert, b.notices, len(b.notices), b.why)
		out = append(out, pv)
	}
	return out
}

// matched are the notices that a rule tells of.
func (r *rule) matched(notices []Notice) []Notice {
	var out []Notice
	for i := range notices {
		if r.match.matches(&notices[i]) && (r.Owner == "" || r.Watch || notices[i].Owner == r.Owner) {
			out = append(out, notices[i])
		}
	}
	return out
}

// Test queues a message of kind test for an endpoint, through the same door as all others,
// and returns its delivery. by says who wants it.
func (r *Router) Test(ctx context.Context, tenant, endpoint, to, by string) (*Delivery, error) {
	var out *Delivery
	err := r.decide(ctx, tenant, func(_ Routes, k *known) (*Work, error) {
		if k.endpoints[endpoint] == nil {
			return nil, fmt.Errorf("endpoint %.80q: %w", endpoint, fault.NotFound)
		}
		return &Work{Revision: k.Revision, Decide: func(s *State) (*Plan, error) {
			at := s.Now
			m := &Message{ID: name("dlv", tenant, "test", endpoint, to, at.Format(time.RFC3339Nano)), Tenant: tenant, Kind: KindTest, At: at, Since: at, To: to,
				Title: "This is a test of the endpoint " + endpoint, Why: []string{by + " asked for a test"}, Rule: "test", GroupKey: name("grp", "test", endpoint, to)}
			d := Delivery{ID: m.ID, Status: Pending, Kind: m.Kind, Rule: m.Rule, Endpoint: endpoint, To: to, Group: m.GroupKey, Window: at.UnixMicro(), Title: m.Title, Due: at, Created: at, Updated: at}
			k.render(&d, m)
			out = &d
			return &Plan{Deliveries: []Delivery{d}}, nil
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
