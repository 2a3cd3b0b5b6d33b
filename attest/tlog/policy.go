package tlog

import (
	"bytes"
	"fmt"
	"time"
)

// LogKey is a key that signs for a log.
type LogKey struct {
	// Origin is the first line of the log's checkpoints; "" means the name of the
	// key, which is what it should be.
	Origin string
	Key    *Key
}

// origin is the origin of the log.
func (l LogKey) origin() string {
	if l.Origin == "" {
		return l.Key.name
	}
	return l.Origin
}

// Policy says which logs are believed, and how many witnesses must have co-signed.
// The zero value believes nobody. A policy must not change while it is in use, and is
// then safe for concurrent use.
type Policy struct {
	// Logs are the keys of all logs. A log that changed its key has two.
	Logs []LogKey
	// Witnesses are keys of [TypeCosignature]. A public key counts once, however
	// often and under whatever names it is listed.
	Witnesses []*Key
	// Threshold is how many distinct witnesses must have co-signed; 0 means that
	// none needs to.
	Threshold int
}

// Cosigned is one verified cosignature.
type Cosigned struct {
	Key *Key
	At  time.Time // when it was made, by the witness's clock
}

// Checkpoint is a checkpoint that [Policy.Open] verified.
type Checkpoint struct {
	Tree
	// Key is the key of the log that signed; where several did, the first.
	Key *Key
	// Cosigned are the verified cosignatures, by distinct public keys, in the order
	// of their lines.
	Cosigned []Cosigned
	// Strangers is how many signatures are of keys that the policy does not know.
	// Nothing is known of them.
	Strangers int
	// Text is the whole note.
	Text []byte
}

// Checked is what a verification vouches for.
type Checked struct {
	Checkpoint *Checkpoint
	Index      int64
	Leaf       Hash
}

// Open verifies a checkpoint: its origin is a known log's, a key of that log signed
// it, no signature that names a known key is another's, and enough witnesses
// co-signed. Signatures of keys that are not known are ignored. An error is an
// [*Error], or wraps ErrLimit.
func (p *Policy) Open(checkpoint []byte) (*Checkpoint, error) {
	known, err := p.keyring()
	if err != nil {
		return nil, err
	}
	tree, err := ParseTree(checkpoint)
	if err != nil {
		return nil, err
	}
	signed, err := openNote(checkpoint, known)
	if err != nil {
		return nil, err
	}
	if body := bodyOf(checkpoint); string(body) != tree.text() {
		return nil, &Error{Reason: ReasonMalformed, What: "checkpoint", Detail: "an empty line within the text"}
	}
	c := &Checkpoint{Tree: tree, Text: append([]byte(nil), checkpoint...)}
	c.Strangers = bytes.Count(checkpoint[len(bodyOf(checkpoint))+1:], []byte{'\n'}) - len(signed)
	if err := p.signedByLog(c, signed); err != nil {
		return nil, err
	}
	distinct := map[string]bool{}
	for _, s := range signed {
		if s.key.kind != TypeCosignature || distinct[string(s.key.raw)] {
			continue
		}
		distinct[string(s.key.raw)] = true
		c.Cosigned = append(c.Cosigned, Cosigned{Key: s.key, At: time.Unix(s.at, 0).UTC()})
	}
	if len(c.Cosigned) < p.Threshold {
		return nil, &Error{Reason: ReasonWitness, What: "checkpoint", Detail: fmt.Sprintf("size %d of %s is co-signed by %d witnesses, want %d", c.Size, c.Origin, len(c.Cosigned), p.Threshold)}
	}
	return c, nil
}

// signedByLog finds the signature of a key that signs for the origin.
func (p *Policy) signedByLog(c *Checkpoint, signed []signatureOf) error {
	known := false
	for _, s := range signed {
		for _, l := range p.Logs {
			if l.origin() == c.Origin && l.Key.same(s.key) && c.Key == nil {
				c.Key = s.key
			}
		}
	}
	for _, l := range p.Logs {
		known = known || l.origin() == c.Origin
	}
	detail := fmt.Sprintf("origin %q", c.Origin)
	byLog := false
	for _, s := range signed {
		byLog = byLog || s.key.kind != TypeCosignature
	}
	switch {
	case c.Key != nil:
		return nil
	case byLog:
		return &Error{Reason: ReasonOrigin, What: "checkpoint", Detail: detail + ", signed by a key of another log"}
	case !known:
		return &Error{Reason: ReasonUnknownLog, What: "checkpoint", Detail: detail}
	}
	return &Error{Reason: ReasonUnsigned, What: "checkpoint", Detail: detail}
}

// Verify checks that entry is in a log: the receipt's checkpoint as [Policy.Open]
// does, then that the entry's hash stands at the receipt's index. Size and root are
// those of the verified checkpoint and nothing else. An error is an [*Error], or
// wraps ErrLimit.
func (p *Policy) Verify(entry []byte, r *Receipt) (*Checked, error) {
	return p.VerifyHash(LeafHash(entry), r)
}

// VerifyHash is Verify for an entry whose [LeafHash] is known.
func (p *Policy) VerifyHash(leaf Hash, r *Receipt) (*Checked, error) {
	if r == nil {
		return nil, &Error{Reason: ReasonMalformed, What: "receipt", Detail: "there is none"}
	}
	c, err := p.Open(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	if err := VerifyInclusion(leaf, r.Index, c.Size, c.Root, r.Proof); err != nil {
		return nil, err
	}
	return &Checked{Checkpoint: c, Index: r.Index, Leaf: leaf}, nil
}

// Check returns an [*Error] with [ReasonPolicy] for a policy by which nothing can be
// verified: without logs, with a key that is of the wrong kind, or with a threshold that
// cannot be reached.
func (p *Policy) Check() error {
	_, err := p.keyring()
	return err
}

// keyring checks the policy and returns its keys.
func (p *Policy) keyring() (keyring, error) {
	bad := func(format string, args ...any) error {
		return &Error{Reason: ReasonPolicy, What: "policy", Detail: fmt.Sprintf(format, args...)}
	}
	if p == nil || len(p.Logs) == 0 {
		return nil, bad("no logs")
	}
	if n := len(p.Logs) + len(p.Witnesses); n > MaxKeys {
		return nil, bad("%d keys, the most are %d", n, MaxKeys)
	}
	known, distinct := keyring{}, map[string]bool{}
	add := func(k *Key) error {
		at := keyID{k.name, k.ID()}
		if other := known[at]; other != nil && !other.same(k) {
			return bad("two keys are %s with id %08x", at.name, at.id)
		}
		known[at] = k
		return nil
	}
	for i, l := range p.Logs {
		if l.Key == nil || l.Key.kind == TypeCosignature {
			return nil, bad("log %d has no key that signs for logs", i)
		}
		if err := add(l.Key); err != nil {
			return nil, err
		}
	}
	for i, k := range p.Witnesses {
		if k == nil || k.kind != TypeCosignature {
			return nil, bad("witness %d has no key that co-signs", i)
		}
		distinct[string(k.raw)] = true
		if err := add(k); err != nil {
			return nil, err
		}
	}
	if p.Threshold < 0 || p.Threshold > len(distinct) {
		return nil, bad("a threshold of %d, but %d distinct witnesses", p.Threshold, len(distinct))
	}
	return known, nil
}
