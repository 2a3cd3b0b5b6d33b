package notifytest

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Random is misbehaviour that follows from a seed and the order of requests: success, 3xx,
// 4xx, 5xx, pauses that are asked for, no answer, broken connections before and after a
// message is taken, and slow answers.
type Random struct {
	Seed uint64
	// Healthy is how many of 100 requests are answered as they should be; 0 is 40.
	Healthy int
	// Slow also lets senders wait: no answers, and slow ones. Each costs the sender's
	// timeout.
	Slow bool
	// Final also answers what ends a delivery for good: 410, and 4xx that a channel does
	// not try again.
	Final bool

	rng *rand.Rand
}

func (r *Random) clone() *Random {
	out := *r
	out.rng = rand.New(rand.NewPCG(r.Seed, 0))
	if out.Healthy == 0 {
		out.Healthy = 40
	}
	return &out
}

func (r *Random) next(now time.Time) Behaviour {
	if r.rng.IntN(100) < r.Healthy {
		return Behaviour{Status: []int{200, 201, 202, 204}[r.rng.IntN(4)]}
	}
	kinds := 5
	if r.Slow {
		kinds = 9
	}
	if r.Final && r.rng.IntN(20) == 0 {
		return Behaviour{Status: []int{400, 401, 404, 410, 413, 422}[r.rng.IntN(6)]}
	}
	switch r.rng.IntN(kinds) {
	case 0:
		return Behaviour{Status: []int{301, 302, 307, 308}[r.rng.IntN(4)], Header: map[string]string{"Location": "https://127.0.0.1:1/elsewhere"}}
	case 1:
		return Behaviour{Status: []int{500, 502, 503, 504}[r.rng.IntN(4)]}
	case 2:
		return r.pause(now)
	case 3:
		return Behaviour{Action: Reset}
	case 4:
		return Behaviour{Action: ResetTaken}
	case 5:
		return Behaviour{Action: Hang}
	case 6:
		return Behaviour{Action: HangTaken}
	case 7:
		return Behaviour{Action: DripHeader}
	}
	return Behaviour{Action: DripBody}
}

// pause asks to be left alone for a second, in one of the forms.
func (r *Random) pause(now time.Time) Behaviour {
	b := Behaviour{Status: []int{408, 425, 429, 503}[r.rng.IntN(4)]}
	switch r.rng.IntN(3) {
	case 0:
		b.Header = map[string]string{"Retry-After": strconv.Itoa(r.rng.IntN(2))}
	case 1:
		b.Header = map[string]string{"Retry-After": now.Add(time.Second).UTC().Format(http.TimeFormat)}
	}
	return b
}
