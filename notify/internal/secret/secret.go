// Package secret reads what an endpoint's references stand for, when something is sent. An
// error names the role, never the reference (which may be the secret itself, by mistake)
// and never what the reader says of it.
package secret

import (
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
)

// Max is how many references one role may have, MaxBytes how long a secret may be.
const (
	Max      = 5
	MaxBytes = 16 << 10
)

// Reader reads the secrets of one endpoint. Read nil means that there are none.
type Reader struct {
	Read func(ctx context.Context, ref string) ([]byte, error)
	Refs map[string]string // by role, as in notify.Endpoint
}

// Check says whether a role is set as it should be: between least and most references.
func (r *Reader) Check(role string, least, most int) error {
	if n := len(strings.Fields(r.Refs[role])); n < least || n > most {
		return fmt.Errorf("the endpoint's secret %q has %d references, want %d to %d: %w", role, n, least, most, fault.Invalid)
	}
	return nil
}

// All reads every secret of a role, in their order. An error is a *notify.Failure: nothing
// was sent, and another attempt may go better, when somebody has set things right.
func (r *Reader) All(ctx context.Context, role string) ([][]byte, error) {
	var out [][]byte
	for _, ref := range strings.Fields(r.Refs[role]) {
		if r.Read == nil {
			return nil, failure(role, fault.Forbidden)
		}
		value, err := r.Read(ctx, ref)
		if err != nil {
			kind := fault.KindOf(err)
			if kind == "" {
				kind = fault.Unavailable
			}
			return nil, failure(role, kind)
		}
		if len(value) == 0 || len(value) > MaxBytes {
			return nil, failure(role, fault.Invalid)
		}
		out = append(out, value)
	}
	if len(out) == 0 {
		return nil, failure(role, fault.NotFound)
	}
	return out, nil
}

// One reads the first secret of a role, without white space around it. It is one line of
// printable ASCII, as headers and fields take it.
func (r *Reader) One(ctx context.Context, role string) (string, error) {
	all, err := r.All(ctx, role)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(all[0]))
	if text == "" || strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
		return "", failure(role, fault.Invalid)
	}
	return text, nil
}

func failure(role string, kind fault.Kind) error {
	return &notify.Failure{Sent: notify.No, Reason: fmt.Sprintf("the endpoint's secret %q cannot be read: %s", role, kind), Err: kind}
}
