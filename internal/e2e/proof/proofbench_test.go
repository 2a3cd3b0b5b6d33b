package proof

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
)

// benchCallers is how many wait for their receipts at once.
const benchCallers = 256

// BenchmarkProof signs small statements, has them logged, and gets the receipts in their
// bundles, all of it kept durably on this disk: with a store that ends with the process,
// with SQLite, and with PostgreSQL. The log is a folder. The same entries go to tessera on
// POSIX in the same run, where nothing is signed, verified or kept beside the log.
func BenchmarkProof(b *testing.B) {
	b.Run("log", func(b *testing.B) { // our log alone
		w := newBenchWorld(b, "")
		w.load(b, func(ctx context.Context, i int) error {
			e, err := smallEnvelope(ctx, w.parties.signing, i)
			if err != nil {
				return err
			}
			_, err = w.log.Submit(ctx, e)
			return err
		})
	})
	b.Run("tessera", benchTessera)
	b.Run("memory", func(b *testing.B) { newBenchWorld(b, "memory").prove(b) })
	b.Run("sqlite", func(b *testing.B) {
		newBenchWorld(b, "sqlite:"+filepath.Join(b.TempDir(), "stella.db")).prove(b)
	})
	b.Run("postgres", func(b *testing.B) { newBenchWorld(b, servers.PostgresStore(b).App).prove(b) })
}

type benchWorld struct {
	*parties
	log      *tlog.Log
	signer   *attest.Signer
	attestor *attest.Attestor
	scan     string
	// How long calls took in all, in nanoseconds.
	logging, signatures, keeps, proofs, objects atomic.Int64
}

func newBenchWorld(b *testing.B, url string) *benchWorld {
	w := &benchWorld{parties: newParties(b), scan: "scan-1"}
	dir := b.TempDir()
	storage, files, err := tlog.NewDir(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	if w.log, err = tlog.Open(b.Context(), storage, w.logKey, nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.log.Close(); files.Close() })
	bucket, err := blob.Open(b.Context(), "file:"+filepath.Join(dir, "bucket"))
	if err != nil {
		b.Fatal(err)
	}
	var kept attest.Store = &attest.Memory{Now: time.Now}
	if url != "memory" && url != "" {
		root, err := store.Open(b.Context(), url)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { root.Close() })
		tenant, err := root.Tenant("acme")
		if err != nil {
			b.Fatal(err)
		}
		job, _, err := tenant.Scans().Submit(b.Context(), scan.Request{Image: "registry.test/a:1"}, "")
		if err != nil {
			b.Fatal(err)
		}
		w.scan, kept = job.ID, tenant.Attest()
	}
	stores := func(string) (attest.Store, error) { return &timedStore{kept, w}, nil }
	w.signer = &attest.Signer{
		Facts: func(string) (attest.Facts, error) { return smallFacts{}, nil }, Stores: stores, Grants: []attest.Grant{{}},
		Keys: &attest.Held{Ring: w.root.Keys, Open: []attest.Key{w.signing}, Now: time.Now},
	}
	w.attestor = &attest.Attestor{
		Trust: func(context.Context, string) (*attest.Trust, error) { return w.root.Trust(nil), nil }, Stores: stores,
		Objects: func(string) (attest.Objects, error) { return &timedObjects{bucket, w}, nil }, Log: &timedLog{attest.Embedded{Log: w.log}, w}, Now: time.Now, Patience: time.Minute,
	}
	return w
}

// smallFacts are statements about numbers.
type smallFacts struct{}

func (smallFacts) Fact(_ context.Context, _, predicateType, digest string) (*attest.Fact, error) {
	return &attest.Fact{Subjects: []intoto.Subject{{Name: "image", Digests: map[string]string{"sha256": digest[len("sha256:"):]}}}, PredicateType: predicateType, Predicate: fmt.Appendf(nil, `{"of":%q}`, digest), Digest: digest}, nil
}

// prove signs, has it logged, and wants the receipt in the bundle.
func (w *benchWorld) prove(b *testing.B) {
	w.load(b, func(ctx context.Context, i int) error {
		signed, err := w.signer.Sign(ctx, attest.Caller{Tenant: "acme", Subject: "bench"}, attest.Order{ScanID: w.scan, Predicate: "https://example.org/number/v1", Digest: sum.Of(fmt.Append(nil, i))})
		if err != nil {
			return err
		}
		_, made, err := w.attestor.Attest(ctx, "acme", signed.Encoded, &attest.AttestOptions{ScanID: w.scan, Logged: true})
		if err == nil && len(made.Material.Entries) != 1 {
			err = fmt.Errorf("%d: no receipt", i)
		}
		return err
	})
	for what, n := range map[string]*atomic.Int64{"log": &w.logging, "signature": &w.signatures, "keep": &w.keeps, "prove": &w.proofs, "object": &w.objects} {
		b.ReportMetric(float64(n.Load())/float64(b.N)/1e6, what+"-ms")
	}
}

// load has many callers do something, each after the other.
func (w *benchWorld) load(b *testing.B, do func(context.Context, int) error) { load(b, do) }

func load(b *testing.B, do func(context.Context, int) error) {
	took := make([]time.Duration, b.N)
	next := make(chan int)
	var wg sync.WaitGroup
	for range benchCallers {
		wg.Go(func() {
			for i := range next {
				start := time.Now()
				if err := do(b.Context(), i); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(start)
			}
		})
	}
	b.ResetTimer()
	for i := range b.N {
		next <- i
	}
	close(next)
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "signatures/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// benchTessera is the same load on tessera as fast as it lets itself be set, as in
// package oracle.
func benchTessera(b *testing.B) {
	p := newParties(b)
	private, _, err := note.GenerateKey(nil, "log.test/tessera")
	if err != nil {
		b.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		b.Fatal(err)
	}
	d, err := posix.New(b.Context(), posix.Config{Path: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	opt := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithBatching(1024, 20*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
	running, cancel := context.WithCancel(b.Context())
	defer cancel()
	a, shutdown, reader, err := tessera.NewAppender(running, d, opt)
	if err != nil {
		b.Fatal(err)
	}
	await := tessera.NewPublicationAwaiter(running, reader.ReadCheckpoint, 10*time.Millisecond)
	load(b, func(ctx context.Context, i int) error {
		e, err := smallEnvelope(ctx, p.signing, i)
		if err != nil {
			return err
		}
		_, _, err = await.Await(ctx, a.Add(ctx, tessera.NewEntry(e)))
		return err
	})
	if err := shutdown(b.Context()); err != nil {
		b.Error(err)
	}
}

func since(total *atomic.Int64, began time.Time) { total.Add(int64(time.Since(began))) }

type timedLog struct {
	attest.Embedded
	w *benchWorld
}

func (l *timedLog) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	defer since(&l.w.logging, time.Now())
	return l.Embedded.Enter(ctx, r)
}

type timedObjects struct {
	*blob.Bucket
	w *benchWorld
}

func (o *timedObjects) Put(ctx context.Context, r io.Reader) (blob.Ref, error) {
	defer since(&o.w.objects, time.Now())
	return o.Bucket.Put(ctx, r)
}

type timedStore struct {
	attest.Store
	w *benchWorld
}

func (s *timedStore) Signature(ctx context.Context, payload, keyID string) (*attest.Signature, error) {
	defer since(&s.w.signatures, time.Now())
	return s.Store.Signature(ctx, payload, keyID)
}

func (s *timedStore) KeepSignature(ctx context.Context, in *attest.Signature) (*attest.Signature, error) {
	defer since(&s.w.signatures, time.Now())
	return s.Store.KeepSignature(ctx, in)
}

func (s *timedStore) Keep(ctx context.Context, a *attest.Attestation) (*attest.Attestation, error) {
	defer since(&s.w.keeps, time.Now())
	return s.Store.Keep(ctx, a)
}

func (s *timedStore) Prove(ctx context.Context, id string, p attest.Proof) (*attest.Attestation, error) {
	defer since(&s.w.proofs, time.Now())
	return s.Store.Prove(ctx, id, p)
}
