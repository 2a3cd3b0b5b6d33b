package auth

import (
	"context"
	"slices"
)

// Identity is who sends a request, as a door has found out. Nothing else in a request
// decides on tenant, subject or rights.
type Identity struct {
	// Tenant is whose data it is about. "" is for what belongs to no tenant, such as the
	// operator of an installation.
	Tenant string `json:"tenant,omitempty"`
	// Subject is the person or the program; Client the OAuth client that it uses, the
	// same for a program that acts for itself.
	Subject string `json:"sub"`
	Client  string `json:"client_id,omitempty"`
	// Scopes are its rights, sorted and without repetition.
	Scopes []string `json:"scopes,omitempty"`
	// Proof is how the sender was found out: one of the Proof constants.
	Proof string `json:"proof,omitempty"`
}

// How a sender was found out.
const (
	ProofDPoP    = "dpop"    // a token that is bound to a key, and a proof of that key (RFC 9449)
	ProofAPIKey  = "api-key" // a key of its own, for routes of other products' clients
	ProofService = "service" // the process of a service, by its key
)

// Has reports whether the identity has a right.
func (i *Identity) Has(scope string) bool { return slices.Contains(i.Scopes, scope) }

type identityKey struct{}

// NewContext returns a context that has an identity.
func NewContext(ctx context.Context, i *Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, i)
}

// FromContext returns the identity of a context, nil where it has none.
func FromContext(ctx context.Context) *Identity {
	i, _ := ctx.Value(identityKey{}).(*Identity)
	return i
}
