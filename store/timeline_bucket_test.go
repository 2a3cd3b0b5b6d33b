package store_test

import (
	"testing"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/storetest"
)

func TestCheckpointBucket(t *testing.T) {
	storetest.TestTimelineSink(t, func(t testing.TB) timeline.Sink {
		b, err := blob.Open(t.Context(), "mem:")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return &store.CheckpointBucket{Bucket: b}
	})
}
