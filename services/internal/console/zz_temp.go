package console

import (
	"context"
	"time"

	"github.com/stella-ops/stella/policy"
)

type severities struct{ Critical, High, Medium, Low, None, Unknown int }
type posture struct {
	At                         time.Time
	Images, Fixable, Exploited int
	NotAssessed                int
	Outcomes                   policy.Tally
	Severities                 severities
	Known                      struct{ Week, Month, Quarter, Older, Unknown int }
	Gaps                       []struct {
		Code   string
		Images int
	}
	Worst []struct {
		ScanID, Image, Because string
		Outcome                policy.Outcome
		Since                  time.Time
	}
}
type sample struct {
	At         time.Time
	Outcomes   policy.Tally
	Severities severities
}
type postureHistory struct {
	Newest  *posture
	Samples []sample
}

func tempPosture(ctx context.Context, env string, since time.Time) (*postureHistory, error) {
	return &postureHistory{}, nil
}
