package oracle

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	theirsnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/tlog"
)

const logOrigin = "log.example/oracle"

// logKeys are one key as both sides have it.
type logKeys struct {
	ours      *tlog.Signer
	theirs    note.Signer
	theirsKey note.Verifier
}

func newLogKeys(t testing.TB) logKeys {
	t.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, logOrigin)
	if err != nil {
		t.Fatal(err)
	}
	var k logKeys
	if k.theirs, err = note.NewSigner(secret); err != nil {
		t.Fatal(err)
	}
	if k.theirsKey, err = note.NewVerifier(public); err != nil {
		t.Fatal(err)
	}
	seed, err := base64.StdEncoding.DecodeString(strings.SplitN(secret, "+", 5)[4])
	if err != nil {
		t.Fatal(err)
	}
	private, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(seed[1:]))
	if err != nil {
		t.Fatal(err)
	}
	if k.ours, err = tlog.NewLogSigner(logOrigin, private.Public(), private); err != nil {
		t.Fatal(err)
	}
	if k.ours.Key().String() != public {
		t.Fatalf("our key is %s, theirs %s", k.ours.Key(), public)
	}
	return k
}

func (k logKeys) policy() *tlog.Policy {
	return &tlog.Policy{Logs: []tlog.LogKey{{Key: k.ours.Key()}}}
}

func logEntry(i int) []byte { return fmt.Appendf(nil, "entry %d", i) }

// ourLog writes n entries in batches to a folder.
func ourLog(t testing.TB, k logKeys, dir string, n int) tlog.Storage {
	t.Helper()
	s, c, err := tlog.NewDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	l, err := tlog.Open(t.Context(), s, k.ours, &tlog.Options{MaxBatch: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := l.Submit(context.Background(), logEntry(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return s
}

// theirLog writes n entries to a folder with tessera.
func theirLog(t testing.TB, dir string, n int, opt *tessera.AppendOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	a, shutdown, _, err := tessera.NewAppender(ctx, d, opt)
	if err != nil {
		t.Fatal(err)
	}
	var futures []tessera.IndexFuture
	for i := range n {
		futures = append(futures, a.Add(ctx, tessera.NewEntry(logEntry(i))))
	}
	for _, f := range futures {
		if _, err := f(); err != nil {
			t.Fatal(err)
		}
	}
	if err := shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

// folder is what a log's folder shows.
type folder string

func (f folder) Checkpoint(ctx context.Context) ([]byte, error) {
	return f.Get(ctx, "checkpoint", 1<<16)
}

func (f folder) Get(_ context.Context, path string, max int) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(string(f), filepath.FromSlash(path)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", path, tlog.ErrNotFound)
	case len(b) > max:
		return nil, fmt.Errorf("%s: %w", path, tlog.ErrLimit)
	}
	return b, err
}

func leafHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var out [][]byte
	for _, e := range b.Entries {
		out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return out, nil
}

// TestTlogTheyReadOurs: tessera's client reads and verifies our log over HTTP, its fsck
// finds nothing, and its proofs are ours.
func TestTlogTheyReadOurs(t *testing.T) {
	const n = 700
	k := newLogKeys(t)
	storage := ourLog(t, k, t.TempDir(), n)
	server := httptest.NewServer(tlog.NewHandler(storage.Source(), func(err error) { t.Error(err) }))
	defer server.Close()
	root, err := url.Parse(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	fetch, err := client.NewHTTPFetcher(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	cp, _, _, err := client.FetchCheckpoint(ctx, fetch.ReadCheckpoint, k.theirsKey, logOrigin)
	if err != nil || cp.Size != n {
		t.Fatalf("%+v, %v", cp, err)
	}
	if err := fsck.New(logOrigin, k.theirsKey, fetch, leafHashes, fsck.Opts{N: 2}).Check(ctx); err != nil {
		t.Error(err)
	}
	build, err := client.NewProofBuilder(ctx, cp.Size, fetch.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	reader := tlog.NewReader(storage.Source(), k.policy())
	c, err := reader.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := int64(0); i < n; i += 7 {
		theirs, err := build.InclusionProof(ctx, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := reader.Inclusion(ctx, c.Tree, i)
		if err != nil || !sameProof(ours, theirs) {
			t.Errorf("inclusion of %d: %v, %v, theirs %x", i, ours, err, theirs)
		}
		leaf, err := reader.Leaf(ctx, c.Tree, i)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), cp.Size, leaf[:], theirs, cp.Hash); err != nil {
			t.Error(err)
		}
		theirs, err = build.ConsistencyProof(ctx, uint64(i+1), cp.Size)
		if err != nil {
			t.Fatal(err)
		}
		if ours, err = reader.Consistency(ctx, c.Tree, i+1); err != nil || !sameProof(ours, theirs) {
			t.Errorf("consistency from %d: %v, %v, theirs %x", i+1, ours, err, theirs)
		}
	}
}

func sameProof(ours []tlog.Hash, theirs [][]byte) bool {
	return slices.EqualFunc(ours, theirs, func(a tlog.Hash, b []byte) bool { return bytes.Equal(a[:], b) })
}

// TestTlogWeReadTheirs: our reader and monitor read and verify a log of tessera's POSIX
// driver, and the same entries in the same order give the same files here.
func TestTlogWeReadTheirs(t *testing.T) {
	const n = 600
	k := newLogKeys(t)
	theirs, ours := t.TempDir(), t.TempDir()
	monitor := tlog.NewMonitor(tlog.NewReader(folder(theirs), k.policy()), tlog.NewMemHead())
	options := func() *tessera.AppendOptions {
		return tessera.NewAppendOptions().WithCheckpointSigner(k.theirs).WithBatching(256, 50*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
	}
	ctx := t.Context()
	for part := range 2 {
		theirLog(t, theirs, n*(part+1)/2, options())
		if _, err := monitor.Update(ctx); err != nil {
			t.Fatal(err)
		}
	}
	reader := tlog.NewReader(folder(theirs), k.policy())
	c, err := reader.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, closer, err := tlog.NewDir(ours)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	l, err := tlog.Open(ctx, s, k.ours, &tlog.Options{MaxDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	distinct := map[string]bool{}
	for at := int64(0); at < c.Size; {
		entries, err := reader.Entries(ctx, c.Tree, at)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range entries {
			r, err := reader.Receipt(ctx, c, at+int64(i))
			if err == nil {
				_, err = k.policy().Verify(e, r)
			}
			if err != nil {
				t.Fatal(err)
			}
			distinct[string(e)] = true
		}
		at += int64(len(entries))
	}
	if len(distinct) != n || c.Size != n+n/2 {
		t.Errorf("%d distinct entries of %d", len(distinct), c.Size)
	}
}

// TestTlogSameFiles: the same entries in the same order are the same files and the
// same checkpoint as tessera's.
func TestTlogSameFiles(t *testing.T) {
	const n = 520
	k := newLogKeys(t)
	theirs := t.TempDir()
	theirLog(t, theirs, n, tessera.NewAppendOptions().WithCheckpointSigner(k.theirs).WithBatching(256, 50*time.Millisecond).WithCheckpointInterval(100*time.Millisecond))
	reader := tlog.NewReader(folder(theirs), k.policy())
	ctx := t.Context()
	c, err := reader.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s := tlog.NewMem()
	l, err := tlog.Open(ctx, s, k.ours, &tlog.Options{MaxDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range c.Size {
		e, err := reader.Entry(ctx, c.Tree, i)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := l.Submit(ctx, e); err != nil || r.Index != i {
			t.Fatalf("entry %d: %+v, %v", i, r, err)
		}
	}
	got, err := s.Source().Checkpoint(ctx)
	if err != nil || !bytes.Equal(got, c.Text) {
		t.Errorf("checkpoint\n%s\nwant\n%s", got, c.Text)
	}
	compared := 0
	err = filepath.WalkDir(filepath.Join(theirs, "tile"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(theirs, path)
		if err != nil {
			return err
		}
		if full, _, partial := strings.Cut(path, ".p/"); partial {
			if _, err := os.Stat(full); err == nil {
				return nil // we drop it once the full one is there
			}
		}
		compared++
		if b, err := s.Files.Get(ctx, filepath.ToSlash(name), 1<<25); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: %v", name, err)
		}
		return nil
	})
	if err != nil || compared < 6 {
		t.Errorf("%d files compared, %v", compared, err)
	}
}

// TestTlogWitness: our witness co-signs a log of tessera's, whose client asks it, and
// their verifier accepts the cosignature.
func TestTlogWitness(t *testing.T) {
	k := newLogKeys(t)
	private, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tlog.NewWitnessSigner("witness.example/w1", private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	head := tlog.NewMemHead()
	w, err := tlog.NewWitness(signer, &tlog.WitnessOptions{Logs: k.policy().Logs, Head: func(string) (tlog.Head, error) { return head, nil }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(tlog.NewWitnessHandler(w, func(err error) { t.Error(err) }))
	defer server.Close()
	root, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := tessera.NewWitness(signer.Key().String(), root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for range 2 { // the second time from the size that the witness has
		opt := tessera.NewAppendOptions().WithCheckpointSigner(k.theirs).WithBatching(256, 50*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
		theirLog(t, dir, 30, opt.WithWitnesses(tessera.NewWitnessGroup(1, theirs), nil))
	}
	strict := k.policy()
	strict.Witnesses, strict.Threshold = []*tlog.Key{signer.Key()}, 1
	c, err := tlog.NewReader(folder(dir), strict).Checkpoint(t.Context())
	if err != nil || c.Size != 60 {
		t.Fatalf("%+v, %v", c, err)
	}
	v, err := theirsnote.NewVerifierForCosignatureV1(signer.Key().String())
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(c.Text, note.VerifierList(v, k.theirsKey)); err != nil || len(n.Sigs) != 2 {
		t.Errorf("%+v, %v", n, err)
	}
}
