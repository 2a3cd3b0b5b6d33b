// Package scheme opens backends by URL: drivers register the schemes that they
// know, and an error lists what there is and shows no password.
package scheme

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
)

// Opener opens what a URL names.
type Opener[T any] = func(ctx context.Context, u *url.URL) (T, error)

// Registry knows the drivers of one kind of backend. It is safe for concurrent
// use.
type Registry[T any] struct {
	What    string               // that is opened, such as "bucket"
	Form    string               // of a URL, for who wrote one that cannot be parsed
	Drivers string               // packages that could be imported, such as "store/blob/s3blob"
	BuiltIn map[string]Opener[T] // schemes that need no import
	Tokens  bool                 // a user without a password may be a token

	mu   sync.Mutex
	open map[string]Opener[T]
}

// Register makes a driver known. It panics when the scheme is taken.
func (r *Registry[T]) Register(name string, open Opener[T]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[string]Opener[T]{}
	}
	if r.open[name] != nil || r.BuiltIn[name] != nil {
		panic(r.What + ": scheme " + name + " is registered twice")
	}
	r.open[name] = open
}

// Open opens what a URL names. Errors wrap Invalid, Unsupported, or what the
// driver says.
func (r *Registry[T]) Open(ctx context.Context, rawURL string) (T, error) {
	var none T
	u, err := url.Parse(rawURL)
	if err != nil {
		// The parser's reason may quote a password.
		return none, fmt.Errorf("open %s: the URL cannot be parsed: want %s, with special characters in user and password as %%XX: %w", r.What, r.Form, fault.Invalid)
	}
	known := map[string]Opener[T]{}
	maps.Copy(known, r.BuiltIn)
	r.mu.Lock()
	maps.Copy(known, r.open)
	r.mu.Unlock()
	open := known[u.Scheme]
	if open == nil {
		return none, fmt.Errorf("open %s: scheme %q: want one of %s, or import the package of its driver, such as %s: %w",
			r.What, u.Scheme, strings.Join(slices.Sorted(maps.Keys(known)), ", "), r.Drivers, fault.Unsupported)
	}
	v, err := open(ctx, u)
	if err != nil {
		shown, secret := r.show(u)
		return none, redact.Error(fmt.Errorf("open %s %s: %w", r.What, shown, err), secret)
	}
	return v, nil
}

// show returns a URL as errors may show it, and what they must not.
func (r *Registry[T]) show(u *url.URL) (shown, secret string) {
	password, ok := u.User.Password()
	if ok || !r.Tokens {
		return u.Redacted(), password
	}
	plain := *u
	plain.User = nil
	return plain.String(), u.User.Username()
}

// Query returns the query of a URL. A key that is not known is an error that lists
// those that are, and so is one that is given twice.
func Query(u *url.URL, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("query of the URL: want key=value pairs joined by '&': %w", fault.Invalid)
	}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(known, key) {
			have := "there are none"
			if len(known) > 0 {
				have = "there are " + strings.Join(known, ", ")
			}
			return nil, fmt.Errorf("query key %q of the URL: %s: %w", key, have, fault.Invalid)
		}
		if len(q[key]) > 1 {
			return nil, fmt.Errorf("query key %q of the URL is given twice: %w", key, fault.Invalid)
		}
	}
	return q, nil
}
