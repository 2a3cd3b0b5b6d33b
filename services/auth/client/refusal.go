package client

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// ErrPending says that the person has not decided yet.
var ErrPending = errors.New("nobody has decided yet")

// Refusal is an answer of an authorization server that gives no token (RFC 6749 §5.2). It
// matches its kind under errors.Is, and ErrPending where it only says to wait.
type Refusal struct {
	Code        string // such as "invalid_grant"; "" where the answer has none
	Description string
	Status      int
	RequestID   string
	RetryAfter  time.Duration // 0 where the server says nothing
	// Skew is how far this machine's clock is ahead of the server's, where that may be why.
	Skew time.Duration
}

// Error says what the server said.
func (e *Refusal) Error() string {
	s := fmt.Sprintf("the authorization server answered %d", e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Description != "" {
		s += ": " + e.Description
	}
	if e.RequestID != "" {
		s += " (request_id " + e.RequestID + ")"
	}
	return s + skewed(e.Skew)
}

// Is reports whether target is the refusal's kind, or ErrPending.
func (e *Refusal) Is(target error) bool {
	if target == ErrPending {
		return e.Code == "authorization_pending" || e.Code == "slow_down"
	}
	return target == error(e.kind())
}

func (e *Refusal) kind() fault.Kind {
	switch e.Code {
	case "invalid_grant", "invalid_client", "expired_token", "invalid_token", "invalid_dpop_proof", "use_dpop_nonce", "login_required":
		return fault.Unauthenticated
	case "access_denied", "unauthorized_client", "invalid_scope", "insufficient_scope", "invalid_target":
		return fault.Forbidden
	case "unsupported_grant_type", "unsupported_response_type", "unsupported_token_type":
		return fault.Unsupported
	case "authorization_pending", "slow_down", "temporarily_unavailable", "server_error":
		return fault.Unavailable
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		return fault.Unauthenticated
	case e.Status == http.StatusForbidden:
		return fault.Forbidden
	case e.Status == http.StatusTooManyRequests || e.Status >= 500 || e.Status < 400:
		return fault.Unavailable
	}
	return fault.Invalid
}

// minSkew is from what difference on clocks are named as a cause: DPoP proofs and
// assertions are commonly taken for a minute or less.
const minSkew = 30 * time.Second

// skew is how far the clock is ahead of who sent an answer, 0 where that is little.
func skew(now time.Time, h http.Header) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	if d := now.Sub(date).Round(time.Second); d >= minSkew || d <= -minSkew {
		return d
	}
	return 0
}

func skewed(d time.Duration) string {
	switch {
	case d > 0:
		return fmt.Sprintf("; the clock of this machine is %s ahead of the server's: set it", d)
	case d < 0:
		return fmt.Sprintf("; the clock of this machine is %s behind the server's: set it", -d)
	}
	return ""
}

// retryAfter reads the seconds of a Retry-After header, at most an hour.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}
