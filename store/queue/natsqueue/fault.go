package natsqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
)

// Error codes of the server that have a remedy.
const (
	codeNoStorage = 10047 // insufficient storage resources
	codeOverlap   = 10065 // subjects overlap with an existing stream
	codeReplicas  = 10074 // replicas > 1 not supported in non-clustered mode
)

// fault gives an error its kind and takes what is secret out of it. What the
// client returned cannot be reached through it.
func (d *driver) fault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if fault.KindOf(err) != "" {
		return redact.Error(err, d.secrets...)
	}
	text := redact.Text(err.Error(), d.secrets...)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("%s: %w", text, ctxErr)
	}
	kind := fault.Unavailable
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		kind, text = fault.Unauthenticated, text+": give user and password, a token, or credentials=FILE in the URL"
	case errors.Is(err, nats.ErrPermissionViolation):
		kind, text = fault.Forbidden, text+": allow the user $JS.API.>, $JS.ACK.>, $KV.> and the topics' subjects"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		kind, text = fault.Unsupported, text+": start the server with \"jetstream { store_dir: … }\", and enable it for the account"
	case errors.As(err, &api):
		switch api.ErrorCode {
		case codeNoStorage:
			text += ": raise max_file_store, or let consumers catch up"
		case codeOverlap:
			kind, text = fault.Conflict, text+": another program uses the subject; set a prefix"
		case codeReplicas:
			kind, text = fault.Unsupported, text+": set replicas=1"
		}
	}
	return fmt.Errorf("%s: %w", text, kind)
}
