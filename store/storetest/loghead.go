package storetest

import (
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/attest/tlog/tlogtest"
	"github.com/stella-ops/stella/store"
)

// TestLogHead proves the heads of logs of a store: what package tlog asks of one, that
// logs are apart, and that two processes on one store write one log.
func TestLogHead(t *testing.T, open func(t testing.TB) *store.Root) {
	root := open(t)
	head := func(name string) *store.LogHead {
		h, err := root.LogHead(name)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	t.Run("Head", func(t *testing.T) {
		tlogtest.Head(t, func() tlog.Head { return head("log.example/a") })
	})
	t.Run("Apart", func(t *testing.T) {
		if record, err := head("log.example/b").Load(t.Context()); record != nil || err != nil {
			t.Errorf("another log's record: %q, %v", record, err)
		}
	})
	t.Run("TwoWriters", func(t *testing.T) { twoWriters(t, head("log.example")) })
}

func twoWriters(t *testing.T, head tlog.Head) {
	private, err := key.Generate(key.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tlog.NewLogSigner("log.example", private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	storage := tlog.NewMem()
	storage.Head = head
	policy := &tlog.Policy{Logs: []tlog.LogKey{{Key: signer.Key()}}}
	const each = 20
	seen := make(chan int64, 2*each)
	for w := range 2 {
		log, err := tlog.Open(t.Context(), storage, signer, &tlog.Options{MaxDelay: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		go func() {
			for i := range each {
				entry := []byte{byte(w), byte(i)}
				receipt, err := log.Submit(t.Context(), entry)
				if err != nil {
					t.Error(err)
					seen <- -1
					continue
				}
				if _, err := policy.Verify(entry, receipt); err != nil {
					t.Error(err)
				}
				seen <- receipt.Index
			}
		}()
	}
	indexes := map[int64]bool{}
	for range 2 * each {
		indexes[<-seen] = true
	}
	if len(indexes) != 2*each {
		t.Errorf("%d entries have %d indexes", 2*each, len(indexes))
	}
}
