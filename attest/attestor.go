package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// Attestor takes envelopes of signers that it knows, keeps them, has them timestamped
// and logged, and keeps what proves that. It never signs, and believes neither the
// signer nor the log. Trust, Stores, Objects and Now are required. An Attestor is safe
// for concurrent use.
type Attestor struct {
	// Trust gives whom a tenant believes: its signers, and the parties below.
	Trust func(ctx context.Context, tenant string) (*Trust, error)
	// Stores give what is kept of a tenant, and Objects its envelopes.
	Stores  func(tenant string) (Store, error)
	Objects func(tenant string) (Objects, error)
	// Log enters signatures, and Stamper says when they were there. Nil: there is none,
	// and whoever wants its proof gets an error.
	Log     Log
	Stamper Stamper
	// Now is the time at which signers must be trusted.
	Now func() time.Time
	// Patience is how long Attest waits for proofs before it leaves them to the queue.
	// Default: DefaultPatience.
	Patience time.Duration
}

// DefaultPatience is how long an Attestor waits for proofs where nothing else is said.
const DefaultPatience = 10 * time.Second

// AttestOptions say what is wanted. Nil means neither.
type AttestOptions struct {
	// ScanID is the scan that it is about; "" where the store knows it by the signature,
	// or there is none.
	ScanID string
	// Logged asks for an entry of the log, and for a timestamp where there is an
	// authority.
	Logged bool
}

// Attest verifies an encoded envelope, keeps it, and has it proved. It returns what is
// kept, and its bundle. Where a party is away, or takes longer than Patience, that is
// no error: the attestation says what is missing, the bundle lacks it, and a message is
// queued that completes both. Doing it over gives the same attestation. An error wraps
// ErrMismatch where no known signer signed it.
func (a *Attestor) Attest(ctx context.Context, tenant string, envelope []byte, o *AttestOptions) (*Attestation, *bundle.Bundle, error) {
	kept, e, err := a.keep(ctx, tenant, envelope, o)
	if err != nil {
		return nil, nil, fmt.Errorf("attest: %w", err)
	}
	if len(kept.Missing()) > 0 {
		patience := a.Patience
		if patience == 0 {
			patience = DefaultPatience
		}
		short, cancel := context.WithTimeout(ctx, patience)
		kept, err = a.prove(short, tenant, kept, e)
		cancel()
		if err != nil && fault.KindOf(err) != fault.Unavailable && !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return nil, nil, fmt.Errorf("attest %s: %w", kept.ID, errors.Join(err, ctx.Err()))
		}
	}
	b, err := kept.bundle(e)
	if err != nil {
		return nil, nil, fmt.Errorf("attest %s: %w", kept.ID, err)
	}
	return kept, b, nil
}

// keep verifies an envelope and keeps it.
func (a *Attestor) keep(ctx context.Context, tenant string, text []byte, o *AttestOptions) (*Attestation, *dsse.Envelope, error) {
	e, err := dsse.Decode(text)
	if err != nil {
		return nil, nil, err
	}
	if len(e.Signatures) != 1 {
		return nil, nil, fmt.Errorf("an envelope with %d signatures: want one, so that a bundle can hold it: %w", len(e.Signatures), fault.Invalid)
	}
	trust, err := a.Trust(ctx, tenant)
	if err != nil {
		return nil, nil, err
	}
	v := Verifier{Trust: *trust}
	verified, signer, err := v.envelope(e, nil, &Expectation{At: a.Now()})
	if err != nil {
		return nil, nil, err
	}
	statement := verified.Statement
	// The hint is the key's own from here on, and the text the canonical one: what is
	// kept has one spelling, whoever sent it.
	e.Signatures[0].KeyID = signer.KeyID()
	if text, err = e.Encode(); err != nil {
		return nil, nil, err
	}
	kept := &Attestation{ID: sum.Of(text), Payload: sum.Of(e.Payload), KeyID: signer.KeyID(), PredicateType: statement.PredicateType, Subjects: statement.Digests()}
	if o != nil {
		kept.ScanID = o.ScanID
		if kept.Wanted, err = a.wanted(o); err != nil {
			return nil, nil, err
		}
	}
	crashpoint.Hit(crashpoint.AttestVerified)
	store, err := a.Stores(tenant)
	if err != nil {
		return nil, nil, err
	}
	for try := 0; ; try++ {
		if err := a.store(ctx, tenant, kept, text); err != nil {
			return nil, nil, err
		}
		out, err := store.Keep(ctx, kept)
		if fault.KindOf(err) == fault.Conflict && try < 3 { // a collection was taking the object: it is put again
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("keep it: %w", err)
		}
		crashpoint.Hit(crashpoint.AttestKept)
		return out, e, nil
	}
}

// wanted are the proofs that are asked for.
func (a *Attestor) wanted(o *AttestOptions) ([]ProofKind, error) {
	if !o.Logged {
		return nil, nil
	}
	if a.Log == nil {
		return nil, fmt.Errorf("a log is asked for and %w: %w", errNoParty, fault.Unsupported)
	}
	out := []ProofKind{ProofLog}
	if a.Stamper != nil {
		out = append(out, ProofTimestamp)
	}
	return out, nil
}

// store keeps the envelope as an object, and in the row where it is small.
func (a *Attestor) store(ctx context.Context, tenant string, kept *Attestation, text []byte) error {
	objects, err := a.Objects(tenant)
	if err != nil {
		return err
	}
	if kept.Ref, err = objects.Put(ctx, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("keep the envelope: %w", err)
	}
	if len(text) <= MaxInline {
		kept.Envelope = text
	}
	crashpoint.Hit(crashpoint.AttestObject)
	return nil
}

// Complete has an attestation proved that lacks something. An error wraps ErrUnavailable
// where a party is away; what another one said is kept all the same.
func (a *Attestor) Complete(ctx context.Context, tenant, id string) (*Attestation, error) {
	kept, e, err := a.read(ctx, tenant, id)
	if err != nil {
		return nil, fmt.Errorf("complete attestation %.80s: %w", id, err)
	}
	if kept, err = a.prove(ctx, tenant, kept, e); err != nil {
		return kept, fmt.Errorf("complete attestation %s: %w", id, err)
	}
	return kept, nil
}

// Bundle returns an attestation with its bundle, as it stands.
func (a *Attestor) Bundle(ctx context.Context, tenant, id string) (*Attestation, *bundle.Bundle, error) {
	kept, e, err := a.read(ctx, tenant, id)
	if err != nil {
		return nil, nil, fmt.Errorf("attestation %.80s: %w", id, err)
	}
	b, err := kept.bundle(e)
	return kept, b, err
}

// read returns an attestation and its envelope, which is verified by its digest.
func (a *Attestor) read(ctx context.Context, tenant, id string) (*Attestation, *dsse.Envelope, error) {
	store, err := a.Stores(tenant)
	if err != nil {
		return nil, nil, err
	}
	kept, err := store.Attestation(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	text := kept.Envelope
	if text == nil {
		if text, err = a.object(ctx, tenant, kept); err != nil {
			return nil, nil, err
		}
	}
	if got := sum.Of(text); got != kept.ID {
		return nil, nil, &fault.MismatchError{What: "digest of the envelope that is kept", Want: kept.ID, Got: got}
	}
	e, err := dsse.Decode(text)
	return kept, e, err
}

func (a *Attestor) object(ctx context.Context, tenant string, kept *Attestation) ([]byte, error) {
	objects, err := a.Objects(tenant)
	if err != nil {
		return nil, err
	}
	r, err := objects.Open(ctx, kept.Ref)
	if err != nil {
		return nil, fmt.Errorf("its envelope: %w", err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, dsse.MaxEnvelope+1))
	if err != nil {
		return nil, fmt.Errorf("its envelope: %w", err)
	}
	return text, nil
}

// prove asks the parties whose proofs are missing, each once. What they say is verified
// before it is kept. One that is away does not keep the other from being asked.
func (a *Attestor) prove(ctx context.Context, tenant string, kept *Attestation, e *dsse.Envelope) (*Attestation, error) {
	trust, err := a.Trust(ctx, tenant)
	if err != nil {
		return kept, err
	}
	store, err := a.Stores(tenant)
	if err != nil {
		return kept, err
	}
	v := Verifier{Trust: *trust}
	key := v.key(kept.KeyID)
	if key == nil {
		return kept, refuse(ReasonUnsigned, "signature", "key "+kept.KeyID+" is trusted no more", nil)
	}
	var failed []error
	for _, kind := range slices.Backward(kept.Missing()) { // the timestamp first: it says that the signature was there before the log had it
		proof, err := a.ask(ctx, &v, kind, e, key)
		if err == nil {
			var next *Attestation
			if next, err = store.Prove(ctx, kept.ID, *proof); err == nil {
				kept = next
				crashpoint.Hit(crashpoint.AttestProved)
			}
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", kind, err))
		}
	}
	return kept, errors.Join(failed...)
}

// ask has one party prove a signature, and verifies what it says.
func (a *Attestor) ask(ctx context.Context, v *Verifier, kind ProofKind, e *dsse.Envelope, key *dsse.PublicKey) (*Proof, error) {
	switch {
	case kind == ProofTimestamp && a.Stamper != nil:
		token, err := a.Stamper.Stamp(ctx, e.Signatures[0].Sig)
		if err != nil {
			return nil, err
		}
		if _, err := v.stamp(token, e.Signatures[0].Sig, a.Now()); err != nil {
			return nil, fmt.Errorf("authority %s: %w", a.Stamper.Name(), err)
		}
		crashpoint.Hit(crashpoint.AttestStamped)
		return &Proof{Kind: kind, Source: a.Stamper.Name(), Content: token}, nil
	case kind == ProofLog && a.Log != nil:
		r := record(e, key)
		entry, err := a.Log.Enter(ctx, r)
		if err != nil {
			return nil, err
		}
		if _, err := v.entry(entry, r); err != nil {
			return nil, fmt.Errorf("log %s: %w", a.Log.Name(), err)
		}
		entry.Promise = bundle.Promise{} // what nobody verifies has no place in what is handed on
		content, err := entry.Encode()
		if err != nil {
			return nil, fmt.Errorf("log %s: %w", a.Log.Name(), err)
		}
		crashpoint.Hit(crashpoint.AttestLogged)
		return &Proof{Kind: kind, Source: a.Log.Name(), Content: content}, nil
	}
	return nil, fmt.Errorf("%w: %w", errNoParty, fault.Unavailable)
}

// bundle puts an envelope and its proofs together, as they stand.
func (a *Attestation) bundle(e *dsse.Envelope) (*bundle.Bundle, error) {
	b := bundle.New(e, nil)
	if p := a.proof(ProofTimestamp); p != nil {
		b.Material.Timestamps = [][]byte{p.Content}
	}
	if p := a.proof(ProofLog); p != nil {
		entry, err := bundle.DecodeEntry(p.Content)
		if err != nil {
			return nil, fmt.Errorf("the log's entry that is kept: %w", err)
		}
		b.Material.Entries = []bundle.Entry{*entry}
	}
	return b, nil
}

// Handle completes the attestation that a message of attestor:submissions names. It
// reads them in the group attestor-workers. Messages of other types are left alone. A
// nil error means that the message is done; where a party is away it is brought again.
func (a *Attestor) Handle(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil || e.Type != event.AttestationKept {
		return err
	}
	d, err := event.DecodeSubmission(e)
	if err != nil {
		return err
	}
	_, err = a.Complete(ctx, e.Tenant, d.Attestation)
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	store, err := a.Stores(e.Tenant)
	if err != nil {
		return err
	}
	return store.Done(ctx, e.ID) // it is gone
}
