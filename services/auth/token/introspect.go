package token

import (
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
)

// ParseIntrospection reads the answer to an introspection request (RFC 7662 §2.2). A token
// that is not active, and an answer whose "active" is anything but true, is a *Refusal;
// an answer that is not one wraps ErrUnavailable.
func ParseIntrospection(text []byte) (*Claims, error) {
	if len(text) > 4*MaxSize {
		return nil, fmt.Errorf("introspection: the answer is over %d bytes: %w", 4*MaxSize, fault.Unavailable)
	}
	m, err := jws.Object(text, "the answer", claimNames...)
	if err != nil {
		return nil, fmt.Errorf("introspection: %v: %w", err, fault.Unavailable)
	}
	switch string(m["active"]) {
	case "true":
	case "false":
		return nil, &Refusal{"it is not active"}
	default:
		return nil, fmt.Errorf("introspection: the answer does not say whether the token is active: %w", fault.Unavailable)
	}
	c, err := readClaims(m)
	if err != nil {
		return nil, fmt.Errorf("introspection: %v: %w", err, fault.Unavailable)
	}
	if c.Subject == "" && c.Client == "" {
		return nil, fmt.Errorf("introspection: the answer does not say whose the token is: %w", fault.Unavailable)
	}
	return c, nil
}
