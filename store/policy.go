package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/vex"
)

// Policy is what one tenant decides about its scans: policies, exceptions and
// verdicts. It is a policy.Store, and safe for concurrent use.
type Policy struct{ tenant *Tenant }

var _ policy.Store = (*Policy)(nil)

// Policy returns the tenant's policies, exceptions and verdicts.
func (t *Tenant) Policy() *Policy { return &Policy{t} }

// The bounds of what is kept of policy.
const (
	MaxPolicySource = 1 << 20   // bytes of the text of a policy
	MaxPolicyBody   = 4 << 20   // bytes of a policy as canonical JSON
	MaxVerdict      = 1 << 20   // bytes of a verdict
	MaxTrace        = 256 << 20 // bytes of a trace
	MaxTraceKept    = 8 << 20   // bytes of a trace, compressed
	MaxControls     = 1000      // of one environment
	maxPolicyName   = 128       // bytes of an environment's name, or a policy's id
)

// traceReader reads traces. It is safe for concurrent use.
var traceReader = sync.OnceValue(func() *zstd.Decoder {
	r, _ := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxTrace), zstd.WithDecoderConcurrency(0))
	return r
})

func sumText(b []byte) string {
	sum := sha256.Sum256(b)
	return hexDigest(sum[:])
}

// Load reads what verdicts about a scan follow from.
func (p *Policy) Load(ctx context.Context, q policy.Request) (*policy.Loaded, error) {
	var out *policy.Loaded
	err := p.tenant.root.readOnce(ctx, Scope{RoleTenant, p.tenant.name}, "load what decides about "+q.ScanID, func(tx *tx) (err error) {
		out, err = tx.loadPolicy(q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) loadPolicy(q policy.Request) (*policy.Loaded, error) {
	job, err := t.job(q.ScanID, "")
	if err != nil {
		return nil, err
	}
	if job.Summary == nil || job.State != scan.Evaluating && job.State != scan.Completed {
		return nil, fmt.Errorf("scan job %s is %s and has no results to decide about: %w", job.ID, job.State, fault.NotFound)
	}
	out := &policy.Loaded{ScanID: job.ID, Image: job.Image, Digest: job.Summary.ImageDigest}
	documents, err := t.documents(job.ID)
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		if d.Format == scan.Neutral {
			out.Document = policy.Document{Digest: d.Ref.Digest, Size: d.Ref.Size, Chunks: d.Ref.Chunks, Content: d.Content}
		}
	}
	if out.Document.Digest == "" {
		return nil, fmt.Errorf("scan %s has no %s document: %w", job.ID, scan.Neutral, fault.NotFound)
	}
	if out.Marks, err = t.policyMarks(job.ID); err != nil {
		return nil, err
	}
	if err := t.loadReport(q, out); err != nil {
		return nil, err
	}
	active, err := t.activePolicies()
	if err != nil {
		return nil, err
	}
	for _, a := range active {
		if q.Environments == nil || slices.Contains(q.Environments, a.Environment) {
			out.Active = append(out.Active, a)
		}
	}
	if out.Exceptions, err = t.exceptions(); err != nil {
		return nil, err
	}
	return out, t.loadVEX(out)
}

// loadReport reads the newest report, or that of a head.
func (t *tx) loadReport(q policy.Request, out *policy.Loaded) (err error) {
	if q.Head == 0 && out.Marks.Report == 0 {
		return nil // nobody matched: a gap, and no error
	}
	order := `head DESC, evaluated_us DESC`
	if q.Head > 0 {
		order = fmt.Sprintf(`CASE WHEN head = %d THEN 0 ELSE 1 END, head DESC, evaluated_us DESC`, q.Head)
	}
	out.Report, out.Head, err = t.report(out.ScanID, order)
	if err != nil {
		return err
	}
	if q.Head > 0 && out.Head != q.Head {
		return fmt.Errorf("scan %s was not matched with head %d: %w", out.ScanID, q.Head, fault.NotFound)
	}
	if q.Head > 0 && out.Head != out.Marks.Head { // an older report must not be taken for the newest
		out.Marks.Head = out.Head
		return t.get(`SELECT evaluated_us FROM scanner.reports WHERE tenant_id = $1 AND scan_id = $2 AND head = $3`, []any{t.tenant, out.ScanID, out.Head}, &out.Marks.Report)
	}
	return nil
}

// loadVEX reads whom to believe, and which sets of statements are the newest. That is
// the tenant's own trust, or the one which the newest public head follows from: it is
// announced with that head, and so whoever decided by another is due then.
func (t *tx) loadVEX(out *policy.Loaded) error {
	own := ""
	var sets []policy.StatementSet
	err := t.each(func(row func(...any) error) error {
		var name, trust, digest, public string
		var head int64
		if err := row(&name, &trust, &head, &digest, &public); err != nil {
			return err
		}
		if name == "" {
			own = public // comes first
		} else if trust != "" {
			own = trust
		}
		if head > 0 {
			sets = append(sets, policy.StatementSet{Tenant: name != "", Number: head, Digest: digest})
		}
		return nil
	}, `SELECT s.tenant_id, s.trust, s.head, coalesce(h.digest, ''), coalesce(h.trust, '') FROM vex.scopes s LEFT JOIN vex.heads h ON h.tenant_id = s.tenant_id AND h.number = s.head
		WHERE s.tenant_id IN ($1, '') ORDER BY s.tenant_id`, t.tenant)
	if err != nil {
		return err
	}
	out.VEX = sets // "" comes first
	digest, err := t.trustInForce(own)
	if err != nil {
		return err
	}
	out.Trust = new(vex.Trust)
	if digest != out.Trust.Digest() {
		out.Trust, err = t.trust(digest)
	}
	return err
}

// policyMarks numbers the states of what verdicts about a scan follow from.
func (t *tx) policyMarks(scanID string) (m policy.Marks, err error) {
	err = t.get(`SELECT evaluated_us, head FROM scanner.reports WHERE tenant_id = $1 AND scan_id = $2 ORDER BY head DESC, evaluated_us DESC LIMIT 1`, []any{t.tenant, scanID}, &m.Report, &m.Head)
	if err != nil && !isNoRows(err) {
		return m, err
	}
	err = t.get(`SELECT (SELECT coalesce(max(number), 0) FROM policy.activations WHERE tenant_id = $1), (SELECT coalesce(max(number), 0) FROM policy.exception_events WHERE tenant_id = $1),
		(SELECT count(*) FROM vex.trust_changes WHERE tenant_id IN ($1, '')),
		(SELECT coalesce(max(head), 0) FROM vex.scopes WHERE tenant_id = ''), (SELECT coalesce(max(head), 0) FROM vex.scopes WHERE tenant_id = $1)`, []any{t.tenant},
		&m.Policies, &m.Exceptions, &m.Trust, &m.VEX, &m.Own)
	return m, err
}

// activePolicies returns the policies in force, sorted by environment.
func (t *tx) activePolicies() ([]policy.Active, error) {
	var out []policy.Active
	err := t.each(func(row func(...any) error) error {
		var a policy.Active
		var controls string
		if err := row(&a.Environment, &a.Policy.ID, &a.Policy.Version, &a.Digest, &controls, &a.Body); err != nil {
			return err
		}
		out = append(out, a)
		return json.Unmarshal([]byte(controls), &out[len(out)-1].Controls)
	}, `SELECT a.environment, a.policy_id, a.version, a.digest, a.controls, p.body FROM policy.activations a
		JOIN (SELECT environment, max(number) AS number FROM policy.activations WHERE tenant_id = $1 GROUP BY environment) AS n ON n.number = a.number
		JOIN policy.policies p ON p.tenant_id = a.tenant_id AND p.id = a.policy_id AND p.version = a.version
		WHERE a.tenant_id = $1 ORDER BY a.environment`, t.tenant)
	return out, err
}

// exceptions returns all exceptions as they stand, sorted by id.
func (t *tx) exceptions() ([]policy.Exception, error) {
	var out []policy.Exception
	err := t.each(func(row func(...any) error) error {
		var body string
		var revoked int64
		if err := row(&body, &revoked); err != nil {
			return err
		}
		e, err := readException(body, revoked)
		if err == nil {
			out = append(out, *e)
		}
		return err
	}, `SELECT e.body, coalesce(r.at_us, 0) FROM policy.exceptions e LEFT JOIN policy.exception_events r ON r.tenant_id = e.tenant_id AND r.id = e.id AND r.kind = 'revoked'
		WHERE e.tenant_id = $1 ORDER BY e.id`, t.tenant)
	if len(out) > policy.MaxExceptions {
		return nil, &fault.LimitError{What: "exceptions", Where: "tenant " + t.tenant, Max: policy.MaxExceptions, Seen: int64(len(out))}
	}
	return out, err
}

func readException(body string, revoked int64) (*policy.Exception, error) {
	e := new(policy.Exception)
	if err := json.Unmarshal([]byte(body), e, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("an exception that is kept: %v: %w", err, fault.Mismatch)
	}
	if revoked > 0 {
		e.Revoked = micros(revoked)
	}
	return e, nil
}
