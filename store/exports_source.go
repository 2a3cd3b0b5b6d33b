package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
)

// Scan returns a scan as it stands at one moment.
func (e *Exports) Scan(ctx context.Context, scanID string) (out *export.Scan, err error) {
	err = e.tenant.root.readOnce(ctx, Scope{RoleTenant, e.tenant.name}, "read scan "+scanID, func(tx *tx) (err error) {
		out, err = tx.exportedScan(scanID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) exportedScan(id string) (*export.Scan, error) {
	var manifest []byte
	job, err := t.job(id, ", manifest", &manifest)
	if err != nil {
		return nil, err
	}
	m, err := scan.DecodeManifest(manifest)
	if err != nil {
		return nil, err
	}
	out := &export.Scan{ID: job.ID, Completed: job.State == scan.Completed, Image: job.Image, Resolved: m.Resolved}
	if s := job.Summary; s != nil {
		out.Config, out.SBOM, out.At = s.ImageDigest, s.SBOMDigest, s.At
	}
	documents, err := t.documents(id)
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		out.Documents = append(out.Documents, export.Document{Format: d.Format, MediaType: d.MediaType, Name: d.Name, Ref: d.Ref, Content: d.Content})
	}
	err = t.each(func(row func(...any) error) error {
		var head int64
		var snapshot string
		err := row(&head, &snapshot)
		if len(out.Reports) == 0 {
			out.Snapshot = snapshot
		}
		out.Reports = append(out.Reports, head)
		return err
	}, `SELECT head, snapshot FROM scanner.reports WHERE tenant_id = $1 AND scan_id = $2 ORDER BY head DESC, evaluated_us DESC`, t.tenant, id)
	if err != nil {
		return nil, err
	}
	out.Verdicts, err = t.standings(id)
	return out, err
}

// Report returns the findings of a head about a scan; head 0 are those that were
// matched with no head.
func (e *Exports) Report(ctx context.Context, scanID string, head int64) (r *finding.Report, err error) {
	err = e.tenant.root.readOnce(ctx, Scope{RoleTenant, e.tenant.name}, fmt.Sprintf("read findings of %s with head %d", scanID, head), func(tx *tx) error {
		var got int64
		r, got, err = tx.report(scanID, fmt.Sprintf(`CASE WHEN head = %d THEN 0 ELSE 1 END, evaluated_us DESC`, head))
		if err == nil && got != head {
			return fmt.Errorf("scan %s was not matched with head %d: %w", scanID, head, fault.NotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Verdict returns one of the verdicts that there were about a scan, verified.
func (e *Exports) Verdict(ctx context.Context, scanID, name string) (*policy.Record, error) {
	var key string
	err := e.tenant.read(ctx, "find a verdict about "+scanID, func(tx *tx) error {
		err := tx.get(`SELECT d.key FROM policy.decisions d JOIN policy.verdicts v ON v.tenant_id = d.tenant_id AND v.key = d.key
			WHERE d.tenant_id = $1 AND d.scan_id = $2 AND (d.key = $3 OR v.digest = $3) ORDER BY d.kept_us DESC, d.key LIMIT 1`, []any{tx.tenant, scanID, name}, &key)
		if isNoRows(err) {
			return fmt.Errorf("verdict %.80q about scan %.80q: %w", name, scanID, fault.NotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.tenant.Policy().Find(ctx, key)
}

// Settings returns what the tenant wants.
func (e *Exports) Settings(ctx context.Context) (s *export.Settings, err error) {
	err = e.tenant.read(ctx, "read settings of exports", func(tx *tx) (err error) {
		s, err = tx.exportSettings()
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// SetSettings keeps a new revision, and sets its Number and At in s. An error wraps
// ErrInvalid where they cannot be followed.
func (e *Exports) SetSettings(ctx context.Context, s *export.Settings) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("set settings of exports: %w", err)
	}
	next := *s
	next.Number, next.By = s.Number+1, cut(s.By)
	set := func() error {
		return e.tenant.write(ctx, "set settings of exports", func(tx *tx) error {
			next.At = micros(tx.now)
			return tx.setExportSettings(&next)
		})
	}
	err := set()
	if errors.Is(err, errUnknown) {
		// Only this call could have kept it so.
		if now, readErr := e.Settings(context.WithoutCancel(ctx)); readErr == nil && now.Number == next.Number && now.At.Equal(next.At) && now.By == next.By {
			err = nil
		}
	}
	if err == nil {
		s.Number, s.At = next.Number, next.At
	}
	return err
}
