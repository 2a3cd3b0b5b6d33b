// Package door holds how sources of any domain reach their publishers. Domains
// give these types names of their own.
package door

import (
	"context"
	"io"
)

// Door is how sources reach their publishers: over the network, from a mirror,
// or from a folder. Package advisory/feed has them. It is safe for concurrent use.
type Door interface {
	// Open asks for one address. An error wraps the kind not found, unavailable,
	// forbidden, limit or invalid.
	Open(ctx context.Context, r Request) (*Response, error)
}

// Request asks for one address.
type Request struct {
	URL string
	// ETag and Modified are of the answer that is known; both may be empty.
	ETag, Modified string
	// Accept is the media type that is wanted; "" for any.
	Accept string
	// Max bounds the answer's bytes. Zero means 4 GiB.
	Max int64
}

// Response is an answer. Its body must be closed.
type Response struct {
	// Body ends with an error where the answer is cut short: what was read
	// without one is complete. It is nil where NotModified.
	Body io.ReadCloser
	// Size is the length in bytes, -1 where that is not known.
	Size int64
	// ETag and Modified are for the next Request.
	ETag, Modified string
	// NotModified says that what is known is current.
	NotModified bool
	// URL is where the answer came from: a mirror's address, or a file's path.
	URL string
}
