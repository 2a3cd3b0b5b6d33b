package natsqueue

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// stateTime is how long the history of a message outlives its last change.
const stateTime = 7 * 24 * time.Hour

// kv opens a bucket and makes it where there is none.
func (d *driver) kv(ctx context.Context, name string, ttl time.Duration) (jetstream.KeyValue, error) {
	kv, err := d.js.KeyValue(ctx, d.bucket(name))
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = d.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: d.bucket(name), TTL: ttl, Storage: jetstream.FileStorage, Replicas: d.o.Replicas})
	}
	return kv, err
}

// incarnation returns the value of the key and its revision.
func (d *driver) incarnation(ctx context.Context) (string, uint64, error) {
	kv, err := d.kv(ctx, "stella-queue", 0)
	if err != nil {
		return "", 0, err
	}
	for range 3 {
		e, err := kv.Get(ctx, "incarnation")
		if err == nil {
			return string(e.Value()), e.Revision(), nil
		}
		if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return "", 0, err
		}
		if _, err := kv.Create(ctx, "incarnation", []byte(rand.Text())); err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
			return "", 0, err
		}
	}
	return "", 0, errors.New("the key of the incarnation comes and goes")
}

// renew changes the incarnation where it still has the revision.
func (d *driver) renew(ctx context.Context, revision uint64) error {
	kv, err := d.kv(ctx, "stella-queue", 0)
	if err != nil {
		return err
	}
	_, err = kv.Update(ctx, "incarnation", []byte(rand.Text()), revision)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return nil // somebody else did
	}
	return err
}

func (d *driver) Incarnation(ctx context.Context) (string, error) {
	if err := d.ready(ctx); err != nil {
		return "", err
	}
	d.look.Lock()
	defer d.look.Unlock()
	value, err := d.lookAt(ctx)
	if err != nil {
		return "", d.fault(ctx, err)
	}
	// Of a cluster, each process may be connected to another server.
	if d.conn.ConnectedClusterName() == "" {
		value += "/" + d.conn.ConnectedServerId()
	}
	return value, nil
}

// lookAt also compares the bucket's age with what was seen.
func (d *driver) lookAt(ctx context.Context) (string, error) {
	value, revision, err := d.incarnation(ctx)
	if err != nil {
		return "", err
	}
	kv, err := d.kv(ctx, "stella-queue", 0)
	if err != nil {
		return "", err
	}
	tick, err := kv.Put(ctx, "ticks", nil)
	if err != nil {
		return "", err
	}
	if tick <= d.tick && value == d.seen {
		if err := d.renew(ctx, revision); err != nil {
			return "", err
		}
		value, _, err = d.incarnation(ctx)
	}
	if err == nil {
		d.seen, d.tick = value, tick
	}
	return value, err
}
