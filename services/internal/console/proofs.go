package console

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
)

var proofRoutes = []route{
	{pattern: "GET proofs", serve: proofs},
	{pattern: "GET proofs/verify", serve: verifyForm},
	{pattern: "POST proofs/verify", large: true, serve: verifyUpload},
	{pattern: "GET proofs/trust-root", serve: trustRoot},
	{pattern: "GET proofs/trust-root/file", serve: trustRootFile},
	{pattern: "GET proofs/exports", serve: exportSettings},
	{pattern: "POST proofs/exports", serve: setExportSettings},
	{pattern: "GET proofs/{attestation}", serve: attestation},
	{pattern: "GET proofs/{attestation}/bundle", serve: attestationBundle},
}

// proofsView is a list of attestations, the newest first.
type proofsView struct {
	Page  *attest.Page
	Query attest.Query
	Next  string
	Wrong []string
}

func proofs(v *visit) error {
	d := &proofsView{Query: attest.Query{Subject: v.form("subject"), PredicateType: v.form("type"), ScanID: v.form("scan"), After: v.form("after"), Limit: pageRows}}
	page, err := v.api.proofs.Find(v.ctx(), d.Query)
	status := http.StatusOK
	if err != nil {
		var ok bool
		if d.Wrong, status, ok = said(err); !ok {
			return err
		}
		page = new(attest.Page)
	}
	d.Page, d.Next = page, v.onward(page.Next)
	return v.show(status, "proofs", "Proofs", d)
}

// Short names a predicate type as people do.
func (d *proofsView) Short(predicate string) string { return shortPredicate(predicate) }

func shortPredicate(predicate string) string {
	if k := intoto.KindOf(predicate); k != "" {
		return string(k)
	}
	return predicate
}

// statementView is what an envelope says. It is read here: who signed it says what verifies it.
type statementView struct {
	PayloadType   string
	PredicateType string
	Kind          string // the predicate type's short name
	Subjects      []subjectRow
	More          int // subjects that are not shown
	Predicate     string
	Wrong         string // why it cannot be read as a statement
}

// subjectRow is a thing that a statement is about.
type subjectRow struct {
	Name    string
	Digests []string
}

// The bounds of what a page shows of a statement.
const (
	maxSubjects  = 50
	maxPredicate = 100_000 // bytes
)

func statementOf(e *dsse.Envelope) *statementView {
	out := &statementView{PayloadType: e.PayloadType}
	s, err := intoto.Decode(e.PayloadType, e.Payload)
	if err != nil {
		out.Wrong = reason(err)
		return out
	}
	out.PredicateType, out.Kind = s.PredicateType, shortPredicate(s.PredicateType)
	for _, x := range s.Subjects {
		if len(out.Subjects) == maxSubjects {
			out.More = len(s.Subjects) - maxSubjects
			break
		}
		row := subjectRow{Name: x.Name}
		for _, a := range slices.Sorted(maps.Keys(x.Digests)) {
			row.Digests = append(row.Digests, a+":"+x.Digests[a])
		}
		out.Subjects = append(out.Subjects, row)
	}
	if s.Predicate != nil {
		out.Predicate = clip(pretty(s.Predicate), maxPredicate)
	}
	return out
}

// loggedRow is an entry of a log in a bundle.
type loggedRow struct {
	Kind   string
	Index  int64 // in its tree
	Size   int64
	Origin string // what the checkpoint calls the log
}

// attestationView is one attestation.
type attestationView struct {
	ID         string
	Version    int
	Missing    []attest.ProofKind
	Says       *statementView
	Signatures []dsse.Signature
	Hint       string
	Certified  int // certificates
	Logged     []loggedRow
	Stamps     int
}

func attestation(v *visit) error {
	a, err := v.api.proofs.Attestation(v.ctx(), v.r.PathValue("attestation"))
	if err != nil {
		return err
	}
	m := &a.Bundle.Material
	d := &attestationView{ID: a.ID, Version: a.Version, Missing: a.Missing, Says: statementOf(a.Bundle.Envelope), Signatures: a.Bundle.Envelope.Signatures, Hint: m.KeyHint, Certified: len(m.Certificates), Stamps: len(m.Timestamps)}
	for i := range m.Entries {
		d.Logged = append(d.Logged, loggedOf(&m.Entries[i]))
	}
	return v.show(http.StatusOK, "attestation", "Attestation: "+d.Says.Kind, d)
}

func loggedOf(e *bundle.Entry) loggedRow {
	row := loggedRow{Kind: e.Kind + " " + e.Version, Index: e.LogIndex}
	if e.Proof != nil {
		row.Index, row.Size = e.Proof.LogIndex, e.Proof.TreeSize
		row.Origin, _, _ = strings.Cut(e.Proof.Checkpoint, "\n")
	}
	return row
}

func attestationBundle(v *visit) error {
	a, err := v.api.proofs.Attestation(v.ctx(), v.r.PathValue("attestation"))
	if err != nil {
		return err
	}
	return v.download(strings.TrimPrefix(a.ID, "sha256:")[:16]+".sigstore.json", a.Encoded)
}

// rootView is by what others check the tenant's bundles.
type rootView struct {
	Keys        []trustKey
	Logs        []string
	Witnesses   int
	Threshold   int
	Authorities []trustAuthority
	Sigstore    bool
}

// trustKey is a key that is believed.
type trustKey struct {
	ID       string
	From, To time.Time
	Purposes []string
	Revoked  string // since when and why, "" where it is not
}

// trustAuthority is an authority whose timestamps are believed.
type trustAuthority struct {
	Name     string
	From, To time.Time
}

func trustRoot(v *visit) error {
	r, err := v.api.proofs.Root(v.ctx())
	if err != nil {
		return err
	}
	d := &rootView{Witnesses: len(r.Logs.Witnesses), Threshold: r.Logs.Threshold, Sigstore: r.Sigstore != nil}
	for _, m := range r.Keys.Members {
		k := trustKey{ID: m.Key.KeyID(), From: m.From, To: m.To, Purposes: m.Purposes}
		if m.Revoked != nil {
			k.Revoked = fmt.Sprintf("since %s: %s", when(m.Revoked.At), m.Revoked.Reason)
			if m.Revoked.At.IsZero() {
				k.Revoked = "from the beginning: " + m.Revoked.Reason
			}
		}
		d.Keys = append(d.Keys, k)
	}
	for _, l := range r.Logs.Logs {
		name := l.Origin
		if name == "" {
			name = l.Key.Name()
		}
		d.Logs = append(d.Logs, name)
	}
	for _, a := range r.Authorities {
		d.Authorities = append(d.Authorities, trustAuthority{a.Name, a.From, a.To})
	}
	return v.show(http.StatusOK, "trustroot", "Trust root", d)
}

func trustRootFile(v *visit) error {
	r, err := v.api.proofs.Root(v.ctx())
	if err != nil {
		return err
	}
	text, err := r.Encode()
	if err != nil {
		return err
	}
	return v.download("trust.json", text)
}
