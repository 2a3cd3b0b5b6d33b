package notify

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

var idForm = regexp.MustCompile(`\A[a-zA-Z0-9][a-zA-Z0-9._-]*\z`)

// Check reads a setting of a kind from JSON and returns it as canonical JSON (RFC 8785):
// what Desk.Set keeps. Unknown members are refused. What only a channel knows (whether an
// endpoint can be reached, and a template parses) is not checked here. An error wraps
// ErrInvalid or ErrLimit and names every problem.
func Check(kind SettingKind, body []byte) ([]byte, error) {
	most := MaxSetting
	if kind == SettingTemplate {
		most = MaxTemplate
	}
	if len(body) > most {
		return nil, &fault.LimitError{What: "bytes", Where: string(kind), Max: int64(most), Seen: int64(len(body))}
	}
	v, err := decodeSetting(kind, body)
	if err != nil {
		return nil, err
	}
	if err := checkSetting(v); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	if r, ok := v.(*Rule); ok && (r.Owner != "") != (kind == SettingPreference) {
		return nil, fmt.Errorf("%s: owner: a preference has one, a rule of the tenant has none: %w", kind, fault.Invalid)
	}
	out, err := encodeSetting(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %v: %w", kind, err, fault.Invalid)
	}
	return out, nil
}

func encodeSetting(v any) ([]byte, error) {
	out, err := json.Marshal(v, json.Deterministic(true))
	if err == nil {
		err = (*jsontext.Value)(&out).Canonicalize()
	}
	return out, err
}

func decodeSetting(kind SettingKind, body []byte) (any, error) {
	var v any
	switch kind {
	case SettingEndpoint:
		v = new(Endpoint)
	case SettingRule, SettingPreference:
		v = new(Rule)
	case SettingTemplate:
		v = new(Template)
	case SettingMaintenance:
		v = new(Maintenance)
	case SettingInhibition:
		v = new(Inhibition)
	default:
		return nil, fmt.Errorf("setting of kind %.40q: %w", kind, fault.Unsupported)
	}
	if err := json.Unmarshal(body, v, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%s: %v: %w", kind, err, fault.Invalid)
	}
	return v, nil
}

// problems collects what is wrong.
type problems []error

func (p *problems) add(member, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s: %w", member, fmt.Sprintf(format, args...), fault.Invalid))
}

func (p *problems) id(member, id string) {
	if len(id) > MaxID || !idForm.MatchString(id) {
		p.add(member, "%.80q: want 1 to %d letters, digits, '-', '_' and '.', the first a letter or digit", id, MaxID)
	}
}

func (p *problems) text(member, s string, most int) {
	if len(s) > most {
		p.add(member, "%d bytes are over the limit of %d", len(s), most)
	}
}

func checkSetting(v any) error {
	var p problems
	switch v := v.(type) {
	case *Endpoint:
		checkEndpoint(&p, v)
	case *Rule:
		checkRule(&p, v)
	case *Template:
		checkTemplate(&p, v)
	case *Maintenance:
		p.id("id", v.ID)
		p.text("name", v.Name, 200)
		if !v.From.Before(v.Until) {
			p.add("until", "it ends before it begins")
		}
		if _, err := v.Match.compile(); err != nil {
			p = append(p, fmt.Errorf("match: %w", err))
		}
	case *Inhibition:
		p.id("id", v.ID)
		p.text("name", v.Name, 200)
		if _, err := v.compile(); err != nil {
			p = append(p, err)
		}
	}
	return errors.Join(p...)
}

func checkEndpoint(p *problems, e *Endpoint) {
	p.id("id", e.ID)
	p.id("type", e.Type)
	p.text("name", e.Name, 200)
	p.text("url", e.URL, 2048)
	p.text("to", e.To, 2048)
	if len(e.Secrets) > 16 || len(e.Options) > 32 {
		p.add("secrets, options", "at most 16 and 32")
	}
	for _, role := range sortedKeys(e.Secrets) {
		p.id("secrets", role)
		p.text("secrets."+role, e.Secrets[role], 1024)
	}
	for _, name := range sortedKeys(e.Options) {
		p.id("options", name)
		p.text("options."+name, e.Options[name], 4096)
	}
	if _, err := parseGlobs(e.Personal); err != nil {
		p.add("personal", "%v", err)
	}
	if e.Pace != "" {
		if _, err := duration("pace", e.Pace, 0, maxPace); err != nil {
			*p = append(*p, err)
		}
	}
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func checkRule(p *problems, r *Rule) {
	if id, ok := strings.CutPrefix(r.ID, "user/"); r.Owner != "" {
		if !ok || r.ID != PreferenceID(r.Owner, first(r.To).Endpoint) || len(r.ID) > 600 {
			p.add("id", "%.80q: a preference is called user/USER/ENDPOINT", id)
		}
		if len(r.To) != 1 || len(r.Escalation) > 0 {
			p.add("to", "a preference has one target, and no escalation")
		}
		p.text("owner", r.Owner, 256)
	} else {
		p.id("id", r.ID)
	}
	p.text("name", r.Name, 200)
	p.targets("to", r.To)
	groups := append([]Field{"", GroupNone, GroupRule}, equalFields...)
	if !slices.Contains(groups, r.GroupBy) {
		p.add("group_by", "%.40q: want %s", r.GroupBy, or(groups[1:]))
	}
	if r.Burst < 0 || r.Burst > 1000 {
		p.add("burst", "%d: want 1 to 1000", r.Burst)
	}
	if len(r.Escalation) > MaxSteps {
		p.add("escalation", "%d steps are over the limit of %d", len(r.Escalation), MaxSteps)
	}
	for _, s := range r.Escalation {
		p.targets("escalation.to", s.To)
	}
	p.text("template", r.Template, MaxID)
	p.text("locale", r.Locale, 35)
	if _, err := r.compile(); err != nil {
		*p = append(*p, err)
	}
}

func first(list []Target) Target {
	if len(list) == 0 {
		return Target{}
	}
	return list[0]
}

// PreferenceID is the id of a user's preference for an endpoint.
func PreferenceID(user, endpoint string) string { return "user/" + user + "/" + endpoint }

func (p *problems) targets(member string, list []Target) {
	if len(list) == 0 || len(list) > MaxTargets {
		p.add(member, "%d targets: want 1 to %d", len(list), MaxTargets)
	}
	for i, t := range list {
		p.id(member+".endpoint", t.Endpoint)
		p.text(member+".to", t.To, 1024)
		if slices.Contains(list[:i], t) {
			p.add(member, "%.80q is there twice", t.Endpoint)
		}
	}
}

func checkTemplate(p *problems, t *Template) {
	p.id("id", t.ID)
	p.id("type", t.Type)
	if t.Name != "" {
		p.id("name", t.Name)
	}
	if t.Locale != "" && !localeForm.MatchString(t.Locale) {
		p.add("locale", "%.40q: want a form such as \"fr\" or \"pt-BR\"", t.Locale)
	}
	if len(t.Parts) == 0 {
		p.add("parts", "there are none")
	}
	for _, name := range sortedKeys(t.Parts) {
		p.id("parts", name)
	}
}

var localeForm = regexp.MustCompile(`\A[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?\z`)

// Read decodes what Check returned, and adds it to settings: Settings of rows that a store
// keeps.
func (s *Settings) Read(kind SettingKind, body []byte) error {
	v, err := decodeSetting(kind, body)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *Endpoint:
		s.Endpoints = append(s.Endpoints, *v)
	case *Rule:
		s.Rules = append(s.Rules, *v)
	case *Template:
		s.Templates = append(s.Templates, *v)
	case *Maintenance:
		s.Windows = append(s.Windows, *v)
	case *Inhibition:
		s.Inhibitions = append(s.Inhibitions, *v)
	}
	return nil
}
