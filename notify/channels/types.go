package channels

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/email"
	"github.com/stella-ops/stella/notify/opsgenie"
	"github.com/stella-ops/stella/notify/pagerduty"
	"github.com/stella-ops/stella/notify/slack"
	"github.com/stella-ops/stella/notify/teams"
	"github.com/stella-ops/stella/notify/template"
	"github.com/stella-ops/stella/notify/webhook"
)

// Type is a type of endpoint.
type Type struct {
	Name string
	// Parts are what templates of the type may replace, with their defaults. Nil: it has
	// no templates.
	Parts []template.Part
}

// Types returns all types, by name.
func Types() []Type {
	var out []Type
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		t := Type{Name: name}
		if parts := kinds[name].parts; parts != nil {
			t.Parts = parts()
		}
		out = append(out, t)
	}
	return out
}

func typeNames() string { return strings.Join(slices.Sorted(maps.Keys(kinds)), ", ") }

// kind is how endpoints of one type are opened.
type kind struct {
	open  func(b *doors, e *notify.Endpoint, templates []notify.Template) (notify.Channel, error)
	parts func() []template.Part
	mail  bool // its URL is a mail server's, which the channel judges itself
}

var kinds = map[string]kind{
	"email": {parts: email.Parts, mail: true, open: func(b *doors, e *notify.Endpoint, t []notify.Template) (notify.Channel, error) {
		return email.Open(e, t, &email.Options{Secret: b.secret, DialContext: b.DialContext, Allow: b.Allow, Now: b.Now, Timeout: b.Timeout})
	}},
	"pagerduty": {parts: pagerduty.Parts, open: func(b *doors, e *notify.Endpoint, t []notify.Template) (notify.Channel, error) {
		return pagerduty.Open(e, t, &pagerduty.Options{Secret: b.secret, Transport: b.Transport, Now: b.Now, Timeout: b.Timeout})
	}},
	"opsgenie": {parts: opsgenie.Parts, open: func(b *doors, e *notify.Endpoint, t []notify.Template) (notify.Channel, error) {
		return opsgenie.Open(e, t, &opsgenie.Options{Secret: b.secret, Transport: b.Transport, Now: b.Now, Timeout: b.Timeout})
	}},
	"teams": {parts: teams.Parts, open: func(b *doors, e *notify.Endpoint, t []notify.Template) (notify.Channel, error) {
		return teams.Open(e, t, &teams.Options{Secret: b.secret, Transport: b.Transport, Now: b.Now, Timeout: b.Timeout})
	}},
	"slack": {parts: slack.Parts, open: func(b *doors, e *notify.Endpoint, t []notify.Template) (notify.Channel, error) {
		return slack.Open(e, t, &slack.Options{Secret: b.secret, Transport: b.Transport, Now: b.Now, Timeout: b.Timeout})
	}},
	"webhook": {open: func(b *doors, e *notify.Endpoint, t []notify.Template) (notify.Channel, error) {
		return webhook.Open(e, t, &webhook.Options{Secret: b.secret, Transport: b.Transport, Now: b.Now, Timeout: b.Timeout})
	}},
}

// Pace is the least time between two messages to an endpoint that does not say: what its
// receiver asks for, or none.
func Pace(e *notify.Endpoint) time.Duration {
	switch e.Type {
	case slack.Type:
		return slack.DefaultPace
	case teams.Type:
		return teams.DefaultPace
	}
	return 0
}
