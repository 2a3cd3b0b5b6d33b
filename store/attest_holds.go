package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// onHold is the condition that the scan of a row of scanner.scan_jobs must not be
// deleted.
const onHold = `EXISTS (SELECT 1 FROM attest.holds h WHERE h.tenant_id = scanner.scan_jobs.tenant_id AND h.scan_id = scanner.scan_jobs.job_id AND h.held = 1
	AND NOT EXISTS (SELECT 1 FROM attest.holds l WHERE l.tenant_id = h.tenant_id AND l.scan_id = h.scan_id AND l.number > h.number))`

// Hold is what somebody said about keeping a scan.
type Hold struct {
	ScanID string
	Number int  // from 1 on, for each scan
	Held   bool // false: it was released
	Reason string
	By     string
	At     time.Time
}

// Hold has a scan, with all that is kept for it, outlive its retention until it is
// released, and says why. What is held already stays so, with another reason. An error
// wraps ErrNotFound where there is no such scan.
func (a *Attest) Hold(ctx context.Context, scanID, reason, by string) error {
	return a.hold(ctx, &Hold{ScanID: scanID, Held: true, Reason: reason, By: by})
}

// Release ends what Hold began. An error wraps ErrNotFound where the scan is not there,
// or not held.
func (a *Attest) Release(ctx context.Context, scanID, reason, by string) error {
	return a.hold(ctx, &Hold{ScanID: scanID, Reason: reason, By: by})
}

func (a *Attest) hold(ctx context.Context, h *Hold) error {
	if strings.TrimSpace(h.Reason) == "" || strings.TrimSpace(h.By) == "" {
		return fmt.Errorf("hold or release scan %.80q: a reason and who says so are required: %w", h.ScanID, fault.Invalid)
	}
	h.Reason, h.By = cut(h.Reason), cut(h.By)
	keep := func() error {
		return a.tenant.write(ctx, "hold or release scan "+h.ScanID, func(tx *tx) error { return tx.holdScan(h) })
	}
	err := keep()
	if errors.Is(err, errUnknown) {
		err = keep() // what was said last is not said again
	}
	return err
}

func (t *tx) holdScan(h *Hold) error {
	// A collection locks the scan, and then looks whether it is held.
	if _, err := t.jobFor(forUpdate, h.ScanID, ""); err != nil {
		return err
	}
	list, err := t.holds(h.ScanID)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		last := &list[len(list)-1]
		if h.Number = last.Number; last.Held == h.Held && last.Reason == h.Reason && last.By == h.By {
			return nil
		}
	}
	if !h.Held && (len(list) == 0 || !list[len(list)-1].Held) {
		return fmt.Errorf("scan %s is not held: %w", h.ScanID, fault.NotFound)
	}
	_, err = t.exec(`INSERT INTO attest.holds (tenant_id, scan_id, number, held, reason, by_whom, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.tenant, h.ScanID, h.Number+1, bit(h.Held), h.Reason, h.By, t.now)
	return err
}

// Holds returns what was said about keeping a scan, the oldest first. It is held where
// the last of them says so.
func (a *Attest) Holds(ctx context.Context, scanID string) (out []Hold, err error) {
	err = a.tenant.read(ctx, "read holds of "+scanID, func(tx *tx) (err error) {
		out, err = tx.holds(scanID)
		return err
	})
	return out, err
}

func (t *tx) holds(scanID string) ([]Hold, error) {
	var out []Hold
	err := t.each(func(row func(...any) error) error {
		h := Hold{ScanID: scanID}
		var at int64
		err := row(&h.Number, &h.Held, &h.Reason, &h.By, &at)
		h.At = micros(at)
		out = append(out, h)
		return err
	}, `SELECT number, held, reason, by_whom, at_us FROM attest.holds WHERE tenant_id = $1 AND scan_id = $2 ORDER BY number`, t.tenant, scanID)
	return out, err
}

// withoutHeld leaves out scans that were held while their locks were waited for.
func (t *tx) withoutHeld(ids []idRow) ([]idRow, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	out := ids[:0]
	err = t.each(func(row func(...any) error) error {
		var id idRow
		err := row(&id.ID)
		out = append(out, id)
		return err
	}, `SELECT job_id FROM scanner.scan_jobs WHERE tenant_id = $1 AND job_id`+oneOf+` AND NOT `+onHold, t.tenant, string(list))
	return out, err
}
