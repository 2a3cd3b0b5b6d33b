package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

// The bounds of plans.
const (
	MaxPlans    = 1000           // of a tenant
	MaxPlanID   = 64             // bytes
	MaxPatterns = 100            // of images in one selection
	MaxPattern  = 512            // bytes
	MaxJitter   = 24 * time.Hour // the latest after a window that its run begins
	MaxPlan     = 128 << 10      // bytes of a plan as JSON
)

// Kind is what a plan does with what it selects.
type Kind string

// The kinds.
const (
	// Rescan submits another scan of each image, as the newest one was asked for.
	Rescan Kind = "rescan"
	// Evaluate has the newest scan of each image matched with the current head of the
	// advisories, where its newest report is older.
	Evaluate Kind = "evaluate"
	// Watch asks registries where the tags lead, and submits a scan where that is no longer
	// what the newest scan has read.
	Watch Kind = "watch"
)

// CauseSchedule is the cause of evaluations that a plan asks for.
const CauseSchedule = "schedule"

// Plan is what a tenant has scheduled. Its windows are the moments of its cron; each window
// has one run, see [Run].
type Plan struct {
	// ID is 1 to MaxPlanID letters, digits, '-', '_' and '.', not beginning with '.'.
	ID string `json:"id"`
	// Cron and Zone are as [ParseCron] reads them.
	Cron      string    `json:"cron"`
	Zone      string    `json:"zone,omitempty"`
	Kind      Kind      `json:"kind"`
	Selection Selection `json:"selection,omitzero"`
	// Jitter spreads plans: the runs of one begin the same part of so many seconds after
	// their windows, which follows from tenant and id.
	Jitter int `json:"jitter_seconds,omitzero"`
	// Disabled lets its windows pass. It can still be run by request.
	Disabled bool `json:"disabled,omitzero"`
	// Priority of the jobs; nil is scan.DefaultPriority, and for a rescan or an evaluation,
	// for which nobody waits, 2.
	Priority *int `json:"priority,omitempty"`

	// Version changes with each change; it is a number that was never used before for this
	// id, and never lower than an earlier one. By and Updated say who made it and when; Due is when its next run
	// begins, zero for never. A store sets them.
	Version int64     `json:"version,omitzero"`
	By      string    `json:"by,omitempty"`
	Updated time.Time `json:"updated,omitzero"`
	Due     time.Time `json:"due,omitzero"`
}

// Selection chooses images by the newest completed scan of each: an image is a reference and
// a platform, as scans were asked for. The zero value selects all.
type Selection struct {
	// Images are patterns of references, of which one must match; "*" stands for any
	// characters. Empty means all.
	Images []string `json:"images,omitempty"`
	// Labels must all be those of the scan.
	Labels map[string]string `json:"labels,omitempty"`
}

// Match reports whether an image is selected.
func (s *Selection) Match(image string, labels map[string]string) bool {
	for k, v := range s.Labels {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return len(s.Images) == 0 || slices.ContainsFunc(s.Images, func(p string) bool { return matchPattern(p, image) })
}

// matchPattern takes the first place where each text between stars fits, which is never
// worse than a later one: no pattern makes it try again.
func matchPattern(pattern, s string) bool {
	texts := strings.Split(pattern, "*")
	last := len(texts) - 1
	s, ok := strings.CutPrefix(s, texts[0])
	if !ok || last == 0 {
		return ok && s == ""
	}
	if s, ok = strings.CutSuffix(s, texts[last]); !ok {
		return false
	}
	for _, text := range texts[1:last] {
		if _, s, ok = strings.Cut(s, text); !ok {
			return false
		}
	}
	return true
}

// Check reports all that is wrong with a plan at once. The error wraps ErrInvalid.
func (p *Plan) Check() error {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if !IsPlanID(p.ID) {
		bad("id %.80q: want 1 to %d letters, digits, '-', '_' or '.', not beginning with '.'", p.ID, MaxPlanID)
	}
	if _, err := ParseCron(p.Cron, p.Zone); err != nil {
		bad("%v", err)
	}
	if p.Kind != Rescan && p.Kind != Evaluate && p.Kind != Watch {
		bad("kind %.40q: want %s, %s or %s", p.Kind, Rescan, Evaluate, Watch)
	}
	if most := int(MaxJitter / time.Second); p.Jitter < 0 || p.Jitter > most {
		bad("jitter_seconds %d: want 0 to %d", p.Jitter, most)
	}
	if p.Priority != nil && (*p.Priority < scan.MinPriority || *p.Priority > scan.MaxPriority) {
		bad("priority %d: want %d to %d", *p.Priority, scan.MinPriority, scan.MaxPriority)
	}
	if n := len(p.Selection.Images); n > MaxPatterns {
		bad("selection: %d patterns of images, at most %d", n, MaxPatterns)
	}
	control := func(c rune) bool { return unicode.IsControl(c) || c == utf8.RuneError }
	for _, image := range p.Selection.Images {
		if image == "" || len(image) > MaxPattern || strings.ContainsFunc(image, func(c rune) bool { return unicode.IsSpace(c) || control(c) }) {
			bad("selection: image %.80q: want 1 to %d bytes without spaces and control characters", image, MaxPattern)
		}
	}
	if n := len(p.Selection.Labels); n > scan.MaxLabels {
		bad("selection: %d labels, at most %d", n, scan.MaxLabels)
	}
	for k, v := range p.Selection.Labels {
		if k == "" || len(k) > scan.MaxLabelKey || len(v) > scan.MaxLabelValue || strings.ContainsFunc(k+v, control) {
			bad("selection: label %.80q: want a key of 1 to %d bytes and a value of at most %d, without control characters", k, scan.MaxLabelKey, scan.MaxLabelValue)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("plan: %s: %w", strings.Join(wrong, "; "), fault.Invalid)
	}
	return nil
}

// IsPlanID reports whether a plan can be called that.
func IsPlanID(s string) bool {
	return s != "" && len(s) <= MaxPlanID && s[0] != '.' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// priority is that of the jobs.
func (p *Plan) priority() int {
	switch {
	case p.Priority != nil:
		return *p.Priority
	case p.Kind == Watch:
		return scan.DefaultPriority
	}
	return 2
}

// offset is how long after each window the plan's runs begin: the same for every run and
// every process, in whole seconds.
func (p *Plan) offset(tenant string) time.Duration {
	if p.Jitter <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(tenant + "/" + p.ID))
	return time.Duration(binary.BigEndian.Uint64(sum[:])%uint64(p.Jitter+1)) * time.Second
}

// NextDue returns when the first window after a time is due: the window, and when its run
// begins. Both are zero where there is none, as for a plan that is disabled. An error wraps
// ErrInvalid.
func (p *Plan) NextDue(tenant string, after time.Time) (window, due time.Time, err error) {
	c, err := ParseCron(p.Cron, p.Zone)
	if err != nil || p.Disabled {
		return window, due, err
	}
	window, ok := c.Next(after)
	if !ok {
		return time.Time{}, time.Time{}, nil
	}
	return window, window.Add(p.offset(tenant)), nil
}

// LatestDue returns the last window that is due by a time. It is zero where there is none.
// So windows that passed while nobody led have one run together, that of the last.
func (p *Plan) LatestDue(tenant string, by time.Time) (window time.Time, err error) {
	c, err := ParseCron(p.Cron, p.Zone)
	if err != nil || p.Disabled {
		return time.Time{}, err
	}
	window, _ = c.Latest(by.Add(-p.offset(tenant)))
	return window, nil
}
