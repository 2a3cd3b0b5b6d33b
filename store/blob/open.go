package blob

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/scheme"
)

var drivers = scheme.Registry[Driver]{
	What: "bucket", Form: "file:folder, mem: or scheme://user:password@bucket?…", Drivers: "store/blob/s3blob",
	BuiltIn: map[string]scheme.Opener[Driver]{"mem": openMem, "file": openFile},
}

// Register makes a driver known to Open. Drivers call it from init. It panics
// when the scheme is taken.
func Register(name string, open func(ctx context.Context, u *url.URL) (Driver, error)) {
	drivers.Register(name, open)
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
	d, err := OpenDriver(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	return New(d), nil
}

// OpenDriver opens the driver that a URL names as Open does, for who keeps objects by
// names of its own, such as the tiles of a log.
func OpenDriver(ctx context.Context, rawURL string) (Driver, error) { return drivers.Open(ctx, rawURL) }

// Query returns the query of a driver's URL. A key that is not known is an error
// that lists those that are, and so is one that is given twice.
func Query(u *url.URL, known ...string) (url.Values, error) { return scheme.Query(u, known...) }

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
