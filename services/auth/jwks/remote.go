package jwks

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The times of a Remote where it does not say others.
const (
	DefaultRefresh = 5 * time.Minute
	DefaultMaxAge  = time.Hour
	DefaultTimeout = 5 * time.Second
)

const (
	pause      = 30 * time.Second // between two requests while a set is known
	shortPause = time.Second      // between two requests while none is
)

// Remote is a source of keys that are fetched from an address, such as the jwks_uri of an
// issuer. A set is used until it is Refresh old and then fetched anew in the background.
// An id that is not in it has the set fetched at once, at most every 30 seconds, however
// many unknown ids are asked for. While the address does not answer, the last set is used
// until it is MaxAge old; then every key is unavailable.
//
// So a key that the issuer publishes Refresh before it signs by it is known in time, and
// one that it takes away is used for Refresh at most, or MaxAge where the address does not
// answer. Make it with its fields; it is safe for concurrent use and must not be copied.
type Remote struct {
	// URL is https, or http where Insecure says so: on one machine, for development.
	URL      string
	Insecure bool
	// Transport is the way out, such as one of a network door; it must not be nil.
	// Redirects are not followed.
	Transport http.RoundTripper
	Refresh   time.Duration    // 0 means DefaultRefresh
	MaxAge    time.Duration    // 0 means DefaultMaxAge
	Timeout   time.Duration    // of one request; 0 means DefaultTimeout
	Now       func() time.Time // nil means time.Now

	mu      sync.Mutex
	set     *Set
	fetched time.Time     // when the set was asked for
	tried   time.Time     // when the last request began
	failed  error         // of the last request
	running chan struct{} // closed when the request that runs ends; nil where none runs
}

// Key returns the key of an id. The error wraps ErrNotFound where the issuer does not have
// it, and ErrUnavailable where that cannot be told.
func (r *Remote) Key(ctx context.Context, id string) (Key, error) {
	k, known, wait := r.look(id)
	if known {
		return k, nil
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return Key{}, fmt.Errorf("keys of the issuer: %w: %w", fault.Unavailable, ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.usable().Lookup(id); ok {
		return k, nil
	}
	if r.failed != nil || r.usable() == nil {
		return Key{}, fmt.Errorf("keys of the issuer: the last request for them failed: %w", fault.Unavailable)
	}
	return Key{}, errUnknown
}

// look returns a key that is known, or what to wait for. It begins a request where one is
// due.
func (r *Remote) look(id string) (Key, bool, chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, set := r.now(), r.usable()
	k, known := set.Lookup(id)
	refresh := r.Refresh
	if refresh <= 0 {
		refresh = DefaultRefresh
	}
	gap := pause
	if set == nil {
		gap = shortPause
	}
	due := !known || now.Sub(r.fetched) >= refresh
	if due && r.running == nil && (r.tried.IsZero() || now.Sub(r.tried) >= gap) {
		r.tried, r.running = now, make(chan struct{})
		go r.fetch(now, r.running)
	}
	return k, known, r.running
}

// usable is the set, nil where there is none or it is too old. The lock is held.
func (r *Remote) usable() *Set {
	age := r.MaxAge
	if age <= 0 {
		age = DefaultMaxAge
	}
	if r.set == nil || r.now().Sub(r.fetched) >= age {
		return nil
	}
	return r.set
}

func (r *Remote) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// fetch does not end with whoever began it: others wait for it too.
func (r *Remote) fetch(began time.Time, done chan struct{}) {
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	set, err := r.get(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed = err; err == nil {
		r.set, r.fetched = set, began
	}
	r.running = nil
	close(done)
}

func (r *Remote) get(ctx context.Context) (*Set, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(r.Insecure && u.Scheme == "http") {
		return nil, fmt.Errorf("the address of keys is not https: %w", fault.Invalid)
	}
	if r.Transport == nil {
		return nil, fmt.Errorf("the keys' source has no transport: %w", fault.Invalid)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("the address of keys: %w", fault.Invalid)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := r.Transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w: %w", fault.Unavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch keys: the answer is %d: %w", resp.StatusCode, fault.Unavailable)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("fetch keys: %w: %w", fault.Unavailable, err)
	}
	return Parse(text)
}

// Failure is why the last request failed, nil where it did not: for logs and metrics.
func (r *Remote) Failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}
