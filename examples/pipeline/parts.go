package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
)

// The tenant's settings: what is decided by, and who hears of it.
const (
	whatWeDecide = `
id: release
version: 1
rules:
  - {id: repairable, match: {severity: ">= high", fix: available}, action: block, because: a repaired version is out}
`
	where = `{"id": "console", "type": "console"}`
	who   = `{"id": "severe", "to": [{"endpoint": "console"}], "match": {"types": ["scan.completed"], "severity": "high"}}`
)

// settings puts a policy in force, and a rule of notifications.
func settings(ctx context.Context, t *store.Tenant) error {
	p, _, err := policyfile.Parse("release.yaml", []byte(whatWeDecide))
	if err != nil {
		return err
	}
	if _, _, err := t.Policy().Add(ctx, p, []byte(whatWeDecide), "ann"); err != nil {
		return err
	}
	if _, err := t.Policy().Activate(ctx, policy.Activation{Policy: policy.Named{ID: p.ID, Version: p.Version}, By: "ann"}); err != nil {
		return err
	}
	for _, s := range []notify.Setting{
		{Kind: notify.SettingEndpoint, ID: "console", Body: []byte(where)},
		{Kind: notify.SettingRule, ID: "severe", Body: []byte(who)},
	} {
		if s.Body, err = notify.Check(s.Kind, s.Body); err != nil {
			return err
		}
		s.Number, s.By = 1, "ann"
		if err := t.Notify().Set(ctx, &s); err != nil {
			return err
		}
	}
	return nil
}

// notary signs verdicts with a key of its own. A service has an attest.Signer, which makes
// statements of what is kept and never of what it is handed.
type notary struct {
	key *dsse.PrivateKey
	// made are the bundles by the digest of the verdict that is signed.
	mu   sync.Mutex
	made map[string][]byte
}

func newNotary() (*notary, error) {
	k, err := key.Generate(key.Ed25519)
	return &notary{key: k, made: map[string][]byte{}}, err
}

// Sign implements scan.Signer: an in-toto statement about the SBOM, in a DSSE envelope.
func (n *notary) Sign(ctx context.Context, e *scan.Evaluation, body []byte) (*scan.Signature, error) {
	s, err := verdict.New(body, e.Job.Summary.SBOMDigest)
	if err != nil {
		return nil, err
	}
	payload, err := s.Encode()
	if err != nil {
		return nil, err
	}
	envelope, err := dsse.Sign(ctx, intoto.PayloadType, payload, n.key)
	if err != nil {
		return nil, err
	}
	text, err := envelope.Encode()
	if err != nil {
		return nil, err
	}
	proof, err := bundle.New(envelope, nil).Encode()
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.made[policy.ContentDigest(body)] = proof
	return &scan.Signature{KeyID: n.key.KeyID(), Envelope: text}, nil
}

// signed verifies what was signed of a verdict, as somebody would who has the key alone.
func (n *notary) signed(digest string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	ring := key.Ring{Members: []key.Member{{Key: n.key.Public(), From: now.Add(-time.Hour).Truncate(time.Second), Purposes: []string{intoto.PredicateVerdict}}}}
	v, err := (&attest.Verifier{Trust: attest.Trust{Keys: ring}}).Verify(context.Background(), n.made[digest], &attest.Expectation{At: now, Predicates: []string{intoto.PredicateVerdict}})
	if err != nil {
		return false
	}
	return policy.ContentDigest(v.Statement.Predicate) == digest
}

// console is a channel that tells a reader of this process.
type console struct{ told chan<- string }

// Render implements notify.Channel.
func (console) Render(m *notify.Message) (*notify.Payload, error) {
	return &notify.Payload{MediaType: "text/plain", Body: []byte(m.Title)}, nil
}

// Send implements notify.Channel.
func (c console) Send(ctx context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	select {
	case c.told <- string(d.Payload.Body):
		return &notify.Receipt{}, nil
	case <-ctx.Done():
		return nil, &notify.Failure{Sent: notify.No, Reason: fmt.Sprint("nobody listens: ", ctx.Err())}
	}
}
