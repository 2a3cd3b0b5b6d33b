package chat

import (
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// Fact is one thing to know about a notice.
type Fact struct{ Name, Value string }

// maxFact bounds a value, in characters.
const maxFact = 300

// Facts returns what is known about a notice, each on one line, and how many of them were
// cut.
func Facts(n *notify.Notice) (out []Fact, cut int) {
	var c cutter
	add := func(name, value string) {
		if v := c.line(value, maxFact); v != "" {
			out = append(out, Fact{name, v})
		}
	}
	add("Image", n.Image)
	add("About", n.Subject)
	add("Vulnerability", n.Vulnerability)
	if n.Vulnerability != "" {
		add("Severity", severity(n))
		add("Cause", c.cause(n.Cause))
	}
	if n.Vulnerability != "" || n.Type == event.ScanCompleted {
		add("Exploited", yesNo(n.Exploited))
		add("Fix available", yesNo(n.Fixed))
	}
	add("Environment", n.Environment)
	if n.Before != "" && n.Outcome != "" && n.Before != n.Outcome {
		add("Verdict", n.Before+" → "+n.Outcome)
	} else {
		add("Verdict", n.Outcome)
	}
	add("Blocked by", Blocking(n))
	add("Policy", n.Policy)
	if n.Type == event.ScanCompleted {
		add("Findings", Findings(n))
	}
	add("By", n.By)
	add("Reason", n.Reason)
	add("Submitted by", n.Owner)
	add("Digest", n.Digest)
	return out, c.cut
}

func severity(n *notify.Notice) string {
	if n.Severity == finding.Unknown {
		return "unknown"
	}
	return string(n.Severity)
}

// yesNo shows nothing where nobody knows: an empty field is no answer.
func yesNo(a notify.Answer) string {
	switch a {
	case notify.Yes:
		return "yes"
	case notify.No:
		return "no"
	}
	return ""
}
