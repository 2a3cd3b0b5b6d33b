package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/scanhttp"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/sqlite"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pipeline FOLDER RECORDS")
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1], os.Args[2], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

// run scans one folder through all steps and writes what came of it.
func run(ctx context.Context, folder, records string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "pipeline")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	root, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "stella.db"))
	if err != nil {
		return err
	}
	defer root.Close()
	objects, err := blob.Open(ctx, "mem:")
	if err != nil {
		return err
	}
	defer objects.Close()
	messages, err := queue.Open(ctx, "mem:")
	if err != nil {
		return err
	}
	defer messages.Close()
	acme, err := root.Tenant("acme")
	if err != nil {
		return err
	}
	matcher, err := advisories(ctx, root.Advisories(objects), dir, records)
	if err != nil {
		return err
	}
	if err := settings(ctx, acme); err != nil {
		return err
	}
	notary, err := newNotary()
	if err != nil {
		return err
	}
	told := make(chan string, 1)
	p := &pipeline{root: root, tenant: acme, objects: objects, messages: messages, matcher: matcher, notary: notary,
		open: func(context.Context, scan.Target) (*scan.Image, error) { return openImage(ctx, folder) }, told: told}
	stop, err := p.start(ctx)
	if err != nil {
		return err
	}
	defer stop()

	server := httptest.NewServer(p.door())
	defer server.Close()
	job, err := ask(ctx, &scanhttp.Client{URL: server.URL})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d packages, %d findings, verdict %s\n", job.State, job.Summary.Packages, job.Summary.Findings, job.Summary.Outcome)
	for info, err := range objects.List(ctx, "acme/"+job.ID) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "kept:", filepath.Base(info.Key))
	}
	fmt.Fprintln(out, "signed:", !job.Summary.Unsigned && notary.signed(job.Summary.Verdict))
	if job.Summary.Findings == 0 {
		return nil // the rule is about severe findings, so nobody is told
	}
	select { // 12: who must know
	case text := <-told:
		fmt.Fprintln(out, "told:", text)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask submits a scan and waits for its end.
func ask(ctx context.Context, client *scanhttp.Client) (*scan.Job, error) {
	job, _, err := client.Submit(ctx, scan.Request{Image: "registry.example/shop:1"}, "build-7")
	for err == nil && !job.State.Terminal() {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
		job, err = client.Job(ctx, job.ID)
	}
	if err == nil && job.State != scan.Completed {
		err = fmt.Errorf("%s is %s: %s", job.ID, job.State, job.Reason)
	}
	return job, err
}

// pipeline is what runs beside the door.
type pipeline struct {
	root     *store.Root
	tenant   *store.Tenant
	objects  *blob.Bucket
	messages *queue.Queue
	matcher  *snapshot.Matcher
	notary   *notary
	open     func(context.Context, scan.Target) (*scan.Image, error)
	told     chan<- string
}

// door is the API. 1, 2: a client asks, and is let in. 3, 4: job, manifest and message are
// one transaction.
func (p *pipeline) door() http.Handler {
	return &scanhttp.Handler{
		Store:     func(string) (scan.Store, error) { return p.tenant.Scans(), nil },
		Jobs:      func(string) (scan.Jobs, error) { return p.tenant.Scans(), nil },
		Documents: func(tenant string) (scanhttp.Documents, error) { return p.objects.Sub(tenant) },
		Identify:  identify,
	}
}

// start runs every worker until stop, each as it would run in a process of its own.
func (p *pipeline) start(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	stop = func() { cancel(); running.Wait() }
	gateway := &policy.Gateway{
		Stores:   func(string) (policy.Store, error) { return p.tenant.Policy(), nil },
		Document: store.Documents(func(tenant string) (schedule.Objects, error) { return p.objects.Sub(tenant) }, decode),
	}
	// 5: claims a job and scans. 6: writes documents. 7: matches. 8: heartbeats, completes.
	worker := &scan.Worker{
		Holder: "worker-1", Jobs: func(string) (scan.Jobs, error) { return p.tenant.Scans(), nil },
		Open: p.open, Scanner: func(string) *scan.Scanner { return &scan.Scanner{Analyzers: all.Set()} },
		Matcher: p.matcher, Index: advisory.Keys, Formats: []string{format.SPDXJSON},
		Artifacts: func(tenant string) (scan.Artifacts, error) { return p.objects.Sub(tenant) },
		Encode: func(w io.Writer, d *sbom.Document, name string) (string, string, error) {
			_, err := format.Encode(w, d, name, nil)
			return format.MediaType(name), format.Suffix(name), err
		},
	}
	// 9: has the policy decide. 10: has the verdict signed. 11: announces, all in one transaction.
	completer := &scan.Completer{
		Holder: "web-1", Jobs: func(string) (scan.Evaluations, error) { return p.tenant.Scans(), nil },
		Evaluator: &store.Judge{Gateway: gateway}, Signer: p.notary,
	}
	// 12: decides who is told, renders, and delivers once.
	opener := func(string) notify.Opener {
		return func(*notify.Endpoint, []notify.Template) (notify.Channel, error) { return console{p.told}, nil }
	}
	router := &notify.Router{Stores: func(string) (notify.Routes, error) { return p.tenant.Notify(), nil }, Open: opener}
	deliverer := &notify.Deliverer{Queues: func(string) (notify.Queue, error) { return p.tenant.Notify(), nil }, Open: opener, Holder: "notifier-1", Now: time.Now}

	if err := errors.Join(
		p.root.Register(ctx, event.ScannerEvents, event.GroupScannerWeb, event.SBOMCreated),
		p.root.Register(ctx, event.ScannerEvents, event.GroupNotify, notify.Types()...),
	); err != nil {
		stop()
		return nil, err
	}
	for _, c := range []struct {
		topic, group string
		handle       func(context.Context, []byte) error
	}{
		{event.ScannerJobs, event.GroupScannerWorkers, worker.Handle},
		{event.ScannerEvents, event.GroupScannerWeb, completer.Handle},
		{event.ScannerEvents, event.GroupNotify, router.Handle},
		{event.NotifyDeliveries, event.GroupDeliveryWorkers, deliverer.Handle},
	} {
		g, err := p.messages.Group(ctx, c.topic, c.group)
		if err != nil {
			stop()
			return nil, err
		}
		running.Go(func() { queue.Consume(ctx, g, c.handle, nil) })
	}
	// What a transaction announced is published: the queue may lose all it has.
	running.Go(func() { p.root.Relay(p.messages, nil).Run(ctx) })
	return stop, nil
}

// identify says who asks. A service verifies a token here; package services/auth does.
func identify(*http.Request) (scanhttp.Identity, error) {
	return scanhttp.Identity{Tenant: "acme", Subject: "ann"}, nil
}

// openImage opens a folder in place of an image. A service calls image.Open with what the
// job says, behind a network door that does not lead inside.
func openImage(ctx context.Context, folder string) (*scan.Image, error) {
	return image.OpenDir(ctx, folder, nil)
}

// advisories brings records in through a source and out as a head, which is what scans
// match with. A service does so again and again.
func advisories(ctx context.Context, a *store.Advisories, dir, records string) (*snapshot.Matcher, error) {
	source := osv.Local("house", records)
	cache := ingest.Cache(filepath.Join(dir, "snapshots"), a)
	if _, err := (&ingest.Ingester{Store: a, Holder: "concelier-1"}).Run(ctx, source); err != nil {
		return nil, err
	}
	publisher := &ingest.Publisher{Heads: a, Objects: a, Cache: cache,
		Describe: func(string) (advisory.Description, bool) { return source.Describe(), true }}
	if _, err := publisher.Publish(ctx); err != nil {
		return nil, err
	}
	return &snapshot.Matcher{Heads: a, Cache: cache}, nil
}

func decode(r io.Reader) (*sbom.Document, error) {
	d, _, err := format.Decode(r)
	return d, err
}
