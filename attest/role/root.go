package role

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
)

// Root says who holds the roles of a feed. To change it, take the one that
// stands, raise Version by one, change it, and sign it with keys of the old and
// of the new root role.
type Root struct {
	Feed    string // the feed's name, which never changes, such as "advisories.example"
	Version int64
	Expires time.Time // whole seconds
	Roles   map[Role]Holders
}

// Holders are the keys of a role and how many of them must sign.
type Holders struct {
	Threshold int // of distinct keys, at least 1
	Keys      []*dsse.PublicKey
}

// Keys makes holders of one key or more.
func Keys(threshold int, keys ...*dsse.PublicKey) Holders {
	return Holders{Threshold: threshold, Keys: keys}
}

func (h Holders) trust() dsse.Trust {
	t := dsse.Trust{Threshold: h.Threshold}
	for _, k := range h.Keys {
		t.Keys = append(t.Keys, k)
	}
	return t
}

// Sign returns the root's file. It may have too few signatures yet: another
// holder adds one with dsse.Decode, Envelope.Sign and Encode, after having looked
// at it with [DecodeRoot]. A root that no client could use is refused.
func (r *Root) Sign(ctx context.Context, signers ...dsse.Signer) ([]byte, error) {
	p := &rootPayload{header: newHeader(r.Feed, r.Version, r.Expires), Roles: map[Role]*wireHolders{}}
	for name, h := range r.Roles {
		w := &wireHolders{Threshold: h.Threshold}
		for _, k := range h.Keys {
			if k == nil {
				return nil, fmt.Errorf("sign root %d: %w", r.Version, &Error{Reason: ReasonKeys, File: File(RoleRoot, r.Version), Detail: string(name) + ": a nil key"})
			}
			w.Keys = append(w.Keys, base64.StdEncoding.EncodeToString(k.DER()))
		}
		slices.Sort(w.Keys)
		p.Roles[name] = w
	}
	return seal(ctx, RoleRoot, p, signers)
}

// DecodeRoot reads a root's file and believes it: no signature is verified. It
// is for looking at a root before signing it, and for the root of a [State],
// which was verified.
func DecodeRoot(file []byte) (*Root, error) {
	p := new(rootPayload)
	if _, err := peek(RoleRoot, "root", file, p); err != nil {
		return nil, err
	}
	return p.root(), nil
}

// readRoot reads a root that vouches for itself.
func readRoot(name string, file []byte) (*Root, error) {
	p := new(rootPayload)
	if _, err := peek(RoleRoot, name, file, p); err != nil {
		return nil, err
	}
	r := p.root()
	if _, err := r.verify(RoleRoot, name, file, new(rootPayload)); err != nil {
		return nil, err
	}
	return r, nil
}

// next reads the root that follows r: signed by the holders of both.
func (r *Root) next(name string, file []byte) (*Root, error) {
	p := new(rootPayload)
	if _, err := r.verify(RoleRoot, name, file, p); err != nil {
		return nil, err
	}
	n := p.root()
	if _, err := n.verify(RoleRoot, name, file, new(rootPayload)); err != nil {
		return nil, err
	}
	switch {
	case n.Version <= r.Version:
		return nil, &Error{Reason: ReasonRollback, File: name, Detail: fmt.Sprintf("version %d after %d", n.Version, r.Version)}
	case n.Version != r.Version+1:
		return nil, &Error{Reason: ReasonSkipped, File: name, Detail: fmt.Sprintf("version %d after %d", n.Version, r.Version)}
	}
	return n, nil
}

func (r *Root) expired(at time.Time) error {
	h := newHeader(r.Feed, r.Version, r.Expires)
	return h.expired(File(RoleRoot, r.Version), at)
}

// rootPayload is the JSON of a root.
type rootPayload struct {
	//lint:ignore SA5008 an option of encoding/json/v2
	header `json:",embed"`
	Roles  map[Role]*wireHolders `json:"roles"`
}

type wireHolders struct {
	Keys      []string `json:"keys"` // base64 of SubjectPublicKeyInfo
	Threshold int      `json:"threshold"`

	keys []*dsse.PublicKey
}

// check also reads the keys.
func (p *rootPayload) check() error {
	if err := p.checkHeader(); err != nil {
		return err
	}
	for _, name := range roles {
		h := p.Roles[name]
		if h == nil {
			return &Error{Reason: ReasonKeys, Detail: string(name) + " has no holders"}
		}
		if err := h.check(name); err != nil {
			return err
		}
	}
	if len(p.Roles) != len(roles) {
		return malformed("%d roles: want root, timestamp, snapshot and targets", len(p.Roles))
	}
	return nil
}

func (h *wireHolders) check(name Role) error {
	unusable := func(format string, args ...any) error {
		return &Error{Reason: ReasonKeys, Detail: string(name) + ": " + fmt.Sprintf(format, args...)}
	}
	if len(h.Keys) > MaxKeys {
		return unusable("%d keys: the limit is %d", len(h.Keys), MaxKeys)
	}
	h.keys = nil
	for i, text := range h.Keys {
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return unusable("key %d: %v", i, err)
		}
		k, err := dsse.ParsePublicKeyDER(der)
		if err != nil {
			return unusable("key %d: %v", i, err)
		}
		// Another encoding of a key would be a second name for it.
		if !bytes.Equal(k.DER(), der) || slices.Index(h.Keys, text) != i || len(text) != base64.StdEncoding.EncodedLen(len(der)) {
			return unusable("key %d is written twice, or in another way than it is", i)
		}
		h.keys = append(h.keys, k)
	}
	if h.Threshold < 1 || h.Threshold > len(h.keys) {
		return unusable("a threshold of %d of %d keys", h.Threshold, len(h.keys))
	}
	return nil
}

func (p *rootPayload) root() *Root {
	r := &Root{Feed: p.Feed, Version: p.Version, Expires: p.expires, Roles: map[Role]Holders{}}
	for name, h := range p.Roles {
		r.Roles[name] = Holders{Threshold: h.Threshold, Keys: h.keys}
	}
	return r
}
