package dpop

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// Replay remembers what was seen. *cache.Cache of store/cache is one.
type Replay interface {
	// Add stores value under key for ttl and reports true, or reports false and changes
	// nothing when the key is there. Of any number of concurrent calls for a new key
	// exactly one reports true. After an error the key may have been added.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)
}

// Record makes a checked proof count, once: of any number of calls for one proof, by any
// number of processes that share the store, one returns nil. The error is an *Error for a
// proof that was seen before, and for one whose nonce was given out before the store may
// have lost what it knew; it wraps ErrUnavailable where the store is away.
//
// Call it last, when everything else about the request was found right.
func (v *Verifier) Record(ctx context.Context, p *Proof) error {
	if v.Replay == nil {
		return unavailable(errNoReplay)
	}
	added, err := v.Replay.Add(ctx, p.key(), nil, v.keep())
	if err != nil {
		return unavailable(err)
	}
	if !added {
		return refuse("it was used before")
	}
	if v.Nonces == nil {
		return nil
	}
	// Only now: what was lost before Add shows in an epoch that is asked after it.
	return v.Nonces.confirm(ctx, p.Nonce)
}

var errNoReplay = errors.New("there is none")

// key names a proof by its key too: else somebody could burn the jti of another. URL and
// method are in it as they were compared, so no other spelling is another proof.
func (p *Proof) key() string {
	h := sha256.New()
	for _, part := range []string{p.JKT, p.Method, p.URL, p.ID} {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return "dpop:" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
