package store

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
)

// exportSettings reads the revision that stands.
func (t *tx) exportSettings() (*export.Settings, error) {
	var text string
	err := t.get(`SELECT body FROM attest.settings WHERE tenant_id = $1 ORDER BY number DESC LIMIT 1`, []any{t.tenant}, &text)
	s := new(export.Settings)
	if isNoRows(err) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), s, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("settings that are kept: %v: %w", err, fault.Mismatch)
	}
	return s, nil
}

// setExportSettings keeps a revision, where it is the next one.
func (t *tx) setExportSettings(s *export.Settings) error {
	now, err := t.exportSettings()
	if err != nil {
		return err
	}
	body, err := json.Marshal(s, json.Deterministic(true), json.FormatNilSliceAsNull(true)) // none, and what is left open, are two things
	if err != nil {
		return fmt.Errorf("settings: %v: %w", err, fault.Invalid)
	}
	if len(body) > MaxSettings {
		return &fault.LimitError{What: "bytes of settings", Where: "tenant " + t.tenant, Max: MaxSettings, Seen: int64(len(body))}
	}
	var n int64
	if now.Number == s.Number-1 {
		n, err = t.exec(`INSERT INTO attest.settings (tenant_id, number, body, by_whom, at_us) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, number) DO NOTHING`,
			t.tenant, s.Number, string(body), s.By, t.now)
	}
	if err == nil && n == 0 {
		err = fmt.Errorf("revision %d of the settings stands, and these follow revision %d: %w", now.Number, s.Number-1, fault.Conflict)
	}
	return err
}
