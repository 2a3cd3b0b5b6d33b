package store

import (
	"context"
	"errors"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// GoneNames returns what a blob.Bucket's Prune asks: whether a human name stands for
// something of a scan that is not there any more. Names of objects of scans begin with
// the scan's id; of all others it says no. Prune by it after Root.Collect, or what is
// exported of a scan stays readable when the scan is gone. It asks about each scan once,
// and is not safe for concurrent use.
func (t *Tenant) GoneNames() func(ctx context.Context, name string) (bool, error) {
	known := map[string]bool{}
	return func(ctx context.Context, name string) (bool, error) {
		id, _, ok := strings.Cut(name, "/")
		if !ok || !strings.HasPrefix(id, "scan-") {
			return false, nil
		}
		gone, asked := known[id]
		if asked {
			return gone, nil
		}
		_, err := t.Scans().Job(ctx, id)
		if gone = errors.Is(err, fault.NotFound); err != nil && !gone {
			return false, err
		}
		known[id] = gone
		return gone, nil
	}
}
