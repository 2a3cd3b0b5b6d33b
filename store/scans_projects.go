package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

var _ scan.Projects = (*Scans)(nil)

// keepProject notes what a submission is of.
func (t *tx) keepProject(id string, p *scan.ProjectName) error {
	if p == nil {
		return nil
	}
	_, err := t.exec(`INSERT INTO scanner.projects (tenant_id, scan_id, token, project_id, name, version, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.tenant, id, scan.UploadToken(t.tenant, id), scan.ProjectID(t.tenant, *p), p.Name, p.Version, t.now)
	return err
}

// Project returns a project by its ID.
func (s *Scans) Project(ctx context.Context, id string) (*scan.Project, error) {
	p := &scan.Project{ID: id}
	err := s.tenant.read(ctx, "read project", func(tx *tx) error {
		var at int64
		err := tx.get(`SELECT name, version, scan_id, created_us FROM scanner.projects WHERE tenant_id = $1 AND project_id = $2 ORDER BY created_us DESC, scan_id DESC LIMIT 1`,
			[]any{tx.tenant, clean(id)}, &p.Name, &p.Version, &p.ScanID, &at)
		if isNoRows(err) {
			return fmt.Errorf("project %.80q: %w", id, fault.NotFound)
		}
		p.Updated = micros(at)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Projects returns a part of all projects.
func (s *Scans) Projects(ctx context.Context, skip, limit int) (list []scan.Project, total int, err error) {
	if skip < 0 || limit < 1 || limit > 1000 {
		return nil, 0, fmt.Errorf("list projects: %d from %d on: want 1 to 1000 from 0 on: %w", limit, skip, fault.Invalid)
	}
	err = s.tenant.read(ctx, "list projects", func(tx *tx) error {
		list = list[:0]
		if err := tx.get(`SELECT count(DISTINCT project_id) FROM scanner.projects WHERE tenant_id = $1`, []any{tx.tenant}, &total); err != nil {
			return err
		}
		return tx.each(func(row func(...any) error) error {
			var p scan.Project
			var at int64
			err := row(&p.ID, &p.Name, &p.Version, &p.ScanID, &at)
			p.Updated = micros(at)
			list = append(list, p)
			return err
		}, `SELECT project_id, name, version, scan_id, created_us FROM (SELECT p.*, row_number() OVER (PARTITION BY p.project_id ORDER BY p.created_us DESC, p.scan_id DESC) AS place
			FROM scanner.projects p WHERE p.tenant_id = $1) AS newest WHERE place = 1 ORDER BY name, version LIMIT $2 OFFSET $3`, tx.tenant, limit, skip)
	})
	if err != nil {
		return nil, 0, err
	}
	return list, total, nil
}

// Upload returns the scan that a token is of.
func (s *Scans) Upload(ctx context.Context, token string) (scanID string, err error) {
	err = s.tenant.read(ctx, "read upload", func(tx *tx) error {
		err := tx.get(`SELECT scan_id FROM scanner.projects WHERE tenant_id = $1 AND token = $2`, []any{tx.tenant, clean(token)}, &scanID)
		if isNoRows(err) {
			return fmt.Errorf("upload %.80q: %w", token, fault.NotFound)
		}
		return err
	})
	return scanID, err
}
