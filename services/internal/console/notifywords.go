package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/notify"
)

// says is what a setting of the kind means, in words: its name, whether it is off, and a
// sentence for each part of it.
func (k *settingKind) says(body jsontext.Value) (name string, off bool, words []string) {
	switch k.Path {
	case "endpoints":
		e := decoded[notify.Endpoint](body)
		return e.Name, e.Disabled, endpointWords(e)
	case "rules":
		r := decoded[notify.Rule](body)
		return r.Name, r.Disabled, ruleWords(r)
	case "templates":
		t := decoded[notify.Template](body)
		say := "For " + t.Type + " messages"
		if t.Locale != "" {
			say += " in " + t.Locale
		}
		return t.Name, false, []string{say + ": " + strings.Join(slices.Sorted(maps.Keys(t.Parts)), ", ") + "."}
	case "maintenance":
		m := decoded[notify.Maintenance](body)
		then := "What comes meanwhile is sent afterwards"
		if m.Suppress {
			then = "What comes meanwhile is noted and not sent"
		}
		return m.Name, false, []string{"From " + when(m.From) + " until " + when(m.Until) + ".", "About " + matchWords(&m.Match) + ".", then + "."}
	case "inhibitions":
		i := decoded[notify.Inhibition](body)
		return i.Name, false, []string{"For " + i.For + " after " + matchWords(&i.Source) + ",", "nothing is sent of " + matchWords(&i.Target) + " where these are the same: " + join(i.Equal, ", ") + "."}
	}
	return "", false, nil
}

func join[T ~string](list []T, between string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return strings.Join(out, between)
}

func endpointWords(e *notify.Endpoint) []string {
	say := "By " + e.Type
	if e.URL != "" {
		say += " at " + e.URL
	}
	if e.To != "" {
		say += " to " + e.To
	}
	out := []string{say + "."}
	if len(e.Secrets) > 0 {
		var list []string
		for _, role := range slices.Sorted(maps.Keys(e.Secrets)) {
			list = append(list, role+" of "+e.Secrets[role])
		}
		out = append(out, "With the secrets "+strings.Join(list, ", ")+".")
	}
	if e.Pace != "" {
		out = append(out, "One message in "+e.Pace+" at most.")
	}
	if len(e.Personal) > 0 {
		out = append(out, "Preferences of people may name "+strings.Join(e.Personal, ", ")+".")
	}
	return out
}

func targetWords(list []notify.Target) string {
	var out []string
	for _, t := range list {
		say := t.Endpoint
		if t.To != "" {
			say += " (" + t.To + ")"
		}
		out = append(out, say)
	}
	if len(out) == 0 {
		return "nobody"
	}
	return strings.Join(out, ", ")
}

// ruleWords says who hears of what, when.
func ruleWords(r *notify.Rule) []string {
	out := []string{"Tells " + targetWords(r.To) + ".", "Of " + matchWords(&r.Match) + "."}
	switch r.Digest {
	case "", "instant":
		say := "At once"
		if r.Throttle != "" {
			say += ", then together every " + r.Throttle
		}
		out = append(out, say+".")
	case "1d":
		at := r.DigestAt
		if at == "" {
			at = notify.DefaultDigestAt
		}
		out = append(out, "Once a day at "+at+" "+zoneWords(r.Zone)+".")
	default:
		out = append(out, "Together every "+r.Digest+".")
	}
	if r.GroupBy != "" {
		out = append(out, "What has the same "+string(r.GroupBy)+" is one message.")
	}
	if q := r.Quiet; q != nil {
		say := "Not from " + q.From + " to " + q.To + " " + zoneWords(r.Zone)
		if len(q.Days) > 0 {
			say += " on " + strings.Join(q.Days, ", ")
		}
		if q.Except != "" {
			say += ", but for what is " + string(q.Except) + " at least"
		}
		out = append(out, say+".")
	}
	for _, s := range r.Escalation {
		out = append(out, "Where nobody takes note within "+s.After+": tells "+targetWords(s.To)+".")
	}
	if r.Template != "" {
		out = append(out, "By the template "+r.Template+".")
	}
	return out
}

func zoneWords(zone string) string {
	if zone == "" {
		return "UTC"
	}
	return zone
}

// matchWords says which events.
func matchWords(m *notify.Match) string {
	what := "completed and failed scans, drift of advisories and changes of verdicts"
	if len(m.Types) > 0 {
		what = join(m.Types, ", ")
	}
	var only []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			only = append(only, fmt.Sprintf(format, args...))
		}
	}
	list := func(name string, values []string) {
		add(len(values) > 0, "%s %s", name, strings.Join(values, ", "))
	}
	add(m.Severity != "", "severity %s at least", m.Severity)
	add(m.Exploited, "exploited")
	add(m.Fixed, "with a fix")
	list("images", m.Images)
	list("namespaces", m.Namespaces)
	list("vulnerabilities", m.Vulnerabilities)
	for _, name := range slices.Sorted(maps.Keys(m.Labels)) {
		only = append(only, "label "+name+" "+m.Labels[name])
	}
	list("causes", m.Causes)
	list("environments", m.Environments)
	list("outcomes", m.Outcomes)
	add(m.Verdict != "", "verdict %s", m.Verdict)
	add(m.When != "", "when %s", m.When)
	if len(only) == 0 {
		return what
	}
	return what + ": " + strings.Join(only, "; ")
}
