package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
)

// Exports are what is exported of one tenant's scans. It is an export.Store,
// export.Pushes and export.Source, and safe for concurrent use.
type Exports struct{ tenant *Tenant }

var (
	_ export.Store  = (*Exports)(nil)
	_ export.Pushes = (*Exports)(nil)
	_ export.Source = (*Exports)(nil)
)

// Exports returns the tenant's exports.
func (t *Tenant) Exports() *Exports { return &Exports{t} }

// The bounds of what is kept of exports.
const (
	MaxWanted   = 64      // exports that one request asks for, and destinations of one
	MaxBundled  = 1000    // attestations in one bundle
	MaxSettings = 1 << 18 // bytes of settings as JSON
	maxFormat   = 64      // bytes of a format's name
)

// exported is the row of an export.
type exported struct {
	export.Export
	round int // numbers the messages that ask for it
}

// madeRow is what is made, as it stands in the row.
type madeRow struct {
	Key      string    `json:"key"`
	Version  int       `json:"version"`
	Document objectRow `json:"document"`
	Bundle   objectRow `json:"bundle,omitzero"`
	Missing  []string  `json:"missing,omitempty"`
}

type objectRow struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
	Chunks    []byte `json:"chunks,omitempty"`
}

func (o objectRow) object() export.Object {
	out := export.Object{Name: o.Name, MediaType: o.MediaType, Ref: blob.Ref{Digest: o.Digest, Size: o.Size}}
	if len(o.Chunks) > 0 {
		out.Ref.Chunks = o.Chunks
	}
	return out
}

func rowOf(o export.Object) objectRow {
	return objectRow{o.Name, o.MediaType, o.Ref.Digest, o.Ref.Size, o.Ref.Chunks}
}

func (m *madeRow) made(at int64) *export.Made {
	return &export.Made{Key: m.Key, Version: m.Version, Document: m.Document.object(), Bundle: m.Bundle.object(), Missing: m.Missing, At: micros(at)}
}

// Exports returns what is kept about a scan's exports, sorted by format.
func (e *Exports) Exports(ctx context.Context, scanID string) (out []export.Export, err error) {
	err = e.tenant.root.readOnce(ctx, Scope{RoleTenant, e.tenant.name}, "read exports of "+scanID, func(tx *tx) error {
		if _, err := tx.job(scanID, ""); err != nil {
			return err
		}
		rows, err := tx.exports(` AND scan_id = $2 ORDER BY format`, scanID)
		out = plain(rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func plain(rows []exported) []export.Export {
	out := make([]export.Export, len(rows))
	for i := range rows {
		out[i] = rows[i].Export
	}
	return out
}

// exports reads rows, and which attestations are in their bundles.
func (t *tx) exports(where string, args ...any) ([]exported, error) {
	var out []exported
	err := t.each(func(row func(...any) error) error {
		var e exported
		var inputs, made string
		var at, created, updated int64
		if err := row(&e.ScanID, &e.Format, &e.State, &e.Key, &inputs, &e.Version, &e.round, &e.Attempt, &e.Reason, &made, &at, &created, &updated); err != nil {
			return err
		}
		e.Created, e.Updated = micros(created), micros(updated)
		if err := json.Unmarshal([]byte(inputs), &e.Inputs, json.RejectUnknownMembers(true)); err != nil {
			return fmt.Errorf("inputs of the %s export of scan %s: %v: %w", e.Format, e.ScanID, err, fault.Mismatch)
		}
		if made != "" {
			m := new(madeRow)
			if err := json.Unmarshal([]byte(made), m, json.RejectUnknownMembers(true)); err != nil {
				return fmt.Errorf("the %s export of scan %s: %v: %w", e.Format, e.ScanID, err, fault.Mismatch)
			}
			e.Made = m.made(at)
		}
		out = append(out, e)
		return nil
	}, `SELECT scan_id, format, state, key, inputs, version, round, attempt, reason, made, made_us, created_us, updated_us FROM attest.exports WHERE tenant_id = $1`+where, append([]any{t.tenant}, args...)...)
	for i := range out {
		if err == nil && out[i].Made != nil {
			out[i].Made.Attestations, err = t.bundled(&out[i].Export)
		}
	}
	return out, err
}

// bundled lists the attestations that are in the bundle of an export.
func (t *tx) bundled(e *export.Export) ([]string, error) {
	var out []string
	err := t.each(func(row func(...any) error) error {
		var id string
		err := row(&id)
		out = append(out, id)
		return err
	}, `SELECT attestation FROM attest.bundled WHERE tenant_id = $1 AND scan_id = $2 AND format = $3 ORDER BY attestation`, t.tenant, e.ScanID, string(e.Format))
	return out, err
}

// export locks one, nil for none. It is the third lock, after the scan and its
// attestations.
func (t *tx) export(scanID string, f export.Format) (*exported, error) {
	list, err := t.exports(` AND scan_id = $2 AND format = $3`+forUpdate, scanID, string(f))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// Request notes that exports are wanted. One that is of older findings than the one that
// is kept, or of a verdict that no longer holds where the other does, was asked for late
// and is left alone. Of one that is there, pushes that failed are tried again. The event
// is noted also where the scan is gone.
func (e *Exports) Request(ctx context.Context, r *export.Request) (out []export.Export, err error) {
	if err := checkRequest(r); err != nil {
		return nil, fmt.Errorf("request exports of scan %.80q: %w", r.ScanID, err)
	}
	var refused error
	request := func() error {
		return e.tenant.write(ctx, "request exports of "+r.ScanID, func(tx *tx) (err error) {
			out, refused, err = tx.requestExports(r)
			return err
		})
	}
	if err = request(); errors.Is(err, errUnknown) {
		err = request() // what is noted already is recognised
	}
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func checkRequest(r *export.Request) error {
	if len(r.Wanted) > MaxWanted {
		return &fault.LimitError{What: "exports", Where: "a request", Max: MaxWanted, Seen: int64(len(r.Wanted))}
	}
	seen := map[export.Format]bool{}
	for _, w := range r.Wanted {
		if err := errors.Join(checkName("format", string(w.Format), maxFormat), checkName("key", w.Key, maxName)); err != nil {
			return err
		}
		if seen[w.Format] {
			return fmt.Errorf("format %s is asked for twice: %w", w.Format, fault.Invalid)
		}
		seen[w.Format] = true
	}
	return nil
}

func (t *tx) requestExports(r *export.Request) (out []export.Export, refused, err error) {
	// Whoever keeps something about this scan waits here; see docs/architecture.md for
	// the order of locks.
	_, err = t.jobFor(forUpdate, r.ScanID, "")
	if refused = err; err != nil && !errors.Is(err, fault.NotFound) {
		return nil, nil, err
	}
	fresh := true
	if r.Event != "" {
		if fresh, err = t.consume(event.GroupExport, r.Event); err != nil {
			return nil, nil, err
		}
	}
	if refused != nil {
		return nil, refused, nil
	}
	if fresh { // else what followed from the event stands
		for _, w := range slices.SortedFunc(slices.Values(r.Wanted), func(a, b export.Wanted) int { return cmp.Compare(a.Format, b.Format) }) {
			if err := t.requestExport(r, &w); err != nil {
				return nil, nil, err
			}
		}
	}
	rows, err := t.exports(` AND scan_id = $2`, r.ScanID)
	for _, w := range r.Wanted {
		if i := slices.IndexFunc(rows, func(e exported) bool { return e.Format == w.Format }); i >= 0 {
			out = append(out, rows[i].Export)
		}
	}
	return out, nil, err
}

func (t *tx) requestExport(r *export.Request, w *export.Wanted) error {
	e, err := t.export(r.ScanID, w.Format)
	if err != nil {
		return err
	}
	if e == nil {
		return t.queueExport(&exported{Export: export.Export{ScanID: r.ScanID, Format: w.Format, Key: w.Key, Inputs: w.Inputs, Version: 1}}, r.By)
	}
	switch {
	case e.Key != w.Key || e.State == export.Failed:
	case e.State == export.Queued:
		return nil
	case !w.Again:
		return t.pushAgain(e)
	}
	if older, err := t.olderExport(e, w); err != nil || older {
		return err
	}
	if e.Key != w.Key {
		e.Key, e.Inputs, e.Version = w.Key, w.Inputs, 1
		if e.Made != nil && e.Made.Key == w.Key { // it was made before something else was wanted
			if e.Version = e.Made.Version; !w.Again {
				return t.wantMade(e)
			}
		}
	}
	return t.queueExport(e, r.By)
}

// wantMade has what is there be what is wanted again.
func (t *tx) wantMade(e *exported) error {
	e.Attempt = 0
	if err := t.settleExport(e, export.Completed, ""); err != nil {
		return err
	}
	inputs, err := json.Marshal(e.Inputs, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE attest.exports SET key = $4, inputs = $5, version = $6 WHERE tenant_id = $1 AND scan_id = $2 AND format = $3`,
		t.tenant, e.ScanID, string(e.Format), e.Key, string(inputs), e.Version)
	if err != nil {
		return err
	}
	return t.queueProved(e)
}

// settleExport ends a round.
func (t *tx) settleExport(e *exported, s export.State, reason string) error {
	e.State, e.Reason = s, reason
	_, err := t.exec(`UPDATE attest.exports SET state = $4, attempt = $5, reason = $6, updated_us = $7 WHERE tenant_id = $1 AND scan_id = $2 AND format = $3`,
		t.tenant, e.ScanID, string(e.Format), string(s), e.Attempt, reason, t.now)
	if err != nil || s == export.Queued {
		return err
	}
	return t.consumeMessage(event.ExportJobs, event.GroupExportWorkers, exportMessage(e))
}

// olderExport reports whether what is wanted was fixed before what is kept: whoever
// fixes it reads the scan some time before he asks.
func (t *tx) olderExport(e *exported, w *export.Wanted) (bool, error) {
	if e.Key == w.Key {
		return false, nil
	}
	if 0 < w.Inputs.Report && w.Inputs.Report < e.Inputs.Report {
		return true, nil
	}
	if e.Inputs.Verdict == "" || e.Inputs.Verdict == w.Inputs.Verdict {
		return false, nil
	}
	var kept, wanted int
	err := t.get(`SELECT coalesce(sum(CASE WHEN key = $3 THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN key = $4 THEN 1 ELSE 0 END), 0)
		FROM policy.current WHERE tenant_id = $1 AND scan_id = $2`, []any{t.tenant, e.ScanID, e.Inputs.Verdict, w.Inputs.Verdict}, &kept, &wanted)
	return kept > 0 && wanted == 0, err
}

// queueExport has an export made, in another round than before. Whoever is at the one
// before is not waited for: it is not wanted any more.
func (t *tx) queueExport(e *exported, by string) error {
	inputs, err := json.Marshal(e.Inputs, json.Deterministic(true))
	if err != nil {
		return err
	}
	if e.round > 0 {
		if err := t.consumeMessage(event.ExportJobs, event.GroupExportWorkers, exportMessage(e)); err != nil {
			return err
		}
	}
	e.State, e.Attempt, e.Reason, e.round = export.Queued, 0, "", e.round+1
	_, err = t.exec(`INSERT INTO attest.exports (tenant_id, scan_id, format, state, key, inputs, version, round, by_whom, created_us, updated_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
		ON CONFLICT (tenant_id, scan_id, format) DO UPDATE SET state = excluded.state, key = excluded.key, inputs = excluded.inputs, version = excluded.version, round = excluded.round,
		attempt = 0, reason = '', by_whom = excluded.by_whom, updated_us = excluded.updated_us`,
		t.tenant, e.ScanID, string(e.Format), string(e.State), e.Key, string(inputs), e.Version, e.round, cut(by), t.now)
	if err != nil {
		return err
	}
	data := event.ExportJob{JobID: e.ScanID, Format: string(e.Format), Key: e.Key, Version: e.Version}
	body, err := data.Encode()
	if err != nil {
		return err
	}
	return t.announce(announcement{topic: event.ExportJobs, priority: scan.DefaultPriority,
		event: event.Event{ID: exportMessage(e), Type: event.ExportRequested, Source: "export", Data: body}})
}

// exportMessage is the message of a round.
func exportMessage(e *exported) string {
	return fmt.Sprintf("%s/export/%s/%d", e.ScanID, e.Format, e.round)
}
