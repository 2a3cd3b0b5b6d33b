package console

import (
	"bytes"
	"container/list"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/scan/schedulehttp"
	"github.com/stella-ops/stella/vex/vexhttp"
)

// maxDocument bounds a document that a page is made of, in bytes.
const maxDocument = 256 << 20

// api asks the gateway in the name of one login.
type api struct {
	origin     string
	transport  http.RoundTripper
	scans      *scanhttp.Client
	advisories *advisoryhttp.Client
	vex        *vexhttp.Client
	policies   *policyhttp.Client
	proofs     *attesthttp.Client
	notify     *notifyhttp.Client
	schedules  *schedulehttp.Client
	kept       *documents
}

func newAPI(origin string, t http.RoundTripper, kept *documents) *api {
	return &api{
		origin: origin, transport: t, kept: kept,
		scans:      &scanhttp.Client{URL: origin, Transport: t, Attempts: 2},
		advisories: &advisoryhttp.Client{URL: origin, Transport: t},
		vex:        &vexhttp.Client{URL: origin, Transport: t},
		policies:   &policyhttp.Client{URL: origin, Transport: t, Attempts: 2},
		proofs:     &attesthttp.Client{URL: origin, Transport: t},
		notify:     &notifyhttp.Client{URL: origin, Transport: t},
		schedules:  &schedulehttp.Client{URL: origin, Transport: t},
	}
}

// caller calls operations that have no client of their own.
func (a *api) caller(service, root string) *httpjson.Caller {
	return &httpjson.Caller{Service: service, Root: root, URL: a.origin, Transport: a.transport, Timeout: scanhttp.DefaultTimeout, Attempts: 2}
}

// document returns what a scan found, decoded. Whoever may see the scan's documents may.
func (a *api) document(ctx context.Context, id string) (*sbom.Document, error) {
	list, err := a.scans.Documents(ctx, id)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(s scan.Stored) bool { return s.Format == scan.Neutral })
	if i < 0 {
		return nil, fmt.Errorf("the document of scan %s is not kept any more: %w", id, fault.NotFound)
	}
	return cached(a.kept, list[i].Ref.Digest, func() (*sbom.Document, int64, error) {
		text, err := a.scans.Content(ctx, id, &list[i], maxDocument)
		if err != nil {
			return nil, 0, err
		}
		d, _, err := format.Decode(bytes.NewReader(text))
		return d, int64(len(text)), err
	})
}

// decided is a verdict with how it came about.
type decided struct {
	*policy.Verdict
	Trace *policy.Trace
}

// verdict returns one by its key, with its trace.
func (a *api) verdict(ctx context.Context, key string) (*decided, error) {
	_, v, err := a.policies.Find(ctx, key)
	if err != nil {
		return nil, err
	}
	t, err := cached(a.kept, v.Trace, func() (*policy.Trace, int64, error) {
		text, err := a.policies.Trace(ctx, v)
		if err != nil {
			return nil, 0, err
		}
		t, err := policy.DecodeTrace(text)
		return t, int64(len(text)), err
	})
	if err != nil {
		return nil, err
	}
	return &decided{v, t}, nil
}

// keptBytes bounds what a process keeps of documents, by the bytes that they were read from.
const keptBytes = 64 << 20

// documents are what was decoded lately, by digest. The zero value has none. Who asks for
// one was told its digest by the gateway, and so may see it.
type documents struct {
	mu     sync.Mutex
	of     map[string]*list.Element
	recent list.List
	bytes  int64
}

type keptDocument struct {
	digest string
	value  any
	size   int64
}

// cached returns what has a digest, made where it is not kept. Nobody may change it.
func cached[T any](d *documents, digest string, make func() (T, int64, error)) (T, error) {
	if v, ok := d.get(digest).(T); ok {
		return v, nil
	}
	v, size, err := make()
	if err == nil {
		d.put(digest, v, size)
	}
	return v, err
}

func (d *documents) get(digest string) any {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.of[digest]
	if e == nil {
		return nil
	}
	d.recent.MoveToFront(e)
	return e.Value.(*keptDocument).value
}

func (d *documents) put(digest string, v any, size int64) {
	if size > keptBytes/4 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[string]*list.Element{}
	}
	if d.of[digest] != nil {
		return
	}
	d.of[digest] = d.recent.PushFront(&keptDocument{digest, v, size})
	for d.bytes += size; d.bytes > keptBytes; {
		last := d.recent.Back().Value.(*keptDocument)
		delete(d.of, last.digest)
		d.recent.Remove(d.recent.Back())
		d.bytes -= last.size
	}
}

// section is a part of a page that is read beside others: it shows what was read, or why it
// could not be.
type section[T any] struct {
	Value T
	Wrong string
}

// together reads sections at the same time.
func together(reads ...func()) {
	var wg sync.WaitGroup
	for _, r := range reads {
		wg.Go(r)
	}
	wg.Wait()
}

// read fills a section. What goes wrong is said there, and is no reason to show nothing else.
func read[T any](v *visit, into *section[T], get func(ctx context.Context) (T, error)) func() {
	return func() {
		var err error
		if into.Value, err = get(v.ctx()); err != nil {
			into.Wrong = v.c.why(err)
		}
	}
}

// why says in a section what went wrong.
func (c *Console) why(err error) string {
	switch fault.KindOf(err) {
	case fault.Forbidden:
		return "You have no right to read this."
	case fault.NotFound:
		return "There is none."
	case fault.Invalid, fault.Unsupported, fault.Limit, fault.Conflict:
		return "This could not be read: " + reason(err)
	case fault.Unauthenticated:
		return "The login is over: load the page again."
	}
	return "This could not be read now. The operator finds the reason under " + c.report(err) + "."
}
