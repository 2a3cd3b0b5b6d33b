package examples_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// A whole scanning service in one process, on a SQLite file and a folder. With
// other URLs for store, queue and bucket it is the same on PostgreSQL, Valkey and
// S3, in as many processes as one likes.
func Example_pipeline() {
	dir, err := os.MkdirTemp("", "pipeline")
	check(err)
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	root, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "stella.db"))
	check(err)
	defer root.Close()
	bucket, err := blob.Open(ctx, "file:"+filepath.Join(dir, "artifacts"))
	check(err)
	defer bucket.Close()
	messages := queue.New(root.QueueDriver())

	scans := func(tenant string) (*store.Scans, error) {
		t, err := root.Tenant(tenant)
		if err != nil {
			return nil, err
		}
		return t.Scans(), nil
	}
	worker := &scan.Worker{
		Holder:    "worker-1",
		Jobs:      func(tenant string) (scan.Jobs, error) { return scans(tenant) },
		Open:      openExample, // image.Open, in a real one
		Scanner:   func(string) *scan.Scanner { return &scan.Scanner{Analyzers: all.Set()} },
		Artifacts: func(tenant string) (scan.Artifacts, error) { return bucket.Sub(tenant) },
		Formats:   []string{format.SPDXJSON},
		Encode: func(w io.Writer, d *sbom.Document, name string) (string, string, error) {
			_, err := format.Encode(w, d, name, nil)
			return format.MediaType(name), format.Suffix(name), err
		},
	}
	completer := &scan.Completer{Holder: "web-1", Jobs: func(tenant string) (scan.Evaluations, error) { return scans(tenant) }}

	consume := func(topic, group string, handle func(context.Context, []byte) error) {
		g, err := messages.Group(ctx, topic, group)
		check(err)
		go queue.Consume(ctx, g, handle, nil)
	}
	check(root.Register(ctx, event.ScannerEvents, event.GroupScannerWeb, event.SBOMCreated))
	consume(event.ScannerJobs, event.GroupScannerWorkers, worker.Handle)
	consume(event.ScannerEvents, event.GroupScannerWeb, completer.Handle)
	go root.Relay(messages, nil).Run(ctx)

	acme, err := scans("acme")
	check(err)
	job, _, err := acme.Submit(ctx, scan.Request{Image: "registry.example/app:1"}, "")
	check(err)
	for !job.State.Terminal() {
		time.Sleep(10 * time.Millisecond)
		job, err = acme.Job(ctx, job.ID)
		check(err)
	}
	fmt.Println(job.State, "with", job.Summary.Packages, "package; advisories:", job.Summary.Snapshot != "")
	for info, err := range bucket.List(ctx, "acme/"+job.ID) {
		check(err)
		fmt.Println(filepath.Base(info.Key))
	}
	// Output:
	// completed with 1 package; advisories: false
	// sbom.spdx.json
	// sbom.stella.json
}

func openExample(context.Context, scan.Target) (*scan.Image, error) {
	return &scan.Image{
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "sha256:c0", ConfigDigest: "sha256:c0"},
		Layers: []layer.Blob{imagetest.Blob(imagetest.Tar(
			imagetest.File{Name: "etc/os-release", Data: "ID=alpine\nVERSION_ID=3.20.1\n"},
			imagetest.File{Name: "lib/apk/db/installed", Data: "P:musl\nV:1.2.5-r0\nA:x86_64\n"},
		), imagetest.Gzip)},
	}, nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
