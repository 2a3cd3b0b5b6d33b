package blob

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
)

type opener = func(context.Context, *url.URL) (Driver, error)

// builtIn are the schemes that need no import.
var builtIn = map[string]opener{"mem": openMem, "file": openFile}

var schemes struct {
	sync.Mutex
	open map[string]opener
}

// Register makes a driver known to Open. Drivers call it from init. It panics
// when the scheme is taken.
func Register(scheme string, open func(ctx context.Context, u *url.URL) (Driver, error)) {
	schemes.Lock()
	defer schemes.Unlock()
	if schemes.open == nil {
		schemes.open = map[string]opener{}
	}
	if schemes.open[scheme] != nil || builtIn[scheme] != nil {
		panic("blob: scheme " + scheme + " is registered twice")
	}
	schemes.open[scheme] = open
}

// Open opens the bucket that a URL names. Built in are
//
//	file:some/folder   a folder, which is made where it does not exist
//	file:///some/folder
//	mem:               memory that nothing else can reach; "?bytes=" bounds it,
//	                   by default 268435456, and more is refused with ErrLimit
//
// Other schemes need their driver imported, such as
//
//	import _ "github.com/stella-ops/stella/store/blob/s3blob"
//
// The error for an unknown scheme or query key lists those that exist. Errors
// never show the URL's password.
func Open(ctx context.Context, rawURL string) (*Bucket, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// The parser's reason may quote a password.
		return nil, fmt.Errorf("open bucket: the URL cannot be parsed: want file:folder, mem: or scheme://user:password@bucket?…, with special characters in user and password as %%XX: %w", fault.Invalid)
	}
	schemes.Lock()
	known := maps.Clone(schemes.open)
	schemes.Unlock()
	if known == nil {
		known = map[string]opener{}
	}
	maps.Copy(known, builtIn)
	open := known[u.Scheme]
	if open == nil {
		return nil, fmt.Errorf("open bucket: scheme %q: want one of %s, or import the package of its driver, such as store/blob/s3blob: %w",
			u.Scheme, strings.Join(slices.Sorted(maps.Keys(known)), ", "), fault.Unsupported)
	}
	d, err := open(ctx, u)
	if err != nil {
		password, _ := u.User.Password()
		return nil, redact.Error(fmt.Errorf("open bucket %s: %w", u.Redacted(), err), password)
	}
	return New(d), nil
}

// Query returns the query of a driver's URL. A key that is not known is an error
// that lists those that are, and so is one that is given twice.
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

func openMem(_ context.Context, u *url.URL) (Driver, error) {
	q, err := Query(u, "bytes")
	if err != nil {
		return nil, err
	}
	if u.Host != "" || u.Path != "" || u.Opaque != "" {
		return nil, fmt.Errorf("memory has no address: want mem: alone: %w", fault.Invalid)
	}
	limit := int64(0)
	if s := q.Get("bytes"); s != "" {
		if limit, err = strconv.ParseInt(s, 10, 64); err != nil || limit <= 0 {
			return nil, fmt.Errorf("bytes=%q: want a whole number above 0: %w", s, fault.Invalid)
		}
	}
	return NewMem(limit), nil
}

func openFile(_ context.Context, u *url.URL) (Driver, error) {
	if _, err := Query(u); err != nil {
		return nil, err
	}
	dir := u.Opaque
	if dir == "" {
		dir = u.Path
	} else if s, err := url.PathUnescape(dir); err == nil {
		dir = s
	}
	if u.Host != "" && u.Host != "localhost" || dir == "" {
		return nil, fmt.Errorf("want file:some/folder or file:///some/folder: %w", fault.Invalid)
	}
	return NewFile(dir)
}
