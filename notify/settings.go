package notify

import "time"

// The bounds of one tenant's settings.
const (
	MaxEndpoints   = 500
	MaxRules       = 1000    // of the tenant
	MaxPreferences = 100_000 // of its users
	MaxTemplates   = 500
	MaxWindows     = 500 // of maintenance
	MaxInhibitions = 200
	MaxSetting     = 64 << 10 // bytes of one as JSON, 256 KiB for a template
	MaxTemplate    = 256 << 10
	MaxID          = 128 // bytes
	MaxTargets     = 20  // of a rule, and of a step
	MaxPatterns    = 100 // of a list in a Match
	MaxSteps       = 5   // of an escalation
)

// Settings are what a tenant wants. A revision is never changed.
type Settings struct {
	// Revision counts every change from 1 on; 0 means that nothing was ever set.
	Revision    int64
	Endpoints   []Endpoint
	Rules       []Rule // the tenant's, and preferences of users
	Templates   []Template
	Windows     []Maintenance
	Inhibitions []Inhibition
}

// Endpoint is a place that a channel reaches. Secrets are named, never held.
type Endpoint struct {
	ID string `json:"id"`
	// Type is the channel's: "slack", "teams", "email", "webhook", "pagerduty",
	// "opsgenie", or one of the embedder's.
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
	// URL is where it is reached, where that is no secret.
	URL string `json:"url,omitempty"`
	// To is the receiver there: a channel, an address.
	To string `json:"to,omitempty"`
	// Secrets are references by their role, such as "token", "url" or "signing"; several
	// of one role, separated by spaces, while one takes over from another.
	Secrets map[string]string `json:"secrets,omitempty"`
	// Options are the channel's own.
	Options map[string]string `json:"options,omitempty"`
	// Pace is the least time between two messages, of form "1s"; "" is the channel's
	// own. It holds over all workers.
	Pace string `json:"pace,omitempty"`
	// Personal are patterns, as in a Match, of the addresses that preferences of users may
	// name: "*@example.com". Empty: a preference goes to To.
	Personal []string `json:"personal,omitempty"`
	// Disabled: nothing is sent; what would be is parked.
	Disabled bool `json:"disabled,omitzero"`
}

// Template renders messages of a channel's type in a tenant's own way.
type Template struct {
	ID string `json:"id"`
	// Type is of the channels that it is for, Name what rules call it by; "" replaces the
	// type's default. Locale is of form "fr" or "pt-BR"; "" is any.
	Type   string `json:"type"`
	Name   string `json:"name,omitempty"`
	Locale string `json:"locale,omitempty"`
	// Parts are texts of templates by the part of a message, such as "subject" and
	// "text"; those that are missing are the default's. See package template.
	Parts map[string]string `json:"parts"`
}

// Maintenance is a time in which alerts about some images are no news.
type Maintenance struct {
	ID    string    `json:"id"`
	Name  string    `json:"name,omitempty"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Match says of what; the zero Match is everything.
	Match Match `json:"match,omitzero"`
	// Suppress: what matches is noted and not sent. Otherwise it is sent when the time
	// is over.
	Suppress bool `json:"suppress,omitzero"`
}

// Inhibition silences alerts that follow from another one: for a while after a notice
// that matches Source, those that match Target and agree with it in all of Equal are
// noted and not sent. What matches Source itself is sent.
type Inhibition struct {
	ID     string  `json:"id"`
	Name   string  `json:"name,omitempty"`
	Source Match   `json:"source"`
	Target Match   `json:"target"`
	Equal  []Field `json:"equal"`
	// For is how long, of form "1h".
	For string `json:"for"`
}

// Field names what two notices may agree in.
type Field string

// The fields.
const (
	FieldImage         Field = "image"
	FieldRepository    Field = "repository"
	FieldNamespace     Field = "namespace"
	FieldScan          Field = "scan"
	FieldVulnerability Field = "vulnerability"
	FieldEnvironment   Field = "environment"
	FieldOwner         Field = "owner"
	FieldEvent         Field = "event"
)

// Takes reports whether a target is one that a rule may tell: a rule of the tenant any, a
// preference only the endpoint's own receiver, and the addresses of Personal.
func (e *Endpoint) Takes(r *Rule, t Target) bool {
	if r.Owner == "" || t.To == "" || t.To == e.To {
		return true
	}
	g, err := parseGlobs(e.Personal)
	return err == nil && len(e.Personal) > 0 && g.match(t.To)
}
