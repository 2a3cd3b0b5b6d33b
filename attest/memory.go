package attest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store/blob"
)

// Memory is a Store and Objects that end with the process: for a command that signs once
// and writes the bundle, and for tests. Nobody is sent a message: who wants proofs later
// calls Complete. Now is required; the rest of the zero value is ready. It is safe for
// concurrent use.
type Memory struct {
	// Now is the store's clock.
	Now func() time.Time

	mu           sync.Mutex
	signatures   map[[2]string]*Signature
	attestations map[string]*Attestation
	order        []string // ids, the oldest first
	objects      map[string][]byte
}

var (
	_ Store   = (*Memory)(nil)
	_ Objects = (*Memory)(nil)
)

// Signature returns the signature of a payload by a key.
func (m *Memory) Signature(_ context.Context, payload, keyID string) (*Signature, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.signatures[[2]string{payload, keyID}]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("signature of %.80q by key %.80q: %w", payload, keyID, fault.NotFound)
}

// KeepSignature keeps a signature, unless there is one, and returns the one that is
// kept.
func (m *Memory) KeepSignature(_ context.Context, s *Signature) (*Signature, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := [2]string{s.Payload, s.KeyID}
	if kept := m.signatures[at]; kept != nil {
		return kept, nil
	}
	if m.signatures == nil {
		m.signatures = map[[2]string]*Signature{}
	}
	kept := *s
	kept.Sig, kept.Made = bytes.Clone(s.Sig), m.Now()
	m.signatures[at] = &kept
	return &kept, nil
}

// Keep keeps an attestation, unless there is one of its ID. One that is there wants what
// both want.
func (m *Memory) Keep(_ context.Context, a *Attestation) (*Attestation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := *a
	next.Proofs, next.Made = nil, m.Now()
	if kept := m.attestations[a.ID]; kept != nil {
		next = *kept
		next.Wanted = slices.Compact(slices.Sorted(slices.Values(slices.Concat(kept.Wanted, a.Wanted))))
	} else {
		m.order = append(m.order, a.ID)
	}
	if s := m.signatures[[2]string{a.Payload, a.KeyID}]; s != nil && next.ScanID == "" {
		next.ScanID = s.ScanID
	}
	if m.attestations == nil {
		m.attestations = map[string]*Attestation{}
	}
	m.attestations[a.ID] = &next
	return &next, nil
}

// Prove keeps a proof, unless the attestation has one of its kind.
func (m *Memory) Prove(_ context.Context, id string, p Proof) (*Attestation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.attestations[id]
	if kept == nil {
		return nil, fmt.Errorf("attestation %.80q: %w", id, fault.NotFound)
	}
	if kept.proof(p.Kind) != nil {
		return kept, nil
	}
	next := *kept
	p.Content, p.Made = bytes.Clone(p.Content), m.Now()
	next.Proofs = append(slices.Clip(kept.Proofs), p)
	m.attestations[id] = &next
	return &next, nil
}

// Attestation returns one.
func (m *Memory) Attestation(_ context.Context, id string) (*Attestation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if kept := m.attestations[id]; kept != nil {
		return kept, nil
	}
	return nil, fmt.Errorf("attestation %.80q: %w", id, fault.NotFound)
}

// Find lists attestations.
func (m *Memory) Find(_ context.Context, q Query) (*Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	limit := cmp.Or(q.Limit, 100)
	if limit < 1 || limit > 1000 {
		return nil, fmt.Errorf("a limit of %d: want 1 to 1000: %w", q.Limit, fault.Invalid)
	}
	from := len(m.order)
	if q.After != "" {
		if from = slices.Index(m.order, q.After); from < 0 {
			return nil, fmt.Errorf("cursor %.80q: %w", q.After, fault.Invalid)
		}
	}
	out := new(Page)
	for i := from - 1; i >= 0; i-- {
		a := m.attestations[m.order[i]]
		if q.Subject != "" && !slices.Contains(a.Subjects, q.Subject) || q.PredicateType != "" && q.PredicateType != a.PredicateType || q.ScanID != "" && q.ScanID != a.ScanID {
			continue
		}
		if len(out.Attestations) == limit {
			out.Next = out.Attestations[limit-1].ID
			break
		}
		out.Attestations = append(out.Attestations, *a)
	}
	return out, nil
}

// Put keeps the bytes of r under their content.
func (m *Memory) Put(_ context.Context, r io.Reader) (blob.Ref, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return blob.Ref{}, err
	}
	ref := blob.Ref{Digest: sum.Of(content), Size: int64(len(content))}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[ref.Digest] = content
	return ref, nil
}

// Open reads what Put kept.
func (m *Memory) Open(_ context.Context, ref blob.Ref) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.objects[ref.Digest]
	if !ok {
		return nil, fmt.Errorf("object %.80q: %w", ref.Digest, fault.NotFound)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// Done has nothing to settle: nobody is sent a message.
func (m *Memory) Done(context.Context, string) error { return nil }
