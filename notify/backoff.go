package notify

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Backoff says when the next attempt is due. The zero value is the default: 2 s, doubled
// each time, at most 5 min, 5 attempts.
type Backoff struct {
	Base, Max time.Duration
	Attempts  int
}

// The defaults of Backoff, and the spread of its delays.
const (
	DefaultBase     = 2 * time.Second
	DefaultMax      = 5 * time.Minute
	DefaultAttempts = 5
	// MaxAfter is the longest pause that a receiver may ask for. What asks for more is
	// parked, never sent earlier.
	MaxAfter = 24 * time.Hour
	// Spread is how far a delay may be from its middle, in parts of a thousand.
	Spread = 200
)

func (b Backoff) base() time.Duration { return positive(b.Base, DefaultBase) }
func (b Backoff) max() time.Duration  { return positive(b.Max, DefaultMax) }

// MaxAttempts is how often a delivery is tried.
func (b Backoff) MaxAttempts() int {
	if b.Attempts > 0 {
		return b.Attempts
	}
	return DefaultAttempts
}

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// After is how long to wait after the attempt of that number, from 1 on, of a delivery. It
// follows from both alone, and is spread evenly over ±20 % of the doubled base: the
// schedule of a delivery is the same everywhere and at any time, and those of many are not
// at once.
func (b Backoff) After(delivery string, attempt int) time.Duration {
	d, most := b.base(), b.max()
	for i := 1; i < attempt && d < most; i++ {
		d *= 2
	}
	d = min(d, most)
	return d + Jitter(delivery, attempt, d)
}

// Jitter spreads a duration: it is between -20 % and +20 % of it, in microseconds, and
// follows from its arguments alone.
func Jitter(delivery string, attempt int, d time.Duration) time.Duration {
	h := sha256.New()
	h.Write([]byte("stella/notify/jitter\x00"))
	h.Write([]byte(delivery))
	h.Write([]byte{0})
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(attempt)))
	n := binary.BigEndian.Uint64(h.Sum(nil))
	width := uint64(d/time.Microsecond) * 2 * Spread / 1000
	if width == 0 {
		return 0
	}
	return time.Duration(n%(width+1))*time.Microsecond - time.Duration(width/2)*time.Microsecond
}

// The circuit of an endpoint: after CircuitAfter failures in a row nothing is sent for
// Cooldown, then one delivery tries.
const (
	CircuitAfter = 5
	cooldown     = 30 * time.Second
)

// Cooldown is how long an endpoint rests after that many failures in a row: 0 before
// CircuitAfter, then 30 s, doubled with each further failure, at most 5 min.
func Cooldown(failures int) time.Duration {
	if failures < CircuitAfter {
		return 0
	}
	d := cooldown
	for i := CircuitAfter; i < failures && d < DefaultMax; i++ {
		d *= 2
	}
	return min(d, DefaultMax)
}
