package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/sqlite"
)

// house is a source of one's own: a publisher with one file of OSV records. It
// says where that is and how it is read; package feed has the shapes of feeds, and
// package advisorytest proves a source.
type house struct{}

const houseURL = "https://advisories.example/all.json"

func (house) Describe() advisory.Description {
	return advisory.Description{Name: "house", Title: "Advisories of the house", License: "CC0-1.0", Redistribute: true, Hosts: []string{"advisories.example"}}
}

func (house) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	return feed.Files{Source: "house", List: []feed.File{{URL: houseURL}}}.Fetch(ctx, door, state, emit)
}

func (house) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		var records []jsontext.Value
		if err := json.Unmarshal(doc.Content, &records); err != nil {
			yield(nil, fmt.Errorf("read %s: %v: %w", doc.Name, err, advisory.ErrInvalid)) // the document as a whole
			return
		}
		for _, text := range records {
			if r, err := osv.Parse(text, nil); !yield(r, err) { // an error is of one record alone
				return
			}
		}
	}
}

// publish is what the publisher does: it puts its file into the folder that stands
// for the network.
func publish(dir, records string) {
	name, err := feed.Path(houseURL)
	check(err)
	name = filepath.Join(dir, filepath.FromSlash(name))
	check(os.MkdirAll(filepath.Dir(name), 0o755))
	check(os.WriteFile(name, []byte("["+records+"]"), 0o644))
}

// The records that the publisher has first, and those that follow.
const (
	oldRecord = `{"id": "HOUSE-1", "modified": "2026-01-02T00:00:00Z", "aliases": ["CVE-2026-1"], "summary": "An old hole",
		"affected": [{"package": {"ecosystem": "Alpine:v3.20", "name": "musl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2.4-r0"}]}]}]}`
	newRecord = `{"id": "HOUSE-2", "modified": "2026-01-03T00:00:00Z", "aliases": ["CVE-2026-2"], "summary": "A new hole",
		"affected": [{"package": {"ecosystem": "Alpine:v3.20", "name": "musl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2.5-r1"}]}]}]}`
)

// From a publisher's file to the findings of a scan that was completed before it
// was written: sources are ingested and published as heads, a scan is matched with
// the newest, and when that changes, whom it concerns is told and matched again.
// No image and no SBOM is opened to find that out.
func Example_advisories() {
	dir, err := os.MkdirTemp("", "advisories")
	check(err)
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	root, err := sqlite.Open(ctx, filepath.Join(dir, "stella.db"))
	check(err)
	defer root.Close()
	bucket, err := blob.Open(ctx, "mem:")
	check(err)
	defer bucket.Close()

	// Advisories come in through sources and go out as heads.
	advisories := root.Advisories(bucket)
	cache := ingest.Cache(filepath.Join(dir, "snapshots"), advisories)
	ingester := &ingest.Ingester{Store: advisories, Door: feed.Dir(dir), Holder: "concelier-1"}
	publisher := &ingest.Publisher{Heads: advisories, Objects: advisories, Cache: cache,
		Describe: func(string) (advisory.Description, bool) { return house{}.Describe(), true }}
	matcher := &snapshot.Matcher{Heads: advisories, Cache: cache}
	refresh := func() {
		out, err := ingester.Run(ctx, house{})
		check(err)
		head, err := publisher.Publish(ctx)
		check(err)
		fmt.Println("head", head.Number, "of", out.Records, "records")
	}
	publish(dir, oldRecord)
	refresh()

	// A scan is matched with the newest head, and indexed by its packages.
	told := make(chan *event.Drift, 1)
	wait := startLoop(ctx, root, bucket, matcher, told)
	defer wait()
	defer stop()
	acme, err := root.Tenant("acme")
	check(err)
	job, _, err := acme.Scans().Submit(ctx, scan.Request{Image: "registry.example/app:1"}, "")
	check(err)
	for !job.State.Terminal() {
		time.Sleep(10 * time.Millisecond)
		job, err = acme.Scans().Job(ctx, job.ID)
		check(err)
	}
	fmt.Println(job.State, "with", job.Summary.Findings, "findings")

	// The publisher learns of something.
	publish(dir, oldRecord+","+newRecord)
	refresh()
	d := <-told
	fmt.Printf("head %d: %s has a %s finding: %s, %s\n", d.Head, d.Scans[0].ImageRef, d.Cause, d.Vulnerability, d.Summary)

	// The report with head 1 stays; another one has joined it.
	head, err := advisories.Head(ctx, 2)
	check(err)
	report, err := acme.Scans().Findings(ctx, job.ID)
	for err == nil && report.Snapshot != head.Digest {
		time.Sleep(10 * time.Millisecond)
		report, err = acme.Scans().Findings(ctx, job.ID)
	}
	check(err)
	for _, f := range report.Findings {
		fmt.Println(f.Vulnerability, "fixed in", f.Fixed)
	}
	check(explain(ctx, cache, acme.Scans(), job.ID, report.Snapshot))
	// Output:
	// head 1 of 1 records
	// completed with 0 findings
	// head 2 of 2 records
	// head 2: registry.example/app:1 has a new finding: CVE-2026-2, A new hole
	// CVE-2026-2 fixed in [1.2.5-r1]
	// pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1: affected
	// because     1.2.5-r0 is in >= 0, < 1.2.5-r1 of Alpine:v3.20 musl (HOUSE-2) [in_range]
	// asked       CVE-2026-2
	// looked up   in Alpine:v3.20, by the order of apk versions
	//   musl 1.2.5-r0: its own name, which is that of its source package
	//   Alpine:v3.20, newest record of 2026-01-03T00:00:00Z
	// HOUSE-2 applies: 1.2.5-r0 is in >= 0, < 1.2.5-r1 [in_range]
	//   sha256:f2e05d56411db225042c8461af7e5a4240624cd223fd41edbb692953753950da from house
	//   Alpine:v3.20 musl: 1.2.5-r0 is in >= 0, < 1.2.5-r1 [in_range]
	//     ECOSYSTEM >= 0, < 1.2.5-r1: yes; 1.2.5-r0 >= 0 (introduced), 1.2.5-r0 < 1.2.5-r1 (fixed)
	// finding     CVE-2026-2 by HOUSE-2, severity unknown, fixed in 1.2.5-r1
}

// startLoop runs the workers of scans and of evaluations until ctx is done, each as
// it would run in a process of its own.
func startLoop(ctx context.Context, root *store.Root, bucket *blob.Bucket, matcher *snapshot.Matcher, told chan<- *event.Drift) (wait func()) {
	worker := &scan.Worker{
		Jobs:      func(tenant string) (scan.Jobs, error) { return tenantOf(root, tenant, (*store.Tenant).Scans) },
		Open:      openExample,
		Scanner:   func(string) *scan.Scanner { return &scan.Scanner{Analyzers: all.Set()} },
		Matcher:   matcher,
		Index:     advisory.Keys,
		Artifacts: func(tenant string) (scan.Artifacts, error) { return bucket.Sub(tenant) },
		Encode: func(w io.Writer, d *sbom.Document, name string) (string, string, error) {
			_, err := format.Encode(w, d, name, nil)
			return format.MediaType(name), format.Suffix(name), err
		},
		Holder: "worker-1",
	}
	completer := &scan.Completer{Holder: "web-1", Jobs: func(tenant string) (scan.Evaluations, error) { return tenantOf(root, tenant, (*store.Tenant).Scans) }}
	finder := &drift.Worker{Store: root.Drift(), Views: matcher.Cache.Views}
	scheduler := &schedule.Scheduler{Store: root.Schedule()}
	evaluator := &schedule.Evaluator{
		Jobs: func(tenant string) (schedule.Evaluations, error) {
			return tenantOf(root, tenant, (*store.Tenant).Evaluations)
		},
		Objects: func(tenant string) (schedule.Objects, error) { return bucket.Sub(tenant) },
		Decode:  decode,
		Match:   matcher.MatchAt,
		Holder:  "policy-1",
	}
	// Whoever wants to know registers, and notes what it has had.
	check(root.Register(ctx, event.ScannerEvents, event.GroupScannerWeb, event.SBOMCreated))
	check(root.Register(ctx, event.ConcelierDrift, event.GroupNotify))
	messages := queue.New(root.QueueDriver())
	var running sync.WaitGroup
	consume := func(topic, group string, handle func(context.Context, []byte) error) {
		g, err := messages.Group(ctx, topic, group)
		check(err)
		running.Go(func() { queue.Consume(ctx, g, handle, nil) })
	}
	consume(event.ScannerJobs, event.GroupScannerWorkers, worker.Handle)
	consume(event.ScannerEvents, event.GroupScannerWeb, completer.Handle)
	consume(event.ConcelierDeltas, event.GroupConcelier, finder.Handle)
	consume(event.ConcelierDeltas, event.GroupScheduler, scheduler.Handle)
	consume(event.ConcelierDrift, event.GroupScheduler, scheduler.Handle)
	consume(event.ConcelierDrift, event.GroupNotify, func(ctx context.Context, body []byte) error { return notify(ctx, root, body, told) })
	consume(event.SchedulerEvaluations, event.GroupPolicyWorkers, evaluator.Handle)
	running.Go(func() { root.Relay(messages, nil).Run(ctx) })
	return running.Wait
}

// notify tells of drift, once, however often a message comes: the effect of a real
// one is in the transaction of Once.
func notify(ctx context.Context, root *store.Root, body []byte, told chan<- *event.Drift) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	d, err := event.DecodeDrift(e)
	if err != nil {
		return err
	}
	t, err := root.Tenant(e.Tenant)
	if err != nil {
		return err
	}
	first, err := t.Once(ctx, event.GroupNotify, e.ID, func(*store.Tx) error { return nil })
	if first && err == nil {
		told <- d
	}
	return err
}

// tenantOf gives a part of what belongs to a tenant.
func tenantOf[T any](root *store.Root, name string, part func(*store.Tenant) T) (none T, err error) {
	t, err := root.Tenant(name)
	if err != nil {
		return none, err
	}
	return part(t), nil
}

func decode(r io.Reader) (*sbom.Document, error) {
	d, _, err := format.Decode(r)
	return d, err
}

// explain writes why the first package of a scan is affected by what its report
// has first.
func explain(ctx context.Context, cache *snapshot.Cache, scans *store.Scans, id, digest string) error {
	view, done, err := cache.Views(ctx, digest)
	if err != nil {
		return err
	}
	defer done()
	list, err := scans.Documents(ctx, id)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.Format != scan.Neutral {
			continue
		}
		doc, err := decode(bytes.NewReader(d.Content))
		if err != nil {
			return err
		}
		x, err := advisory.Matcher{View: view}.Explain(ctx, doc, doc.Packages[0].ID, "CVE-2026-2")
		if err != nil {
			return err
		}
		x.Snapshot = "" // it has the time of the last check
		return x.WriteText(os.Stdout)
	}
	return errors.New("the scan has no neutral document")
}
