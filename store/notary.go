package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
)

// Notary has a Signer sign the verdicts of scans that complete, for tenants who
// sign. It is a scan.Signer. It holds no scan up: whatever fails, the scan completes
// marked unsigned, and its evidence is signed with its exports, or they say why not.
type Notary struct {
	Signer export.Signer
	// Settings give what a tenant wants: a Center's Of.
	Settings func(ctx context.Context, tenant string) (*export.Settings, error)
	// Report is told why a verdict was not signed. Nil means nobody.
	Report func(error)
}

var _ scan.Signer = (*Notary)(nil)

// notary is who a Notary is to the Signer. Grants name it.
const notary = "scanner-web"

// Sign signs the statement of a verdict. Without a signature and an error nobody wants
// one.
func (n *Notary) Sign(ctx context.Context, e *scan.Evaluation, body []byte) (*scan.Signature, error) {
	s, err := n.sign(ctx, e, body)
	if err == nil {
		return s, nil
	}
	err = fmt.Errorf("the verdict about scan %s is not signed: %w", e.Job.ID, err)
	if n.Report != nil {
		n.Report(err)
	}
	return nil, fmt.Errorf("%v: %w", err, fault.Unavailable)
}

func (n *Notary) sign(ctx context.Context, e *scan.Evaluation, body []byte) (*scan.Signature, error) {
	settings, err := n.Settings(ctx, e.Job.Tenant)
	if err != nil {
		return nil, err
	}
	if settings.Mode == export.Off {
		return nil, nil
	}
	signed, err := n.Signer.Sign(ctx, attest.Caller{Tenant: e.Job.Tenant, Subject: notary}, attest.Order{ScanID: e.Job.ID, Predicate: intoto.PredicateVerdict, Digest: sum.Of(body)})
	if err != nil {
		return nil, err
	}
	if len(signed.Encoded) > scan.MaxInline {
		return nil, &fault.LimitError{What: "bytes of an envelope", Where: "scan " + e.Job.ID, Max: scan.MaxInline, Seen: int64(len(signed.Encoded))}
	}
	return &scan.Signature{KeyID: signed.KeyID, Envelope: signed.Encoded}, nil
}
