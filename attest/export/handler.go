package export

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Handler turns events into exports. It reads scan.completed on scanner:events in the
// group export, which asks for what a tenant wants of each scan, and export.requested
// and export.push on export:jobs in the group export-workers, which make and push it.
// It is safe for concurrent use.
type Handler struct{ Center *Center }

// Handle does what an event asks for. A nil error means that the message is done.
// Events of other types are left alone.
func (h *Handler) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	switch e.Type {
	case event.ScanCompleted:
		s, err := event.DecodeScan(e)
		if err != nil {
			return err
		}
		_, err = h.Center.Request(ctx, e.Tenant, Ask{ScanID: s.JobID, Event: e.ID})
		if errors.Is(err, fault.NotFound) { // the scan is gone
			return nil
		}
		return err
	case event.ExportRequested:
		d, err := event.DecodeExportJob(e)
		if err != nil {
			return err
		}
		return h.make(ctx, e, d)
	case event.ExportPush:
		d, err := event.DecodePushJob(e)
		if err != nil {
			return err
		}
		return h.Center.push(ctx, e.Tenant, d, e.ID)
	}
	return nil
}

// make makes an export, and notes a failure.
func (h *Handler) make(ctx context.Context, e *event.Event, d *event.ExportJob) error {
	err := h.Center.do(ctx, e.Tenant, d, e.ID)
	if err == nil || errors.Is(err, fault.Unavailable) || ctx.Err() != nil {
		return err
	}
	store, openErr := h.Center.Stores(e.Tenant)
	if openErr != nil {
		return fmt.Errorf("note that %v: %w", err, openErr)
	}
	final, failErr := store.Fail(ctx, &Failure{
		ScanID: d.JobID, Format: Format(d.Format), Key: d.Key, Version: d.Version, Message: e.ID, Reason: err.Error(), Permanent: permanent(err),
	})
	if failErr != nil {
		return fmt.Errorf("note that %v: %w", err, failErr)
	}
	crashpoint.Hit(crashpoint.ExportFailed)
	if final {
		return nil
	}
	return err
}

// permanent reports whether another attempt would fail the same way. What is missing or
// damaged may be put right.
func permanent(err error) bool {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unsupported, fault.Limit, fault.Forbidden, fault.Unauthenticated:
		return true
	}
	return false
}
