package timeline_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/store/event"
)

// An event is indexed once, a checkpoint of the chain is signed, and the export is
// verified with the public key alone.
func Example() {
	ctx := context.Background()
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	acme := timeline.NewMemory("acme", func() time.Time { return noon })
	indexer := &timeline.Indexer{Logs: func(string) (timeline.Log, error) { return acme, nil }}
	for _, id := range []string{"scan-1/queued", "scan-1/started", "scan-1/queued"} { // the last one comes twice
		e := event.Event{ID: id, Type: event.ScanQueued, Source: "scanner", Tenant: "acme", Time: noon, Data: (&event.Scan{JobID: "scan-1", ImageRef: "alpine:3"}).Encode()}
		body, err := e.Encode()
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := indexer.Handle(ctx, event.ScannerEvents, body); err != nil {
			fmt.Println(err)
			return
		}
	}
	page, err := acme.Find(ctx, timeline.Query{Refs: []timeline.Ref{{Kind: timeline.RefImage, Value: "alpine:3"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range page.Entries {
		fmt.Println(e.Seq, e.Event)
	}

	key := testKey()
	sink := new(memorySink)
	publisher := &timeline.Publisher{Tenant: "acme", Source: acme, Sink: sink, Signers: []dsse.Signer{key}, Trust: trustIn(key)}
	if _, err := publisher.Publish(ctx); err != nil {
		fmt.Println(err)
		return
	}
	var export bytes.Buffer
	if err := timeline.Export(ctx, &export, "acme", acme, 0); err != nil {
		fmt.Println(err)
		return
	}
	altered := bytes.Replace(export.Bytes(), []byte("alpine:3"), []byte("alpine:2"), 1)
	for _, text := range [][]byte{export.Bytes(), altered} {
		r, err := verify.Verify(bytes.NewReader(text), &verify.Options{Checkpoints: bytes.NewReader(sink.text()), Trust: trustIn(key)})
		fmt.Println(r.Last, "rows,", r.Uncovered(), "that no checkpoint covers;", err)
	}
	// Output:
	// 1 scan-1/queued
	// 2 scan-1/started
	// 2 rows, 0 that no checkpoint covers; <nil>
	// 0 rows, 0 that no checkpoint covers; the body of row 1 is not what was indexed (line 2): its digest is not the one of the row
}
