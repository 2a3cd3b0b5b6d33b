package scan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of a job's priority. A higher one is released first.
const (
	MinPriority     = 0
	DefaultPriority = 5
	MaxPriority     = 9
)

// The bounds of what a request may carry, in bytes and in number.
const (
	MaxReference = 1024
	MaxKey       = 255
	MaxFormats   = 16
	MaxReason    = 4096
	// Of what a registry is asked with.
	MaxAuthorization = 16 << 10
	// Of labels.
	MaxLabels     = 64
	MaxLabelKey   = 128
	MaxLabelValue = 512
)

// Request asks for a scan.
type Request struct {
	// Image is a reference as [image.Open] of package scan/image understands
	// it. A service accepts those of registries only.
	Image string `json:"image_ref"`
	// Platform is os/architecture[/variant], or "" for the default.
	Platform string `json:"platform,omitempty"`
	// Formats are the documents to keep beside the neutral one, such as
	// "spdx-json", sorted and without repetition after Normalize.
	Formats []string `json:"formats,omitempty"`
	// Priority is MinPriority to MaxPriority. Nil means DefaultPriority.
	Priority *int `json:"priority,omitempty"`
	// StoreLayers asks for an archive of the image's layers.
	StoreLayers bool `json:"store_layers,omitzero"`
	// Labels are the submitter's own, such as team=payments: rules of notifications
	// match them. At most MaxLabels; a key has 1 to MaxLabelKey bytes without spaces and
	// control characters, a value at most MaxLabelValue without control characters.
	Labels map[string]string `json:"labels,omitempty"`
	// Owner is the subject of the token that asks. It is never read from a body.
	Owner string `json:"owner,omitempty"`
	// SBOM, where it is set, is what the scan is of instead of an image: an SBOM among
	// the tenant's objects. Image is then a name for people, such as shop@1.4, and may
	// have spaces; Platform, StoreLayers, PlainHTTP and Authorization must not be set.
	SBOM *Object `json:"sbom,omitempty"`
	// Project, with SBOM, is what the document is of, for clients that speak of
	// projects; see [Projects].
	Project *ProjectName `json:"project,omitempty"`
	// PlainHTTP says that the registry is spoken to without encryption.
	PlainHTTP bool `json:"plain_http,omitzero"`
	// Authorization is the header of that name for the image's registry, "Basic …" or
	// "Bearer …" (RFC 9110 §11.6.2), at most MaxAuthorization bytes. It is secret: it is no
	// part of the request's JSON and Hash, and a store keeps it sealed, for the worker alone,
	// until the worker is done.
	Authorization Secret `json:"-"`
}

// Normalize sorts the formats and fills in the priority, and reports all that
// is wrong with the request at once. The error wraps ErrInvalid.
func (r *Request) Normalize() error {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	switch {
	case r.Image == "":
		bad("image_ref: missing")
	case len(r.Image) > MaxReference:
		bad("image_ref: %d bytes, at most %d", len(r.Image), MaxReference)
	case r.SBOM == nil && strings.ContainsFunc(r.Image, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '\ufffd' }):
		bad("image_ref: %.80q has spaces or control characters", r.Image)
	case r.SBOM != nil && (strings.ContainsFunc(r.Image, isControl) || strings.TrimSpace(r.Image) != r.Image):
		bad("image_ref: %.80q has control characters, or spaces around it", r.Image)
	}
	if len(r.Platform) > 100 || strings.ContainsFunc(r.Platform, func(c rune) bool { return c <= ' ' || c > '~' }) {
		bad("platform: %.80q is not os/architecture[/variant]", r.Platform)
	}
	r.Formats = slices.Clone(r.Formats)
	slices.Sort(r.Formats)
	r.Formats = slices.Compact(r.Formats)
	if len(r.Formats) > MaxFormats {
		bad("formats: %d, at most %d", len(r.Formats), MaxFormats)
	}
	for _, f := range r.Formats {
		if f == "" || len(f) > 64 || strings.ContainsFunc(f, func(c rune) bool { return c <= ' ' || c > '~' || c == '/' }) {
			bad("formats: %.80q is not the name of a format", f)
		}
	}
	if r.Priority == nil {
		p := DefaultPriority
		r.Priority = &p
	}
	r.checkSubject(bad)
	if *r.Priority < MinPriority || *r.Priority > MaxPriority {
		bad("priority: %d, want %d to %d", *r.Priority, MinPriority, MaxPriority)
	}
	if len(r.Owner) > MaxReference {
		bad("owner: %d bytes, at most %d", len(r.Owner), MaxReference)
	}
	if len(r.Labels) > MaxLabels {
		bad("labels: %d, at most %d", len(r.Labels), MaxLabels)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		if k == "" || len(k) > MaxLabelKey || strings.ContainsFunc(k, func(c rune) bool { return unicode.IsSpace(c) || isControl(c) }) {
			bad("labels: %.80q is not a key: want 1 to %d bytes without spaces and control characters", k, MaxLabelKey)
		}
		if v := r.Labels[k]; len(v) > MaxLabelValue || strings.ContainsFunc(v, isControl) {
			bad("labels: the value of %.80q: want at most %d bytes without control characters", k, MaxLabelValue)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("scan request: %s: %w", strings.Join(wrong, "; "), fault.Invalid)
	}
	return nil
}

// Hash returns the digest of the normalised request as canonical JSON: it tells
// a repetition from another request under the same idempotency key.
func (r *Request) Hash() (string, error) {
	b, err := canonical(r)
	if err != nil {
		return "", fmt.Errorf("scan request: %w", err)
	}
	return "sha256:" + hexDigest(string(b)), nil
}

// Job is a scan as the store knows it.
type Job struct {
	ID       string `json:"job_id"` // "scan-…", also the scan's id
	Tenant   string `json:"-"`
	State    State  `json:"status"`
	Image    string `json:"image_ref"`
	Platform string `json:"platform,omitempty"`
	Owner    string `json:"owner,omitempty"`
	Priority int    `json:"priority"`
	// Attempt counts claims from 1; 0 before the first.
	Attempt int `json:"attempt"`
	// Reason says why the job is in its state where that needs saying; Causes
	// are those of earlier attempts, oldest first.
	Reason string   `json:"reason,omitempty"`
	Causes []string `json:"causes,omitempty"`
	// Created and Updated are by the store's clock, in UTC.
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	// Holds is the worst outcome that holds about the job now, in any environment: what
	// Summary has is the one that it completed with. Lists say it; "" where nobody decided.
	Holds string `json:"outcome_now,omitempty"`
	// Progress is how far the attempt is while the job is running, by layer; empty where
	// nobody has said so yet.
	Progress []LayerProgress `json:"progress,omitempty"`
	// Summary is set once results are stored.
	Summary *Summary `json:"summary,omitempty"`
}

// Summary says in numbers and digests what a scan found.
type Summary struct {
	ImageDigest string `json:"image_digest,omitempty"` // of the image's configuration
	SBOMDigest  string `json:"sbom_digest"`            // of the neutral document
	Packages    int    `json:"packages"`
	Findings    int    `json:"findings"`
	Gaps        int    `json:"gaps,omitzero"`
	Blocked     bool   `json:"blocked,omitzero"` // something that matters was not assessed
	// Snapshot is the digest of the advisory data. "" means not assessed.
	Snapshot string `json:"advisory_snapshot,omitempty"`
	// At is the evaluation time: when the results were stored, by the store's
	// clock. Every later step uses it.
	At       time.Time `json:"evaluated_at"`
	Outcome  string    `json:"outcome,omitempty"`
	Verdict  string    `json:"verdict,omitempty"` // digest
	Unsigned bool      `json:"unsigned,omitzero"` // a signature was due and is missing
}

// Manifest is what a scan was asked to do and later ran on. Its canonical JSON
// (RFC 8785) is kept with the job.
type Manifest struct {
	JobID       string   `json:"job_id"`
	Reference   string   `json:"reference"`
	Platform    string   `json:"platform,omitempty"`
	Formats     []string `json:"formats,omitempty"`
	StoreLayers bool     `json:"store_layers,omitzero"`
	Owner       string   `json:"owner,omitempty"`
	// Labels are the request's.
	Labels map[string]string `json:"labels,omitempty"`
	// Name is the request's Image where an SBOM is scanned, which SBOM says where it is.
	// Reference is then "sbom:" and its digest.
	Name string  `json:"name,omitempty"`
	SBOM *Object `json:"sbom,omitempty"`
	// PlainHTTP is the request's.
	PlainHTTP bool `json:"plain_http,omitzero"`
	// Credential says that the request came with an Authorization. The value is not here.
	Credential bool `json:"credential,omitzero"`
	// Resolved is the digest that the reference stood for at the first attempt;
	// later attempts read that one.
	Resolved string `json:"resolved,omitempty"`
	// Inputs are digests and versions by name, such as "advisories" and
	// "analyzers", known after completion.
	Inputs map[string]string `json:"inputs,omitempty"`
}

// Encode returns the canonical JSON.
func (m *Manifest) Encode() ([]byte, error) { return canonical(m) }

// DecodeManifest reads the canonical JSON. An error wraps ErrInvalid.
func DecodeManifest(b []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("scan manifest: %v: %w", err, fault.Invalid)
	}
	return m, nil
}

func canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err == nil {
		err = (*jsontext.Value)(&b).Canonicalize()
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	return b, nil
}
