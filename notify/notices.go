package notify

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/event"
)

// Types are the events that a Router reads: what to register its group with.
func Types() []event.Type {
	return []event.Type{
		event.ScanQueued, event.ScanStarted, event.ScanCompleted, event.ScanFailed, event.ScanCancelled,
		event.AdvisoryDrift,
		event.VerdictChanged, event.PolicyActivated, event.ExceptionCreated, event.ExceptionRevoked, event.ExceptionExpired,
	}
}

// defaultTypes are those that people are told of without asking for them.
var defaultTypes = []event.Type{event.ScanCompleted, event.ScanFailed, event.AdvisoryDrift, event.VerdictChanged}

// Notices reads an event as notices, one for each image that it concerns, in its order.
// Events of other types than Types have none. An error wraps ErrInvalid.
func Notices(e *event.Event) ([]Notice, error) {
	base := Notice{Event: e.ID, Type: e.Type, At: e.Time}
	switch e.Type {
	case event.ScanQueued, event.ScanStarted, event.ScanCompleted, event.ScanFailed, event.ScanCancelled:
		return scanNotices(e, base)
	case event.AdvisoryDrift:
		return driftNotices(e, base)
	case event.VerdictChanged:
		return verdictNotices(e, base)
	case event.PolicyActivated, event.ExceptionCreated, event.ExceptionRevoked, event.ExceptionExpired:
		return policyNotices(e, base)
	}
	return nil, nil
}

func scanNotices(e *event.Event, n Notice) ([]Notice, error) {
	d, err := event.DecodeScan(e)
	if err != nil {
		return nil, err
	}
	n.ScanID, n.Image, n.Digest, n.Owner, n.Outcome, n.Reason = d.JobID, imageName(d.ImageRef), d.Digest, d.Owner, d.Outcome, d.Reason
	if e.Type == event.ScanCompleted {
		n.Assessed = Answer(event.Answer(d.Snapshot != ""))
	}
	return []Notice{n}, nil
}

func driftNotices(e *event.Event, n Notice) ([]Notice, error) {
	d, err := event.DecodeDrift(e)
	if err != nil {
		return nil, err
	}
	if len(d.Scans) > event.MaxScans {
		return nil, &fault.LimitError{What: "scans", Where: "event " + e.ID, Max: event.MaxScans, Seen: int64(len(d.Scans))}
	}
	n.Vulnerability, n.Cause, n.Summary = d.Vulnerability, d.Cause, d.Summary
	n.Severity, _ = finding.ParseSeverity(d.Severity)
	n.Exploited, n.Fixed = answerOf(d.Exploited), answerOf(d.Fixed)
	if d.Cause == "kev" {
		n.Exploited = Yes
	}
	if d.Cause == "fix_available" {
		n.Fixed = Yes
	}
	out := make([]Notice, len(d.Scans))
	for i, s := range d.Scans {
		out[i] = n
		out[i].ScanID, out[i].Image, out[i].Owner = s.ScanID, imageName(s.ImageRef), s.Owner
	}
	return out, nil
}

func verdictNotices(e *event.Event, n Notice) ([]Notice, error) {
	d, err := event.DecodeVerdictChange(e)
	if err != nil {
		return nil, err
	}
	n.ScanID, n.Image, n.Owner = d.JobID, imageName(d.ImageRef), d.Owner
	n.Environment, n.Outcome, n.Before, n.Policy, n.Cause, n.Reason = d.Environment, d.Outcome, d.Before, d.Policy, d.Cause, d.Because
	n.Blocking, n.Blocked = d.Blocking, d.Blocked
	return []Notice{n}, nil
}

func policyNotices(e *event.Event, n Notice) ([]Notice, error) {
	if e.Type == event.PolicyActivated {
		d, err := event.DecodeActivation(e)
		if err != nil {
			return nil, err
		}
		n.Environment, n.Policy, n.By, n.Reason = d.Environment, d.Policy, d.By, d.Reason
		if d.Policy != "" {
			n.Subject = fmt.Sprintf("%s version %d", d.Policy, d.Version)
		}
		return []Notice{n}, nil
	}
	d, err := event.DecodeExceptionChange(e)
	if err != nil {
		return nil, err
	}
	n.Subject, n.Owner, n.By, n.Reason, n.Outcome = d.ID, d.Owner, d.By, d.Reason, d.Effect
	return []Notice{n}, nil
}

func answerOf(s string) Answer {
	if a := Answer(s); a == Yes || a == No {
		return a
	}
	return ""
}

// imageName is a reference as people write it: without the scheme that says where it is
// read from.
func imageName(ref string) string {
	if _, name, ok := strings.Cut(ref, "://"); ok {
		return name
	}
	return ref
}

// repository is an image's name without tag and digest.
func repository(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}

// namespace is the path of the repository without its last element and its registry:
// "acme/shop" of "ghcr.io/acme/shop/web:1", "" of "alpine".
func namespace(image string) string {
	parts := strings.Split(repository(image), "/")
	if len(parts) > 1 && (strings.ContainsAny(parts[0], ".:") || parts[0] == "localhost") {
		parts = parts[1:]
	}
	return strings.Join(parts[:max(len(parts)-1, 0)], "/")
}

// learn adds what a store knows about the notice's scan.
func (n *Notice) learn(f ScanFacts) {
	n.Labels = f.Labels
	if n.Image == "" {
		n.Image = imageName(f.Image)
	}
	if n.Digest == "" {
		n.Digest = f.Digest
	}
	if n.Owner == "" {
		n.Owner = f.Owner
	}
	if n.Type == event.ScanCompleted {
		n.Severity, n.Exploited, n.Fixed, n.Findings = f.Severity, f.Exploited, f.Fixed, f.Findings
	}
}
