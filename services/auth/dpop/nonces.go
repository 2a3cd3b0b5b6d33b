package dpop

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The times of nonces.
const (
	DefaultLife = 5 * time.Minute
	epochAge    = time.Second     // how old an epoch may be that a new nonce is made of
	epochWait   = 2 * time.Second // for the store
)

// MinSecret is the least length of the secret of nonces, in bytes.
const MinSecret = 32

// Epochs says when what was remembered may have been lost. *cache.Cache of store/cache is
// one.
type Epochs interface {
	// Epoch returns a value that changes when keys may have been lost before their time.
	Epoch(ctx context.Context) (string, error)
}

// Nonces makes and checks nonces of a server (RFC 9449 §8, §9) without keeping them: a
// nonce has its time and the store's epoch in it, under a MAC. A nonce may be used for any
// number of proofs until it is Life old, or the epoch changes. It is safe for concurrent
// use and must not be copied or changed once used.
type Nonces struct {
	// Secret has at least MinSecret bytes. Processes that answer for the same origins
	// have the same.
	Secret []byte
	// Audience tells servers apart that have one secret: a nonce of the authorization
	// server is none of a resource server.
	Audience string
	Epochs   Epochs
	Life     time.Duration    // 0 means DefaultLife
	Now      func() time.Time // nil means time.Now

	mu    sync.Mutex
	last  string // epoch
	asked time.Time
	calls epochCalls
}

// A nonce is a version, the second it was made in, a MAC of the epoch, and a MAC of all
// that.
const (
	nonceVersion = 1
	epochLen     = 16
	macLen       = 16
	nonceLen     = 1 + 8 + epochLen + macLen
)

var errNonce = &Error{CodeNonce, "a recent nonce of this server is needed"}

// Issue returns a nonce for the DPoP-Nonce field. The error wraps ErrUnavailable where the
// store is away.
func (n *Nonces) Issue(ctx context.Context) (string, error) {
	if len(n.Secret) < MinSecret || n.Epochs == nil {
		return "", unavailable(errSecret)
	}
	now := n.now()
	n.mu.Lock()
	epoch, fresh := n.last, !n.asked.IsZero() && now.Sub(n.asked) < epochAge && !now.Before(n.asked)
	n.mu.Unlock()
	if !fresh { // an epoch that is old makes a nonce that is refused, no harm else
		var err error
		if epoch, err = n.epoch(ctx); err != nil {
			return "", err
		}
	}
	raw := make([]byte, 9, nonceLen)
	raw[0] = nonceVersion
	binary.BigEndian.PutUint64(raw[1:], uint64(now.Unix()))
	raw = append(raw, n.mac("epoch", []byte(epoch))[:epochLen]...)
	raw = append(raw, n.mac("nonce", raw)[:macLen]...)
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

var errSecret = fmt.Errorf("nonces have no secret of %d bytes, or no epochs", MinSecret)

func (n *Nonces) now() time.Time {
	if n.Now == nil {
		return time.Now()
	}
	return n.Now()
}

// epoch asks the store, and remembers the answer for Issue.
func (n *Nonces) epoch(ctx context.Context) (string, error) {
	epoch, err := n.calls.ask(ctx, n.Epochs)
	if err == nil && epoch == "" {
		err = errors.New("it has no epoch")
	}
	if err != nil {
		return "", unavailable(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last, n.asked = epoch, n.now()
	return epoch, nil
}

func (n *Nonces) mac(what string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, n.Secret)
	fmt.Fprintf(h, "stella dpop %s %d:%s", what, len(n.Audience), n.Audience)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// open returns the parts of a nonce that this server made.
func (n *Nonces) open(nonce string) (made time.Time, epoch []byte, ok bool) {
	raw := make([]byte, nonceLen)
	if len(n.Secret) < MinSecret || len(nonce) != base64.RawURLEncoding.EncodedLen(nonceLen) {
		return time.Time{}, nil, false
	}
	if m, err := base64.RawURLEncoding.Strict().Decode(raw, []byte(nonce)); err != nil || m != nonceLen {
		return time.Time{}, nil, false
	}
	signed, mac := raw[:nonceLen-macLen], raw[nonceLen-macLen:]
	if !hmac.Equal(mac, n.mac("nonce", signed)[:macLen]) || raw[0] != nonceVersion {
		return time.Time{}, nil, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(raw[1:9])), 0), raw[9 : 9+epochLen], true
}

// check checks what needs no store.
func (n *Nonces) check(nonce string) error {
	made, _, ok := n.open(nonce)
	// Another process may have made it, whose clock is ahead.
	if age := n.now().Sub(made); !ok || age >= or(n.Life, DefaultLife) || age < -DefaultFuture {
		return errNonce
	}
	return nil
}

// confirm checks that nothing was lost since the nonce was made. The epoch is asked after
// this call began.
func (n *Nonces) confirm(ctx context.Context, nonce string) error {
	if n.Epochs == nil {
		return unavailable(errSecret)
	}
	_, want, ok := n.open(nonce)
	if !ok {
		return errNonce
	}
	epoch, err := n.epoch(ctx)
	if err != nil {
		return err
	}
	if !hmac.Equal(want, n.mac("epoch", []byte(epoch))[:epochLen]) {
		return errNonce
	}
	return nil
}

// Next returns a nonce to hand out with an answer to a request that carried one, or "" where
// that one is young: a client then never has to try twice (RFC 9449 §8.2).
func (n *Nonces) Next(ctx context.Context, nonce string) string {
	made, _, ok := n.open(nonce)
	if ok && n.now().Sub(made) < or(n.Life, DefaultLife)/2 {
		return ""
	}
	next, err := n.Issue(ctx)
	if err != nil {
		return "" // the client is told when it needs one
	}
	return next
}

// epochCalls joins concurrent questions: who asks gets the answer to a question that began
// after it asked, and at most one waits behind the one that runs.
type epochCalls struct {
	mu            sync.Mutex
	running, next *epochCall
}

type epochCall struct {
	done  chan struct{}
	epoch string
	err   error
}

// ask returns an epoch that was asked for after ask was called.
func (c *epochCalls) ask(ctx context.Context, from Epochs) (string, error) {
	c.mu.Lock()
	var call *epochCall
	switch {
	case c.running == nil:
		call = &epochCall{done: make(chan struct{})}
		c.running = call
		go c.run(from, call)
	case c.next == nil:
		call = &epochCall{done: make(chan struct{})}
		c.next = call
	default:
		call = c.next
	}
	c.mu.Unlock()
	select {
	case <-call.done:
		return call.epoch, call.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// run asks until nobody waits. Its context is nobody's: others wait for it too.
func (c *epochCalls) run(from Epochs, call *epochCall) {
	for call != nil {
		ctx, cancel := context.WithTimeout(context.Background(), epochWait)
		call.epoch, call.err = from.Epoch(ctx)
		cancel()
		c.mu.Lock()
		close(call.done)
		call, c.next = c.next, nil
		c.running = call
		c.mu.Unlock()
	}
}
