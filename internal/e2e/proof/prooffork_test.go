package proof

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
)

const (
	forkVariable  = "STELLA_FORK"
	forkEnvelopes = 200
)

// forkHalf opens what two processes share: a store, a bucket and a log in one folder.
func forkHalf(t *testing.T, dir string) *attest.Attestor {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "root.json"))
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := attest.DecodeRoot(text)
	if err != nil {
		t.Fatal(err)
	}
	url, err := os.ReadFile(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := store.Open(t.Context(), string(url))
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.Open(t.Context(), "file:"+filepath.Join(dir, "bucket"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(filepath.Join(dir, "log.pem"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.Parse(private, "log", nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tlog.NewLogSigner("log.test/fork", k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	storage, files, err := tlog.NewDir(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := tlog.Open(t.Context(), storage, signer, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close(); files.Close(); bucket.Close(); root.Close() })
	return &attest.Attestor{
		Trust:   func(context.Context, string) (*attest.Trust, error) { return trusted.Trust(nil), nil },
		Stores:  func(string) (attest.Store, error) { return tenant.Attest(), nil },
		Objects: func(string) (attest.Objects, error) { return bucket, nil },
		Log:     &attest.Embedded{Log: log}, Now: time.Now, Patience: time.Minute,
	}
}

// TestProofForkChild is one of the processes that TestProofFork runs: it has all envelopes
// attested, in an order of its own, and says where the log has each.
func TestProofForkChild(t *testing.T) {
	dir := os.Getenv(forkVariable)
	if dir == "" {
		t.Skip("it is run by TestProofFork")
	}
	a := forkHalf(t, dir)
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range next {
				text, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("envelope-", i)))
				if err != nil {
					t.Error(err)
				}
				kept, b, err := a.Attest(t.Context(), "acme", text, &attest.AttestOptions{Logged: true})
				for tries := 0; errors.Is(err, fault.Unavailable) && tries < 10; tries++ { // the store was busy
					kept, b, err = a.Attest(t.Context(), "acme", text, &attest.AttestOptions{Logged: true})
				}
				if err == nil && len(b.Material.Entries) == 0 {
					_, err = a.Complete(t.Context(), "acme", kept.ID)
					if err == nil {
						_, b, err = a.Bundle(t.Context(), "acme", kept.ID)
					}
				}
				if err != nil || len(b.Material.Entries) != 1 {
					t.Errorf("envelope %d: %v", i, err)
					continue
				}
				proof, err := b.Material.Entries[0].Encode()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				fmt.Println("entry", i, b.Material.Entries[0].LogIndex, sum.Of(proof))
				mu.Unlock()
			}
		})
	}
	for _, i := range rand.Perm(forkEnvelopes) {
		next <- i
	}
	close(next)
	wg.Wait()
}

// TestProofFork has two processes attest the same envelopes at once, with one store and one
// log: each envelope gets one receipt, which both give out, the log has each entry once,
// and whoever follows it never sees another past.
func TestProofFork(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			if backend == "postgres" && testing.Short() {
				t.Skip("with -short only SQLite")
			}
			dir := t.TempDir()
			url := "sqlite:" + filepath.Join(dir, "stella.db")
			if backend == "postgres" {
				url = servers.PostgresStore(t).App
			}
			testFork(t, dir, url)
		})
	}
}

func testFork(t *testing.T, dir, url string) {
	p := forkParties(t, dir, url)
	a := forkHalf(t, dir) // the log begins, and the schema is there
	storage, files, err := tlog.NewDir(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	reader := tlog.NewReader(storage.Source(), &p.Logs)
	following, stop := context.WithCancel(t.Context())
	var follow sync.WaitGroup
	seen := 0
	follow.Go(func() {
		m := tlog.NewMonitor(reader, tlog.NewMemHead())
		for size := int64(-1); following.Err() == nil; time.Sleep(2 * time.Millisecond) {
			c, err := m.Update(t.Context())
			if err != nil && !errors.Is(err, fault.NotFound) {
				t.Errorf("who follows the log: %v", err)
				return
			}
			if err == nil && c.Size != size {
				size = c.Size
				seen++
			}
		}
	})
	places := make([]map[string]string, 2)
	var wg sync.WaitGroup
	for i := range places {
		wg.Go(func() { places[i] = runFork(t, dir) })
	}
	wg.Wait()
	stop()
	follow.Wait()
	for i, place := range places[0] {
		if places[1][i] != place {
			t.Errorf("envelope %s has two receipts: %s and %s", i, place, places[1][i])
		}
	}
	c, err := reader.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(places[0]) != forkEnvelopes || len(places[1]) != forkEnvelopes || c.Size != forkEnvelopes {
		t.Errorf("%d and %d receipts, %d entries, want %d", len(places[0]), len(places[1]), c.Size, forkEnvelopes)
	}
	tenant, err := a.Stores("acme")
	if err != nil {
		t.Fatal(err)
	}
	page, err := tenant.Find(t.Context(), attest.Query{Limit: 1000})
	if err != nil || len(page.Attestations) != forkEnvelopes {
		t.Fatalf("%d attestations: %v", len(page.Attestations), err)
	}
	for i := range page.Attestations {
		if n := len(page.Attestations[i].Proofs); n != 1 {
			t.Errorf("%s has %d receipts", page.Attestations[i].ID, n)
		}
	}
	t.Logf("%d envelopes, attested by two processes; %d checkpoints were followed", forkEnvelopes, seen)
}

// forkParties writes keys, the trust root and envelopes.
func forkParties(t *testing.T, dir, url string) *attest.Root {
	t.Helper()
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	signing := newProofKey(t)
	private, err := key.Generate(key.P256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := private.PEM()
	if err != nil {
		t.Fatal(err)
	}
	write("log.pem", text)
	write("store", []byte(url))
	logging, err := key.Parse(text, "log", nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tlog.NewLogSigner("log.test/fork", logging.Public(), logging)
	if err != nil {
		t.Fatal(err)
	}
	root := &attest.Root{
		Keys: key.Ring{Members: []key.Member{{Key: signing.Public(), From: time.Now().Add(-time.Hour).Truncate(time.Second), Purposes: []string{key.AnyPurpose}}}},
		Logs: tlog.Policy{Logs: []tlog.LogKey{{Key: signer.Key()}}},
	}
	if text, err = root.Encode(); err != nil {
		t.Fatal(err)
	}
	write("root.json", text)
	for i := range forkEnvelopes {
		e, err := smallEnvelope(t.Context(), signing, i)
		if err != nil {
			t.Fatal(err)
		}
		write(fmt.Sprint("envelope-", i), e)
	}
	return root
}

// smallEnvelope signs a small statement of a number.
func smallEnvelope(ctx context.Context, k *key.Key, i int) ([]byte, error) {
	s := intoto.Statement{Type: intoto.TypeV1, Subjects: []intoto.Subject{{Name: "image", Digests: map[string]string{"sha256": fmt.Sprintf("%064x", i)}}}, PredicateType: "https://example.org/number/v1", Predicate: fmt.Appendf(nil, `{"number":%d}`, i)}
	payload, err := s.Encode()
	if err != nil {
		return nil, err
	}
	sig, err := k.Sign(ctx, dsse.PAE(intoto.PayloadType, payload))
	if err != nil {
		return nil, err
	}
	e := &dsse.Envelope{PayloadType: intoto.PayloadType, Payload: payload, Signatures: []dsse.Signature{{KeyID: k.KeyID(), Sig: sig}}}
	return e.Encode()
}

// runFork runs one process, and returns the receipts that it gave out.
func runFork(t *testing.T, dir string) map[string]string {
	self, err := os.Executable()
	if err != nil {
		t.Error(err)
		return nil
	}
	cmd := exec.Command(self, "-test.run=^TestProofForkChild$")
	cmd.Env = append(os.Environ(), forkVariable+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %.3000s", err, out)
	}
	places := map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) == 4 && words[0] == "entry" {
			places[words[1]] = words[2] + " " + words[3]
		}
	}
	return places
}
