package system

import (
	"context"
	"crypto/ed25519"
	"net/http"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/envelope"
)

// Remote is a system that runs in other processes.
type Remote struct {
	URL string
	// Transport sends requests as the identity in their context, in the name of a system of
	// this process; see [Call].
	Transport func(subject string) http.RoundTripper
}

// Call returns what sends requests to a system elsewhere, signed by this process's key.
func Call(audience, address string, key ed25519.PrivateKey, base http.RoundTripper) *Remote {
	return &Remote{URL: address, Transport: func(subject string) http.RoundTripper {
		return &envelope.Transport{Signer: &envelope.Signer{Name: subject, Key: key}, Audience: audience, Base: base}
	}}
}

// as has requests sent for a tenant by a system of this process.
type as struct {
	http.RoundTripper
	who *auth.Identity
}

func (r *as) RoundTrip(q *http.Request) (*http.Response, error) {
	return r.RoundTripper.RoundTrip(q.WithContext(auth.NewContext(q.Context(), r.who)))
}

func (r *Remote) as(tenant, subject string, scopes ...string) http.RoundTripper {
	return &as{r.Transport(subject), &auth.Identity{Tenant: tenant, Subject: subject, Client: subject, Scopes: scopes, Proof: auth.ProofService}}
}

// jobs are those of a tenant, by callbacks.
func (r *Remote) jobs(tenant string) (scan.Jobs, error) {
	return &scanhttp.Client{URL: r.URL, Transport: r.as(tenant, "worker", auth.ScannerWork)}, nil
}

// remoteSigner asks a Signer elsewhere. It is an export.Signer.
type remoteSigner struct {
	*Remote
	current func(ctx context.Context, tenant, predicateType string) (string, error)
}

func (s *remoteSigner) Current(ctx context.Context, tenant, predicateType string) (string, error) {
	return s.current(ctx, tenant, predicateType)
}

func (s *remoteSigner) Sign(ctx context.Context, c attest.Caller, o attest.Order) (*attest.Signed, error) {
	client := &attesthttp.Client{URL: s.URL, Transport: s.as(c.Tenant, c.Subject, auth.AttestSign)}
	return client.Sign(ctx, o)
}

// remoteAttestor asks an Attestor elsewhere. It is an export.Attestor.
type remoteAttestor struct {
	*Remote
	stores func(tenant string) (attest.Store, error)
}

func (a *remoteAttestor) Attest(ctx context.Context, tenant string, envelope []byte, o *attest.AttestOptions) (*attest.Attestation, *bundle.Bundle, error) {
	id := ""
	if o != nil {
		id = o.ScanID
	}
	client := &attesthttp.Client{URL: a.URL, Transport: a.as(tenant, "export-center", auth.AttestSign)}
	made, err := client.Attest(ctx, envelope, id)
	if err != nil {
		return nil, nil, err
	}
	s, err := a.stores(tenant)
	if err != nil {
		return nil, nil, err
	}
	kept, err := s.Attestation(ctx, made.ID)
	return kept, made.Bundle, err
}
