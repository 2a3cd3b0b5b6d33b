package attest

import (
	"context"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Signer signs statements about what a tenant keeps. It makes each of them itself, of
// what Facts read anew and verify; what a caller sends is compared with that, and never
// signed. Facts, Keys and Stores are required. A Signer is safe for concurrent use.
type Signer struct {
	// Facts gives what is kept of a tenant's scans.
	Facts func(tenant string) (Facts, error)
	Keys  Keys
	// Stores gives what is kept of a tenant's signatures.
	Stores func(tenant string) (Store, error)
	// Grants say who may have what signed. Without one nobody may have anything.
	Grants []Grant
}

// Caller is who asks, as the edge has authenticated it.
type Caller struct {
	Tenant  string
	Subject string // of the token
}

// Grant lets callers have statements signed. An empty member stands for every one.
type Grant struct {
	Tenants    []string
	Subjects   []string
	Predicates []string // types; see intoto.SamePredicate
}

func (g *Grant) allows(c Caller, predicateType string) bool {
	return (len(g.Tenants) == 0 || slices.Contains(g.Tenants, c.Tenant)) &&
		(len(g.Subjects) == 0 || slices.Contains(g.Subjects, c.Subject)) &&
		(len(g.Predicates) == 0 || slices.ContainsFunc(g.Predicates, func(p string) bool { return intoto.SamePredicate(p, predicateType) }))
}

// Facts read what is kept of one tenant's scans, as what a statement can say of it. It
// is safe for concurrent use.
type Facts interface {
	// Fact returns what is kept of a scan as a predicate of a type. What it returns was
	// read from where it is kept and verified by its digest. The same scan, type and
	// digest give the same bytes; "" chooses the newest document. An error wraps
	// ErrNotFound where there is none, and ErrUnsupported where the type is not one that
	// scans have.
	Fact(ctx context.Context, scanID, predicateType, digest string) (*Fact, error)
}

// Fact is what a statement is made of.
type Fact struct {
	Subjects      []intoto.Subject
	PredicateType string
	Predicate     []byte // a JSON object
	// Digest is that of the document which the predicate is, or is made of: what a caller
	// names to say which one is meant.
	Digest string
}

// Keys are the private keys of tenants, wherever they lie. It is safe for concurrent
// use.
type Keys interface {
	// Current returns the id of the key that signs a tenant's statements of a type from
	// now on. An error wraps ErrNotFound where there is none.
	Current(ctx context.Context, tenant, predicateType string) (string, error)
	// Key returns a key that signs, or has signed, a tenant's statements of a type, by its
	// id. A caller may name any: an error wraps ErrNotFound where it is not there, and
	// ErrForbidden where it is not for that type, or may sign no more.
	Key(ctx context.Context, tenant, id, predicateType string) (Key, error)
}

// Key signs, and says by which public key that is verified.
type Key interface {
	dsse.Signer
	Public() *dsse.PublicKey
}

// Order asks for a signature.
type Order struct {
	ScanID string
	// Predicate is a predicate type, or its short name.
	Predicate string
	// Digest says which document is meant. Content is the document itself; its digest
	// must be the same. Where neither is given, what is kept is signed.
	Digest  string
	Content []byte
	// KeyID is the key that signs; "" for the current one. Who does a job over names the
	// key of the first time.
	KeyID string
}

// Signed is a statement that was signed.
type Signed struct {
	Envelope *dsse.Envelope
	Encoded  []byte // the envelope's canonical JSON
	Payload  string // digest of the payload
	KeyID    string
	Fact     *Fact
}

// Current returns the id of the key that signs a tenant's statements of a type from now
// on, as Keys say.
func (s *Signer) Current(ctx context.Context, tenant, predicateType string) (string, error) {
	return s.Keys.Current(ctx, tenant, predicateType)
}

// Sign makes a statement and signs it, or finds the signature that was made of it
// before by the same key. An error wraps ErrForbidden where the caller may not ask for
// it, and ErrMismatch where the caller means another document than the one that is
// kept.
func (s *Signer) Sign(ctx context.Context, c Caller, o Order) (*Signed, error) {
	signed, err := s.sign(ctx, c, o)
	if err != nil {
		return nil, fmt.Errorf("sign %.80q of scan %.80q: %w", o.Predicate, o.ScanID, err)
	}
	return signed, nil
}

func (s *Signer) sign(ctx context.Context, c Caller, o Order) (*Signed, error) {
	if o.ScanID == "" || o.Predicate == "" || c.Tenant == "" {
		return nil, fmt.Errorf("a tenant, a scan and a predicate type are required: %w", fault.Invalid)
	}
	var err error
	if o.Predicate, err = intoto.PredicateType(o.Predicate); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.Grants, func(g Grant) bool { return g.allows(c, o.Predicate) }) {
		return nil, fmt.Errorf("%.80q of tenant %.80q has no grant for it: %w", c.Subject, c.Tenant, fault.Forbidden)
	}
	digest, err := o.digest()
	if err != nil {
		return nil, err
	}
	fact, err := s.fact(ctx, c.Tenant, o, digest)
	if err != nil {
		return nil, err
	}
	statement := intoto.Statement{Type: intoto.TypeV1, Subjects: fact.Subjects, PredicateType: fact.PredicateType, Predicate: fact.Predicate}
	payload, err := statement.Encode()
	if err != nil {
		return nil, err
	}
	keyID := o.KeyID
	if keyID == "" {
		if keyID, err = s.Keys.Current(ctx, c.Tenant, fact.PredicateType); err != nil {
			return nil, fmt.Errorf("choose a key: %w", err)
		}
	}
	kept, err := s.signature(ctx, c, &Signature{
		Payload: sum.Of(payload), PayloadType: intoto.PayloadType, KeyID: keyID, ScanID: o.ScanID, PredicateType: fact.PredicateType, By: c.Subject,
	}, payload)
	if err != nil {
		return nil, err
	}
	e := &dsse.Envelope{PayloadType: kept.PayloadType, Payload: payload, Signatures: []dsse.Signature{{KeyID: kept.KeyID, Sig: kept.Sig}}}
	encoded, err := e.Encode()
	if err != nil {
		return nil, err
	}
	return &Signed{Envelope: e, Encoded: encoded, Payload: kept.Payload, KeyID: kept.KeyID, Fact: fact}, nil
}

// digest is what the caller says the document has.
func (o *Order) digest() (string, error) {
	if o.Content == nil {
		return o.Digest, nil
	}
	got := sum.Of(o.Content)
	if o.Digest != "" && o.Digest != got {
		return "", &fault.MismatchError{What: "digest of the content that was sent", Want: o.Digest, Got: got}
	}
	return got, nil
}

// fact reads what is signed, and compares it with what the caller means.
func (s *Signer) fact(ctx context.Context, tenant string, o Order, digest string) (*Fact, error) {
	facts, err := s.Facts(tenant)
	if err != nil {
		return nil, err
	}
	fact, err := facts.Fact(ctx, o.ScanID, o.Predicate, digest)
	if err != nil {
		return nil, err
	}
	if digest != "" && fact.Digest != digest {
		return nil, &fault.MismatchError{What: "digest of the document that is kept", Want: digest, Got: fact.Digest}
	}
	if !intoto.SamePredicate(o.Predicate, fact.PredicateType) {
		return nil, &fault.MismatchError{What: "predicate type of what is kept", Want: o.Predicate, Got: fact.PredicateType}
	}
	crashpoint.Hit(crashpoint.SignRead)
	return fact, nil
}

// signature returns the signature that is kept, or makes one. A key that lies is found
// out before anybody sees what it made.
func (s *Signer) signature(ctx context.Context, c Caller, want *Signature, payload []byte) (*Signature, error) {
	store, err := s.Stores(c.Tenant)
	if err != nil {
		return nil, err
	}
	kept, err := store.Signature(ctx, want.Payload, want.KeyID)
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return kept, err
	}
	key, err := s.Keys.Key(ctx, c.Tenant, want.KeyID, want.PredicateType)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", want.KeyID, err)
	}
	message := dsse.PAE(want.PayloadType, payload)
	if want.Sig, err = key.Sign(ctx, message); err != nil {
		return nil, fmt.Errorf("key %s: %w", want.KeyID, err)
	}
	if err := key.Public().Verify(message, want.Sig); err != nil {
		return nil, fmt.Errorf("key %s made something that is no signature of it: %w", want.KeyID, err)
	}
	crashpoint.Hit(crashpoint.SignMade)
	if kept, err = store.KeepSignature(ctx, want); err != nil {
		return nil, fmt.Errorf("keep the signature: %w", err)
	}
	crashpoint.Hit(crashpoint.SignKept)
	return kept, nil
}
