package shell

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/services/internal/config"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	_ "github.com/stella-ops/stella/store/blob/s3blob" // what configurations may name
	"github.com/stella-ops/stella/store/cache"
	_ "github.com/stella-ops/stella/store/cache/valkeycache"
	_ "github.com/stella-ops/stella/store/postgres"
	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/queue/natsqueue"
	_ "github.com/stella-ops/stella/store/queue/valkeyqueue"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// Env is what a process has for its parts. It is safe for concurrent use.
type Env struct {
	Config  *config.Config
	Log     *slog.Logger
	Metrics *Metrics
	Spans   *Spans

	patience time.Duration
	stopping chan struct{}

	mu     sync.Mutex
	store  *store.Root
	queue  *queue.Queue
	cache  *cache.Cache
	bucket *blob.Bucket
}

// Stopping is closed when the process begins to stop: what would go on for long, such as a
// stream of events, should end then.
func (e *Env) Stopping() <-chan struct{} { return e.stopping }

// Report tells the operator of what went wrong beside requests.
func (e *Env) Report(system string, err error) {
	e.Metrics.errors.WithLabelValues(system).Inc()
	level := slog.LevelError
	if errors.Is(err, fault.Unavailable) {
		level = slog.LevelWarn
	}
	e.Log.Log(context.Background(), level, "something failed", "system", system, "error", err.Error())
}

// Request tells the operator of an error of a request that its client was told of under
// this name alone.
func (e *Env) Request(system, requestID string, err error) {
	e.Metrics.errors.WithLabelValues(system).Inc()
	e.Log.Error("a request failed", "system", system, "request_id", requestID, "error", err.Error())
}

// Store returns the relational store, opened once. An error names all that is wrong with
// it, such as a schema that is newer than this program.
func (e *Env) Store(ctx context.Context) (*store.Root, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.openStore(ctx)
}

func (e *Env) openStore(ctx context.Context) (*store.Root, error) {
	if e.store != nil {
		return e.store, nil
	}
	if e.Config.Store.Scheme() == "sqlite" {
		if err := os.MkdirAll(e.Config.Data, 0o700); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	var err error
	e.store, err = wait(ctx, e, "store", func() (*store.Root, error) { return store.Open(ctx, e.Config.Store.Reveal()) })
	return e.store, err
}

// Queue returns the queue, opened once: the store's own where none is configured.
func (e *Env) Queue(ctx context.Context) (*queue.Queue, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.queue != nil {
		return e.queue, nil
	}
	if e.Config.Queue.Reveal() == "" {
		root, err := e.openStore(ctx)
		if err != nil {
			return nil, err
		}
		e.queue = queue.New(root.QueueDriver())
		return e.queue, nil
	}
	q, err := wait(ctx, e, "queue", func() (*queue.Queue, error) { return queue.Open(ctx, e.Config.Queue.Reveal()) })
	if err != nil {
		return nil, err
	}
	for _, s := range q.Warnings() {
		e.Log.Warn("the queue may lose what it has", "reason", s)
	}
	e.queue = q
	return q, nil
}

// Cache returns the cache, opened once: the store's own where none is configured.
func (e *Env) Cache(ctx context.Context) (*cache.Cache, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cache != nil {
		return e.cache, nil
	}
	if e.Config.Cache.Reveal() == "" {
		root, err := e.openStore(ctx)
		if err != nil {
			return nil, err
		}
		e.cache = cache.New(root.CacheDriver())
		return e.cache, nil
	}
	var err error
	e.cache, err = wait(ctx, e, "cache", func() (*cache.Cache, error) { return cache.Open(ctx, e.Config.Cache.Reveal()) })
	return e.cache, err
}

// Bucket returns the objects, opened once.
func (e *Env) Bucket(ctx context.Context) (*blob.Bucket, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bucket != nil {
		return e.bucket, nil
	}
	if e.Config.Bucket.Scheme() == "file" {
		if err := os.MkdirAll(e.Config.Data, 0o700); err != nil {
			return nil, fmt.Errorf("data: %w", err)
		}
	}
	var err error
	e.bucket, err = wait(ctx, e, "bucket", func() (*blob.Bucket, error) { return blob.Open(ctx, e.Config.Bucket.Reveal()) })
	return e.bucket, err
}

// Open opens all four, and says at once which of them cannot be used, and why.
func (e *Env) Open(ctx context.Context) error {
	_, err1 := e.Store(ctx)
	var err2, err3 error
	if err1 == nil || e.Config.Queue.Reveal() != "" {
		_, err2 = e.Queue(ctx)
	}
	if err1 == nil || e.Config.Cache.Reveal() != "" {
		_, err3 = e.Cache(ctx)
	}
	_, err4 := e.Bucket(ctx)
	return errors.Join(err1, err2, err3, err4)
}

// wait opens something; while it is away it tries again, for as long as the environment
// is patient.
func wait[T any](ctx context.Context, e *Env, name string, open func() (T, error)) (T, error) {
	for end := time.Now().Add(e.patience); ; {
		v, err := open()
		if err == nil || !errors.Is(err, fault.Unavailable) || time.Now().After(end) {
			return v, err
		}
		e.Log.Warn("waiting for the "+name, "error", err.Error())
		select {
		case <-ctx.Done():
			return v, err
		case <-time.After(min(time.Second, e.patience/4)):
		}
	}
}

// nothing is an object that nobody has.
var nothing = blob.Ref{Digest: sum.Of(nil), Size: 0}

// checks are the dependencies that this process has opened, by name.
func (e *Env) checks() map[string]func(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]func(context.Context) error{}
	missing := func(err error) error {
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		return err
	}
	if root := e.store; root != nil {
		out["store"] = func(ctx context.Context) error {
			_, err := root.CacheDriver().Get(ctx, "ready")
			return missing(err)
		}
	}
	if q := e.queue; q != nil {
		out["queue"] = func(ctx context.Context) error { _, err := q.Incarnation(ctx); return err }
	}
	if c := e.cache; c != nil {
		out["cache"] = func(ctx context.Context) error { _, err := c.Get(ctx, "ready"); return missing(err) }
	}
	if b := e.bucket; b != nil {
		out["bucket"] = func(ctx context.Context) error { _, err := b.Stat(ctx, nothing); return missing(err) }
	}
	return out
}

// close closes what was opened.
func (e *Env) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []error
	if e.queue != nil {
		all = append(all, e.queue.Close())
	}
	if e.cache != nil {
		all = append(all, e.cache.Close())
	}
	if e.bucket != nil {
		all = append(all, e.bucket.Close())
	}
	if e.store != nil {
		all = append(all, e.store.Close())
	}
	return errors.Join(all...)
}

// login returns who a URL logs in as.
func login(u config.URL) string {
	p, err := url.Parse(u.Reveal())
	if err != nil {
		return ""
	}
	return strings.TrimSpace(p.User.Username())
}
