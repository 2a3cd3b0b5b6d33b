package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

// The bounds of a Posture.
const (
	MaxWorst   = 20  // images that are named
	MaxGaps    = 20  // codes of gaps
	maxBecause = 256 // bytes of a reason
)

// Posture is what holds about all images of a tenant in one environment at one time: of
// each image reference the newest completed scan counts. Open findings are those that the
// verdict which holds did not decide to pass.
type Posture struct {
	At          time.Time `json:"at"`
	Environment string    `json:"environment"`
	// Images is how many there are, Outcomes how many of each outcome; where nothing is
	// decided yet, that is NotAssessed.
	Images   int   `json:"images"`
	Outcomes Tally `json:"outcomes"`
	// Open counts the open findings; the following say how many of them are what.
	Open       int        `json:"open"`
	Severities Severities `json:"severities"`
	Fixable    int        `json:"fixable"`   // a fixed version is known
	Exploited  int        `json:"exploited"` // listed as exploited
	Known      Ages       `json:"known"`
	// NotAssessed are the images with blocking gaps, or matched with no advisories at all;
	// Gaps say why, the most frequent first, at most MaxGaps.
	NotAssessed int        `json:"not_assessed"`
	Gaps        []GapTally `json:"gaps,omitempty"`
	// Uncounted are the images whose findings and gaps are in no number above: nothing is
	// decided about them, the evaluation failed, or an earlier version decided.
	Uncounted int `json:"uncounted"`
	// Worst are images whose outcome does not allow, the worst first, at most MaxWorst.
	Worst []WorstImage `json:"worst,omitempty"`
}

// Severities counts findings by the severity that the report gives them.
type Severities struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	None     int `json:"none"`
	Unknown  int `json:"unknown"`
}

// Ages counts findings by how many whole days (UTC) ago the vulnerability was published.
type Ages struct {
	Week    int `json:"under_7_days"`
	Month   int `json:"under_30_days"`
	Quarter int `json:"under_90_days"`
	Older   int `json:"older"`
	Unknown int `json:"unknown"`
}

// The ages, in days, at which a finding counts as older.
const (
	week    = 7
	month   = 30
	quarter = 90
)

// GapTally counts blocking gaps of one code.
type GapTally struct {
	Code   sbom.GapCode `json:"code"`
	Images int          `json:"images"`
	Gaps   int          `json:"gaps"`
}

// WorstImage is an image whose outcome does not allow.
type WorstImage struct {
	ScanID  string  `json:"scan_id"`
	Image   string  `json:"image_ref"`
	Outcome Outcome `json:"outcome"`
	Because string  `json:"because,omitempty"`
	Blocked int     `json:"blocked"` // findings that block
	// Since is when the outcome or the set of blocking findings became this; zero where
	// nothing is decided.
	Since time.Time `json:"since,omitzero"`
}

// Sample is the part of a Posture that is shown over time.
type Sample struct {
	At         time.Time  `json:"at"`
	Images     int        `json:"images"`
	Outcomes   Tally      `json:"outcomes"`
	Open       int        `json:"open"`
	Severities Severities `json:"severities"`
	Fixable    int        `json:"fixable"`
	Exploited  int        `json:"exploited"`
}

// PostureHistory is what is kept of one environment.
type PostureHistory struct {
	Environment string `json:"environment"`
	// Environments are all of which something is kept, sorted.
	Environments []string `json:"environments"`
	// Newest is nil where nothing is kept.
	Newest *Posture `json:"newest"`
	// Samples are at most MaxSamples, the oldest first, thinned evenly.
	Samples []Sample `json:"samples"`
}

// MaxSamples bounds the samples of a PostureHistory.
const MaxSamples = 1000

// Sample returns the part that is shown over time.
func (p *Posture) Sample() Sample {
	return Sample{At: p.At, Images: p.Images, Outcomes: p.Outcomes, Open: p.Open, Severities: p.Severities, Fixable: p.Fixable, Exploited: p.Exploited}
}

// ImageStanding is what holds about the newest completed scan of an image.
type ImageStanding struct {
	ScanID, Image string
	Outcome       Outcome // "" where nothing is decided
	Because       string
	Blocked       int
	Since         time.Time
	Open          *Open // nil where nobody counted
}

// PostureOf puts together what holds about images in an environment. It is the same for
// the same images in any order.
func PostureOf(environment string, at time.Time, images []ImageStanding) *Posture {
	p := &Posture{At: at.UTC(), Environment: environment, Images: len(images)}
	gaps := map[sbom.GapCode]GapTally{}
	for i := range images {
		s := &images[i]
		outcome := cmp.Or(s.Outcome, NotAssessed)
		*p.Outcomes.of(outcome)++
		if s.Open == nil {
			p.Uncounted++
		} else {
			p.add(s.Open, gaps)
		}
		if !outcome.Allows() {
			p.Worst = append(p.Worst, worstOf(s))
		}
	}
	for _, g := range gaps {
		p.Gaps = append(p.Gaps, g)
	}
	slices.SortFunc(p.Gaps, func(a, b GapTally) int {
		return cmp.Or(cmp.Compare(b.Images, a.Images), cmp.Compare(b.Gaps, a.Gaps), cmp.Compare(a.Code, b.Code))
	})
	p.Gaps = p.Gaps[:min(len(p.Gaps), MaxGaps)]
	slices.SortFunc(p.Worst, func(a, b WorstImage) int {
		return cmp.Or(cmp.Compare(b.Outcome.Rank(), a.Outcome.Rank()), cmp.Compare(b.Blocked, a.Blocked), a.Since.Compare(b.Since), strings.Compare(a.Image, b.Image), strings.Compare(a.ScanID, b.ScanID))
	})
	p.Worst = slices.Clone(p.Worst[:min(len(p.Worst), MaxWorst)])
	return p
}

func worstOf(s *ImageStanding) WorstImage {
	w := WorstImage{ScanID: s.ScanID, Image: s.Image, Outcome: s.Outcome, Because: s.Because, Blocked: s.Blocked, Since: s.Since.UTC()}
	if s.Outcome == "" {
		w.Outcome, w.Because, w.Since = NotAssessed, "nothing is decided about it yet", time.Time{}
	}
	if len(w.Because) > maxBecause {
		w.Because = strings.ToValidUTF8(w.Because[:maxBecause-3], "") + "…"
	}
	return w
}

func (p *Posture) add(o *Open, gaps map[sbom.GapCode]GapTally) {
	p.Open += o.Findings
	p.Severities.add(&o.Severities)
	p.Fixable += o.Fixable
	p.Exploited += o.Exploited
	if o.Unassessed {
		p.NotAssessed++
	}
	for _, g := range o.Gaps {
		all := gaps[g.Code]
		gaps[g.Code] = GapTally{g.Code, all.Images + 1, all.Gaps + g.Count}
	}
	p.Known.Older += o.Older
	p.Known.Unknown += o.Undated
	for _, d := range o.Days {
		switch age := dayOf(p.At) - d.Day; {
		case age < week:
			p.Known.Week += d.Count
		case age < month:
			p.Known.Month += d.Count
		case age < quarter:
			p.Known.Quarter += d.Count
		default:
			p.Known.Older += d.Count
		}
	}
}

// Open counts what a verdict leaves open, so that many can be put together at any later
// time without their findings. Its size does not grow with the findings.
type Open struct {
	Findings   int        `json:"findings"`
	Severities Severities `json:"severities"`
	Fixable    int        `json:"fixable,omitzero"`
	Exploited  int        `json:"exploited,omitzero"`
	// Days are those that were published less than 90 days before the evaluation, by day,
	// sorted; Older the earlier ones, and Undated those without a date.
	Days    []DayCount `json:"days,omitempty"`
	Older   int        `json:"older,omitzero"`
	Undated int        `json:"undated,omitzero"`
	// Unassessed says that there are blocking gaps, or that there was no advisory data;
	// Gaps are the blocking ones by code, sorted.
	Unassessed bool       `json:"unassessed,omitzero"`
	Gaps       []GapCount `json:"gaps,omitempty"`
}

// DayCount counts findings that were published on a day, counted since 1970 (UTC).
type DayCount struct {
	Day   int64 `json:"day"`
	Count int   `json:"count"`
}

// GapCount counts the gaps of one code.
type GapCount struct {
	Code  sbom.GapCode `json:"code"`
	Count int          `json:"count"`
}

func dayOf(t time.Time) int64 {
	s := t.Unix()
	return (s - ((s%86400)+86400)%86400) / 86400
}

// count adds an open finding, as of an evaluation time.
func (o *Open) count(f *finding.Finding, at time.Time) {
	o.Findings++
	*o.Severities.of(f.Severity)++
	if len(f.Fixed) > 0 {
		o.Fixable++
	}
	if f.Exploited != "" {
		o.Exploited++
	}
	published, err := time.Parse(time.RFC3339, f.Published)
	if err != nil {
		o.Undated++
		return
	}
	day := dayOf(published)
	if dayOf(at)-day >= quarter {
		o.Older++
		return
	}
	day = min(day, dayOf(at)) // a date in the future is as new as can be
	i, found := slices.BinarySearchFunc(o.Days, day, func(d DayCount, day int64) int { return cmp.Compare(d.Day, day) })
	if !found {
		o.Days = slices.Insert(o.Days, i, DayCount{Day: day})
	}
	o.Days[i].Count++
}

// gap adds a blocking gap.
func (o *Open) gap(code sbom.GapCode) {
	o.Unassessed = true
	i, found := slices.BinarySearchFunc(o.Gaps, code, func(g GapCount, code sbom.GapCode) int { return cmp.Compare(g.Code, code) })
	if !found {
		o.Gaps = slices.Insert(o.Gaps, i, GapCount{Code: code})
	}
	o.Gaps[i].Count++
}

func (s *Severities) of(of finding.Severity) *int {
	switch of {
	case finding.Critical:
		return &s.Critical
	case finding.High:
		return &s.High
	case finding.Medium:
		return &s.Medium
	case finding.Low:
		return &s.Low
	case finding.None:
		return &s.None
	}
	return &s.Unknown
}

func (s *Severities) add(o *Severities) {
	s.Critical += o.Critical
	s.High += o.High
	s.Medium += o.Medium
	s.Low += o.Low
	s.None += o.None
	s.Unknown += o.Unknown
}
