package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestPostureOf: the order of images does not matter, what is named is bounded, and what
// was published becomes older without another decision.
func TestPostureOf(t *testing.T) {
	at := time.Date(2026, 7, 1, 1, 0, 0, 0, time.UTC)
	day := at.Unix() / 86400
	var images []policy.ImageStanding
	for i := range 60 {
		s := policy.ImageStanding{ScanID: fmt.Sprint("scan-", i), Image: fmt.Sprint("image-", i), Outcome: []policy.Outcome{policy.Pass, policy.Block, ""}[i%3], Blocked: i % 5, Because: strings.Repeat("ü", 300), Since: at.Add(-time.Duration(i%7) * time.Hour)}
		if s.Outcome != "" {
			s.Open = &policy.Open{Findings: 2, Severities: policy.Severities{High: 2}, Days: []policy.DayCount{{Day: day - 6, Count: 1}, {Day: day, Count: 1}}, Unassessed: i%4 == 0}
			for g := range i % 30 {
				s.Open.Gaps = append(s.Open.Gaps, policy.GapCount{Code: sbom.GapCode(fmt.Sprint("gap-", g)), Count: 1})
			}
		}
		images = append(images, s)
	}
	want := policy.PostureOf("production", at, images)
	if want.Images != 60 || want.Outcomes != (policy.Tally{Pass: 20, Block: 20, NotAssessed: 20}) || want.Open != 80 || want.Uncounted != 20 || want.NotAssessed != 10 || len(want.Worst) != policy.MaxWorst || len(want.Gaps) != policy.MaxGaps {
		t.Errorf("%+v", want)
	}
	for i, w := range want.Worst {
		if w.Outcome != policy.Block || len(w.Because) > 256 || !strings.HasSuffix(w.Because, "ü…") || i > 0 && w.Blocked > want.Worst[i-1].Blocked {
			t.Errorf("worst %d: %+v", i, w)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		shuffled := slices.Clone(images)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, policy.PostureOf("production", at, shuffled)); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
	}
	for days, ages := range map[int]policy.Ages{0: {Week: 80}, 1: {Week: 40, Month: 40}, 7: {Month: 80}, 24: {Month: 40, Quarter: 40}, 84: {Quarter: 40, Older: 40}, 90: {Older: 80}} {
		if got := policy.PostureOf("production", at.AddDate(0, 0, days), images).Known; got != ages {
			t.Errorf("after %d days: %+v, want %+v", days, got, ages)
		}
	}
	if empty := policy.PostureOf("", at, nil); empty.Images != 0 || empty.Worst != nil || empty.Gaps != nil {
		t.Errorf("without an image: %+v", empty)
	}
}
