package timeline

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/event"
)

// Kind says what a reference is to.
type Kind string

// The kinds of references.
const (
	RefImage         Kind = "image"  // by the reference that it was submitted with
	RefDigest        Kind = "digest" // of the image's configuration
	RefScan          Kind = "scan"   // the job's id
	RefVulnerability Kind = "vulnerability"
	RefEnvironment   Kind = "environment"
	RefOwner         Kind = "owner"
	RefPolicy        Kind = "policy"
	RefException     Kind = "exception"
	RefDelivery      Kind = "delivery"
	RefIncident      Kind = "incident"
	RefRule          Kind = "rule"
	RefEndpoint      Kind = "endpoint"
)

// Kinds returns the kinds of references, sorted.
func Kinds() []Kind {
	return []Kind{RefDelivery, RefDigest, RefEndpoint, RefEnvironment, RefException, RefImage, RefIncident, RefOwner, RefPolicy, RefRule, RefScan, RefVulnerability}
}

// Ref is something that an event is about.
type Ref struct {
	Kind  Kind
	Value string
}

// maxValue is how many bytes of a value an index takes.
const maxValue = 255

// Key returns the value as stores index it: one that is too long, or that not every
// engine can keep, stands as its digest.
func (r Ref) Key() string {
	if len(r.Value) > maxValue || strings.ContainsRune(r.Value, 0) {
		return sum.Of([]byte(r.Value))
	}
	return r.Value
}

// about are the members of data that refer to something, whatever the type of the event.
type about struct {
	Job           string            `json:"job_id"`
	Image         string            `json:"image_ref"`
	Digest        string            `json:"image_digest"`
	Owner         string            `json:"owner"`
	Vulnerability string            `json:"vulnerability"`
	Scans         []event.DriftScan `json:"scans"`
	Environment   string            `json:"environment"`
	Policy        string            `json:"policy"`
	Blocking      []string          `json:"blocking"`
	Exception     string            `json:"exception_id"`
	Delivery      string            `json:"delivery_id"`
	Incident      string            `json:"incident"`
	Rule          string            `json:"rule"`
	Endpoint      string            `json:"endpoint"`
}

// refsOf lists what an event of a known type is about. What cannot be read as the type
// says refers to nothing: the event is on the timeline all the same.
func refsOf(e *event.Event) []Ref {
	switch e.Type {
	case event.ScanQueued, event.ScanStarted, event.ScanCompleted, event.ScanFailed, event.ScanCancelled, event.SBOMCreated, event.AdvisoryDrift,
		event.VerdictChanged, event.PolicyActivated, event.ExceptionCreated, event.ExceptionRevoked, event.ExceptionExpired,
		event.NotificationDelivered, event.NotificationFailed, event.NotificationAcknowledged, event.NotificationEscalated, event.EndpointDisabled, event.EndpointEnabled:
	default:
		return nil
	}
	var a about
	if err := json.Unmarshal(e.Data, &a); err != nil {
		return nil
	}
	var out []Ref
	add := func(k Kind, v string) {
		if v != "" {
			out = append(out, Ref{k, v})
		}
	}
	for k, v := range map[Kind]string{RefScan: a.Job, RefImage: a.Image, RefDigest: a.Digest, RefOwner: a.Owner, RefVulnerability: a.Vulnerability, RefEnvironment: a.Environment, RefPolicy: a.Policy,
		RefException: a.Exception, RefDelivery: a.Delivery, RefIncident: a.Incident, RefRule: a.Rule, RefEndpoint: a.Endpoint} {
		add(k, v)
	}
	for _, s := range a.Scans {
		add(RefScan, s.ScanID)
		add(RefImage, s.ImageRef)
		add(RefOwner, s.Owner)
	}
	for _, b := range a.Blocking { // "CVE-2026-1 pkg:npm/x@1"
		id, _, _ := strings.Cut(b, " ")
		add(RefVulnerability, id)
	}
	slices.SortFunc(out, func(a, b Ref) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key(), b.Key())) })
	return slices.CompactFunc(out, func(a, b Ref) bool { return a.Kind == b.Kind && a.Key() == b.Key() })
}
