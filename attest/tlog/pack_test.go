package tlog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/testdata"
)

// pack returns the log of a pack of test data, as it was at one of its checkpoints.
func pack(all map[string][]byte, checkpoint string) files {
	out := files{}
	for name, b := range all {
		out[strings.TrimPrefix(name, "testdata/log/")] = b
	}
	out["checkpoint"] = out[checkpoint]
	return out
}

// TestTesseraLog reads a log that another implementation wrote, at each of its sizes.
func TestTesseraLog(t *testing.T) {
	all := testdata.Open(t, "conformance/tlog-tiles-log.tar.gz")
	k, err := tlog.ParseKey("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
	if err != nil {
		t.Fatal(err)
	}
	policy := &tlog.Policy{Logs: []tlog.LogKey{{Key: k}}}
	var older []*tlog.Checkpoint
	entries := 0
	for size := range int64(16) {
		reader := tlog.NewReader(pack(all, fmt.Sprintf("checkpoint.%d", size)), policy)
		c, err := reader.Checkpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if c.Size != size {
			t.Fatalf("size %d, want %d", c.Size, size)
		}
		for i := range size {
			e, err := reader.Entry(ctx, c.Tree, i)
			if err != nil {
				t.Fatal(err)
			}
			r, err := reader.Receipt(ctx, c, i)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := policy.Verify(e, r); err != nil {
				t.Errorf("entry %d of %d: %v", i, size, err)
			}
			entries++
		}
		for _, o := range older {
			proof, err := reader.Consistency(ctx, c.Tree, o.Size)
			if err == nil {
				err = tlog.Follow(o, c, proof)
			}
			if err != nil {
				t.Errorf("from %d to %d: %v", o.Size, size, err)
			}
		}
		older = append(older, c)
	}
	if entries != 120 {
		t.Errorf("%d entries read", entries)
	}
}

// TestDamagedTiles: each file of a log, with each byte changed in turn or the last one
// cut, is refused wherever it is needed.
func TestDamagedTiles(t *testing.T) {
	all := testdata.Open(t, "conformance/tlog-tiles-log.tar.gz")
	k, err := tlog.ParseKey("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
	if err != nil {
		t.Fatal(err)
	}
	policy := &tlog.Policy{Logs: []tlog.LogKey{{Key: k}}}
	log := pack(all, "checkpoint")
	read := func() error {
		r := tlog.NewReader(log, policy)
		c, err := r.Checkpoint(ctx)
		if err != nil {
			return err
		}
		_, err = r.Entries(ctx, c.Tree, 0)
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"checkpoint", "tile/0/000.p/15", "tile/entries/000.p/15"} {
		whole := log[name]
		seen := map[tlog.Reason]bool{}
		refused := func(what string) {
			err := read()
			if err == nil {
				t.Errorf("%s: %s is accepted", name, what)
			}
			reason := tlog.ReasonOf(err)
			if reason == "" {
				t.Errorf("%s: %s: no reason: %v", name, what, err)
			}
			seen[reason] = true
		}
		for i := range whole {
			b := []byte(strings.Clone(string(whole)))
			b[i] ^= 1 << (i % 8)
			log[name] = b
			refused(fmt.Sprintf("byte %d", i))
		}
		for _, n := range []int{0, 1, len(whole) / 2, len(whole) - 1} {
			log[name] = whole[:n]
			refused(fmt.Sprintf("%d bytes", n))
		}
		log[name] = append(append([]byte(nil), whole...), 0)
		refused("one more byte")
		delete(log, name)
		refused("absent")
		log[name] = whole
		t.Log(name, seen)
	}
}
