package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/queuetest"
)

func testTenantNames(t *testing.T, root *store.Root) {
	for _, name := range []string{"", ".", "..", "a/b", "a b", "a'b", "ä", "a\x00", strings.Repeat("a", 65), ".a", "a\n"} {
		if _, err := root.Tenant(name); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("tenant %q: %v", name, err)
		}
	}
	for _, name := range []string{"a", "A-1_b.c", strings.Repeat("a", 64)} {
		if _, err := root.Tenant(name); err != nil {
			t.Errorf("tenant %q: %v", name, err)
		}
	}
}

// testTenants does random operations as twenty tenants on shared connections, each
// also with the others' ids. What a tenant sees must be its own.
func testTenants(t *testing.T, root *store.Root, operations int) {
	const tenants = 20
	type world struct {
		name  string
		scans *store.Scans
		tree  *store.Tenant
	}
	var all []world
	var mu sync.Mutex
	owner, leases := map[string]string{}, map[string]scan.Lease{}
	var known []string
	for i := range tenants {
		name := fmt.Sprintf("tenant-%02d", i)
		tn := tenant(t, root, name)
		all = append(all, world{name, tn.Scans(), tn})
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		random := rand.New(rand.NewPCG(7, uint64(worker)))
		wg.Go(func() {
			for range operations / 4 {
				w := all[random.IntN(tenants)]
				mu.Lock()
				id, lease := "scan-none", scan.Lease{Length: time.Second}
				if len(known) > 0 {
					id = known[random.IntN(len(known))]
					lease = leases[id]
				}
				mine := owner[id] == w.name
				mu.Unlock()
				lease.JobID = id
				op := random.IntN(13)
				got, err := isolated(t.Context(), w.scans, w.tree, op, id, lease)
				if !mine && op > 1 && op != 12 && (err == nil || got != "" && owner[got] != w.name) {
					t.Errorf("operation %d of %s on %s's %s: %q, %v", op, w.name, owner[id], id, got, err)
					return
				}
				if op == 0 && err == nil {
					mu.Lock()
					known, owner[got] = append(known, got), w.name
					mu.Unlock()
				}
				if op == 1 && err == nil {
					mu.Lock()
					for seen := range strings.FieldsSeq(got) {
						if o := owner[seen]; o != "" && o != w.name {
							t.Errorf("%s lists %s of %s", w.name, seen, o)
						}
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
}

// isolated does one operation and returns the ids that it showed.
func isolated(ctx context.Context, s *store.Scans, tree *store.Tenant, op int, id string, lease scan.Lease) (string, error) {
	claim := scan.ClaimRequest{JobID: id, Holder: "w", Message: id + "/job/1", Length: time.Second}
	var err error
	switch op {
	case 0:
		j, _, err := s.Submit(ctx, scan.Request{Image: "image"}, "")
		if err != nil {
			return "", err
		}
		return j.ID, nil
	case 1:
		p, err := s.List(ctx, scan.Query{Limit: 1000})
		if err != nil {
			return "", err
		}
		out := ""
		for _, j := range p.Jobs {
			out += j.ID + " "
		}
		return out, nil
	case 2:
		_, err = s.Job(ctx, id)
	case 3:
		_, err = s.Manifest(ctx, id)
	case 4:
		_, err = s.Documents(ctx, id)
	case 5:
		_, err = s.Findings(ctx, id)
	case 6:
		_, err = s.Claim(ctx, claim)
	case 7:
		_, err = s.Heartbeat(ctx, lease)
		if lease.Length < time.Second {
			lease.Length = time.Second
			_, err = s.Heartbeat(ctx, lease)
		}
	case 8:
		_, err = s.Resolve(ctx, lease, "sha256:x")
	case 9:
		err = s.Complete(ctx, lease, results("iso"))
	case 10:
		_, err = s.ClaimEvaluation(ctx, claim)
	case 11:
		err = s.FinishEvaluation(ctx, lease, scan.Conclusion{})
	case 12:
		_, err = tree.Once(ctx, "group", id, func(*store.Tx) error { return nil })
	}
	return "", err
}

func testQueue(t *testing.T, open func(testing.TB) *store.Root) {
	queuetest.TestDriver(t, queuetest.Config{Open: func(t *testing.T) queue.Driver { return open(t).QueueDriver() }})
}
