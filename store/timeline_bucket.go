package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/blob"
)

// CheckpointBucket keeps checkpoints of timelines as objects that have names made of
// their number and their digest, so that two of a number are two objects and neither
// replaces the other. It is a timeline.Sink. The bucket is one that the owner of the
// database cannot change, best with a lock on its objects.
type CheckpointBucket struct{ Bucket *blob.Bucket }

var _ timeline.Sink = (*CheckpointBucket)(nil)

// checkpointName is "timeline/TENANT/NUMBER-DIGEST-SIZE.json", with as many digits that
// names are sorted by their numbers.
func checkpointName(tenant string, number int64, ref blob.Ref) string {
	return fmt.Sprintf("timeline/%s/%018d-%s-%d.json", tenant, number, strings.TrimPrefix(ref.Digest, "sha256:"), ref.Size)
}

// parseCheckpointName returns the number of a name, and what it is of.
func parseCheckpointName(tenant, name string) (int64, blob.Ref, error) {
	text, ok := strings.CutPrefix(name, "timeline/"+tenant+"/")
	parts := strings.Split(strings.TrimSuffix(text, ".json"), "-")
	if ok && len(parts) == 3 {
		number, e1 := strconv.ParseInt(parts[0], 10, 64)
		size, e2 := strconv.ParseInt(parts[2], 10, 64)
		ref := blob.Ref{Digest: "sha256:" + parts[1], Size: size}
		if raw, e3 := hex.DecodeString(parts[1]); e1 == nil && e2 == nil && e3 == nil && len(raw) == 32 && number > 0 && size <= timeline.MaxCheckpoint && checkpointName(tenant, number, ref) == name {
			return number, ref, nil
		}
	}
	return 0, blob.Ref{}, fmt.Errorf("object %.120q is no checkpoint: %w", name, fault.Invalid)
}

func (c *CheckpointBucket) read(ctx context.Context, tenant, name string) (*timeline.Kept, error) {
	number, ref, err := parseCheckpointName(tenant, name)
	if err != nil {
		return nil, err
	}
	in, err := c.Bucket.OpenName(ctx, name, ref)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, timeline.MaxCheckpoint+1))
	return &timeline.Kept{Number: number, Envelope: text}, err
}

// numbered lists the checkpoints of a number: there is one, or none, or somebody put
// another one there.
func (c *CheckpointBucket) numbered(ctx context.Context, tenant string, number int64) (names []string, err error) {
	if err := checkTenant(tenant); err != nil {
		return nil, err
	}
	for info, err := range c.Bucket.List(ctx, fmt.Sprintf("timeline/%s/%018d-", tenant, number)) {
		if err != nil {
			return nil, err
		}
		names = append(names, info.Key)
	}
	return names, nil
}

// Last returns the newest checkpoint of a tenant, nil without any. Their numbers have no
// gaps, so it looks for a few and lists none of the others.
func (c *CheckpointBucket) Last(ctx context.Context, tenant string) (*timeline.Kept, error) {
	fail := func(err error) (*timeline.Kept, error) {
		return nil, fmt.Errorf("look for the last checkpoint of tenant %s: %w", tenant, err)
	}
	var newest []string
	low, high := int64(0), int64(1) // low is there, or 0
	for step := int64(1); high-low > 1 || step > 0; {
		at := high
		if step == 0 {
			at = low + (high-low)/2
		}
		names, err := c.numbered(ctx, tenant, at)
		switch {
		case err != nil:
			return fail(err)
		case len(names) > 0 && step > 0:
			low, newest, step = at, names, step*2
			high = low + step
		case len(names) > 0:
			low, newest = at, names
		default:
			high, step = at, 0
		}
	}
	if low == 0 {
		return nil, nil
	}
	if len(newest) > 1 {
		return fail(fmt.Errorf("there are %d of number %d: %w", len(newest), low, fault.Conflict))
	}
	k, err := c.read(ctx, tenant, newest[0])
	if err != nil {
		return fail(err)
	}
	return k, nil
}

// Put keeps a checkpoint. Which one has a number the store decided before.
func (c *CheckpointBucket) Put(ctx context.Context, tenant string, k *timeline.Kept) error {
	fail := func(err error) error {
		return fmt.Errorf("put checkpoint %d of tenant %s: %w", k.Number, tenant, err)
	}
	if k.Number < 1 || len(k.Envelope) == 0 || len(k.Envelope) > timeline.MaxCheckpoint || bytes.ContainsAny(k.Envelope, "\r\n") {
		return fail(fmt.Errorf("it has %d bytes, want a line of up to %d: %w", len(k.Envelope), timeline.MaxCheckpoint, fault.Invalid))
	}
	names, err := c.numbered(ctx, tenant, k.Number)
	if err != nil {
		return fail(err)
	}
	for _, name := range names {
		there, err := c.read(ctx, tenant, name)
		switch {
		case err == nil && bytes.Equal(there.Envelope, k.Envelope):
			return nil
		case err == nil:
			return fail(fmt.Errorf("another one is there: %w", fault.Conflict))
		case !errors.Is(err, fault.Mismatch): // what is damaged is put again
			return fail(err)
		}
	}
	if k.Number > 1 {
		if before, err := c.numbered(ctx, tenant, k.Number-1); err != nil || len(before) == 0 {
			return fail(cmp.Or(err, fmt.Errorf("the one before is missing: %w", fault.Conflict)))
		}
	}
	ref, err := c.Bucket.Put(ctx, bytes.NewReader(k.Envelope))
	if err == nil {
		err = c.Bucket.Name(ctx, ref, checkpointName(tenant, k.Number, ref))
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// Open reads all checkpoints of a tenant, each on a line.
func (c *CheckpointBucket) Open(ctx context.Context, tenant string) (io.ReadCloser, error) {
	if err := checkTenant(tenant); err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(c.copy(ctx, tenant, w)) }()
	return r, nil
}

func (c *CheckpointBucket) copy(ctx context.Context, tenant string, w io.Writer) error {
	for info, err := range c.Bucket.List(ctx, "timeline/"+tenant+"/") {
		var k *timeline.Kept
		if err == nil {
			k, err = c.read(ctx, tenant, info.Key)
		}
		if err == nil {
			_, err = w.Write(append(k.Envelope, '\n'))
		}
		if err != nil {
			return fmt.Errorf("read checkpoints of tenant %s: %w", tenant, err)
		}
	}
	return nil
}
