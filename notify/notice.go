package notify

import (
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/store/event"
)

// Answer says whether something is so. The zero value means that nobody knows, which is
// not the same as no.
type Answer string

// The answers.
const (
	Yes Answer = "yes"
	No  Answer = "no"
)

// Notice is what one event says about one image, or about the tenant: what rules match
// and messages list. Texts are as they came, of any content. It must not be changed once
// others have it.
type Notice struct {
	Event string     `json:"event"` // its id
	Type  event.Type `json:"type"`
	At    time.Time  `json:"at"`

	ScanID string `json:"scan_id,omitempty"`
	Image  string `json:"image,omitempty"` // as it was asked for, such as "ghcr.io/acme/shop:1"
	Digest string `json:"digest,omitempty"`
	// Owner is the subject of the token that submitted the scan.
	Owner  string            `json:"owner,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`

	Vulnerability string           `json:"vulnerability,omitempty"`
	Severity      finding.Severity `json:"severity,omitempty"` // of the worst finding
	Summary       string           `json:"summary,omitempty"`
	Exploited     Answer           `json:"exploited,omitempty"`
	Fixed         Answer           `json:"fixed,omitempty"` // there is a fixed version
	// Cause is why, such as "new" or "kev" of drift, and what the event says of verdicts.
	Cause string `json:"cause,omitempty"`

	Environment string `json:"environment,omitempty"`
	Outcome     string `json:"outcome,omitempty"` // of the verdict
	Before      string `json:"before,omitempty"`  // the outcome before
	Policy      string `json:"policy,omitempty"`
	// Blocking are findings that block, the first of Blocked.
	Blocking []string `json:"blocking,omitempty"`
	Blocked  int      `json:"blocked,omitzero"`

	// Findings counts by severity, of a scan; "" stands for unknown. Nil means that
	// nobody counted.
	Findings map[finding.Severity]int `json:"findings,omitempty"`
	// Assessed says whether there was advisory data.
	Assessed Answer `json:"assessed,omitempty"`
	// Subject names what it is about where that is no image, such as an exception.
	Subject string `json:"subject,omitempty"`
	By      string `json:"by,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// ScanFacts is what a store knows about a scan that its events do not say.
type ScanFacts struct {
	Image, Digest, Owner string
	Labels               map[string]string
	// Severity, Exploited, Fixed and Findings are of the newest report. Findings is nil
	// where there is none.
	Severity         finding.Severity
	Exploited, Fixed Answer
	Findings         map[finding.Severity]int
}
