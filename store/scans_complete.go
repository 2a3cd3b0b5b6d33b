package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// evaluationGrace is how long results may wait for somebody to evaluate them
// before they are announced again.
const evaluationGrace = 5 * time.Minute

// The bounds of a scan's results.
const (
	MaxDocuments = 32
	MaxPackages  = 1_000_000
	MaxFindings  = 1_000_000
)

func checkResults(l scan.Lease, r *scan.Results) error {
	limit := func(what string, n, most int) error {
		if n > most {
			return &fault.LimitError{What: what, Where: "results of " + l.JobID, Max: int64(most), Seen: int64(n)}
		}
		return nil
	}
	err := errors.Join(limit("documents", len(r.Documents), MaxDocuments), limit("packages", len(r.Packages), MaxPackages))
	if r.Report != nil {
		err = errors.Join(err, limit("findings", len(r.Report.Findings), MaxFindings))
	}
	if !slices.ContainsFunc(r.Documents, func(d scan.Stored) bool { return d.Format == scan.Neutral && d.Ref.Digest == r.SBOMDigest }) {
		err = errors.Join(err, fmt.Errorf("results of %s: no %s document with the digest %q: %w", l.JobID, scan.Neutral, r.SBOMDigest, fault.Invalid))
	}
	for _, d := range r.Documents {
		if !strings.HasPrefix(d.Ref.Digest, "sha256:") || len(d.Content) > scan.MaxInline {
			err = errors.Join(err, fmt.Errorf("results of %s: document %s: digest %q, %d bytes inline: %w", l.JobID, d.Format, d.Ref.Digest, len(d.Content), fault.Invalid))
		}
	}
	return err
}

// Complete stores the results of a job.
func (s *Scans) Complete(ctx context.Context, l scan.Lease, r scan.Results) error {
	if err := checkResults(l, &r); err != nil {
		return err
	}
	complete := func() error {
		return s.tenant.write(ctx, "complete scan job "+l.JobID, func(tx *tx) error { return tx.complete(l, &r) })
	}
	err := complete()
	if errors.Is(err, errUnknown) {
		err = complete() // what is stored already is recognised
	}
	if err == nil {
		crashpoint.Hit(crashpoint.CompleteDone)
	}
	return err
}

func (t *tx) complete(l scan.Lease, r *scan.Results) error {
	job, err := t.guard(l)
	if errors.Is(err, fault.Fenced) && job.isRepeated(l, r) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.dropSecret(job.ID); err != nil {
		return err
	}
	if err := t.keepDocuments(job.ID, r); err != nil {
		return err
	}
	if err := t.keepPackages(r); err != nil {
		return err
	}
	at, err := t.keepResults(job.ID, r)
	if err != nil {
		return err
	}
	m, err := scan.DecodeManifest(job.manifest)
	if err != nil {
		return err
	}
	m.Inputs = r.Inputs
	if err := t.setManifest(job.ID, m); err != nil {
		return err
	}
	return t.toEvaluating(job.Job, r, at)
}

// isRepeated recognises a call whose answer was lost.
func (h *held) isRepeated(l scan.Lease, r *scan.Results) bool {
	return h.epoch == l.Epoch && (h.State == scan.Evaluating || h.State == scan.Completed) && h.Summary != nil && h.Summary.SBOMDigest == r.SBOMDigest
}

// keepResults stores the report, and says where it stands: nobody commits another
// head until this transaction ends.
func (t *tx) keepResults(id string, r *scan.Results) (at standing, err error) {
	snapshot := ""
	if r.Report != nil {
		if err := t.keepFindings(id, t.now, r.Report); err != nil {
			return at, err
		}
		crashpoint.Hit(crashpoint.CompleteFindings)
		snapshot = r.Report.Snapshot
	}
	// The lock is taken late: while it is held, no head is committed.
	if at, err = t.standing(snapshot); err != nil || r.Report == nil {
		return at, err
	}
	return at, t.keepReportRow(id, t.now, reportAt{head: at.matched, at: t.now}, r.Report)
}

func (t *tx) toEvaluating(job *scan.Job, r *scan.Results, at standing) error {
	s := &scan.Summary{ImageDigest: r.ImageDigest, SBOMDigest: r.SBOMDigest, Packages: len(r.Packages), Gaps: r.Gaps, Blocked: r.Blocked, At: micros(t.now)}
	if r.Report != nil {
		s.Findings, s.Snapshot = len(r.Report.Findings), r.Report.Snapshot
	}
	n, err := t.exec(`UPDATE scanner.scan_jobs SET status = 'evaluating', updated_us = $3, evaluated_us = $3, image_digest = $4, sbom_digest = $5, package_count = $6,
		finding_count = $7, gap_count = $8, blocked = $9, snapshot = $10, eval_retry_us = $11, head_at = $12, reason = '', progress = '' WHERE tenant_id = $1 AND job_id = $2`,
		t.tenant, job.ID, t.now, s.ImageDigest, s.SBOMDigest, s.Packages, s.Findings, s.Gaps, bit(s.Blocked), s.Snapshot, t.now+evaluationGrace.Microseconds(), at.current)
	if err != nil || n != 1 {
		return errors.Join(err, fmt.Errorf("scan job %s: %d rows changed", job.ID, n))
	}
	job.State, job.Summary, job.Reason = scan.Evaluating, s, ""
	if err := t.catchUp(job.ID, at); err != nil {
		return err
	}
	err = t.announce(scanEvent(event.SBOMCreated, "sbom", job))
	crashpoint.Hit(crashpoint.CompleteEvent)
	return err
}

// clean makes text of what an image may be full of, for the columns that are
// searched: not every engine can keep a NUL.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\ufffd"), "\ufffd")
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (t *tx) keepDocuments(id string, r *scan.Results) error {
	for _, d := range r.Documents {
		if err := t.refTo(d.Ref, id); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO scanner.sbom_documents (tenant_id, scan_id, format, media_type, name, digest, size, chunks, content, created_us)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, t.tenant, id, d.Format, d.MediaType, d.Name, d.Ref.Digest, d.Ref.Size, present(d.Ref.Chunks), d.Content, t.now)
		if err != nil {
			return err
		}
	}
	for _, f := range r.Fragments {
		if err := t.refTo(f, id); err != nil {
			return err
		}
	}
	crashpoint.Hit(crashpoint.CompleteSBOM)
	return nil
}

// findingRow is one element of the JSON parameter that findings are stored from.
type findingRow struct {
	N             int    `json:"n"`
	Vulnerability string `json:"vulnerability"`
	Package       string `json:"package"`
	Advisory      string `json:"advisory"`
	Severity      string `json:"severity"`
	Finding       string `json:"finding"` // the finding itself, as JSON text
}

// reportAt is with which head a report was made, and as of when, in microseconds.
type reportAt struct{ head, at int64 }

// keepReport stores a further report about a scan, under a key of its own. One that
// is there for the head stays as it is.
func (t *tx) keepReport(id string, at reportAt, r *finding.Report) error {
	var known, last int64
	if err := t.get(`SELECT coalesce(sum(CASE WHEN head = $3 THEN 1 ELSE 0 END), 0), coalesce(max(evaluated_us), 0) FROM scanner.reports WHERE tenant_id = $1 AND scan_id = $2`,
		[]any{t.tenant, id, at.head}, &known, &last); err != nil || known > 0 {
		return err
	}
	key := max(t.now, last+1)
	if err := t.keepFindings(id, key, r); err != nil {
		return err
	}
	return t.keepReportRow(id, key, at, r)
}

func (t *tx) keepReportRow(id string, key int64, at reportAt, r *finding.Report) error {
	gaps, err := json.Marshal(r.Gaps, json.Deterministic(true))
	if err != nil {
		return err
	}
	facts, err := json.Marshal(factsOf(r), json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO scanner.reports (tenant_id, scan_id, evaluated_us, snapshot, gaps, head, at_us, facts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		t.tenant, id, key, r.Snapshot, string(gaps), at.head, at.at, string(facts))
	return err
}

func (t *tx) keepFindings(id string, key int64, r *finding.Report) error {
	if len(r.Findings) == 0 {
		return nil
	}
	rows := make([]findingRow, len(r.Findings))
	for i := range r.Findings {
		f := &r.Findings[i]
		text, err := json.Marshal(f, json.Deterministic(true))
		if err != nil {
			return err
		}
		rows[i] = findingRow{i, clean(f.Vulnerability), clean(f.Package), clean(f.Advisory), string(f.Severity), string(text)}
	}
	list, err := json.Marshal(rows, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO scanner.vulnerabilities (tenant_id, scan_id, evaluated_us, n, vulnerability, package_id, advisory, severity, finding)
		SELECT $1, $2, CAST($3 AS BIGINT), CAST(value->>'n' AS BIGINT), value->>'vulnerability', value->>'package', value->>'advisory', value->>'severity', value->>'finding'
		FROM json_rows($4) AS found`, t.tenant, id, key, string(list))
	return err
}
