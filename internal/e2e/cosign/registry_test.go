package cosign

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/image"
)

// TestRegistry: the same against a registry of the field, which keeps no referrers.
func TestRegistry(t *testing.T) {
	s := servers.StartRegistry(t)
	k := &kit{cosign: servers.Cosign(t), dir: t.TempDir(), host: s.Addr}
	k.push(t)
	key := k.newKey(t)
	k.run(t, "generate-key-pair")
	k.write(t, "predicate.json", []byte(`{}`))
	k.run(t, append([]string{"attest", "--key", "cosign.key", "--predicate", "predicate.json", "--type", predicateType, k.ref}, offline...)...)
	k.attach(t, wrap(sign(t, key, k.digest), key.Public()))
	for _, public := range []string{"stella.pub", "cosign.pub"} {
		k.run(t, "verify-attestation", "--key", public, "--insecure-ignore-tlog", "--type", predicateType, k.ref)
	}
	if n := len(k.attestations(t)); n != 2 {
		t.Errorf("%d attestations, want 2", n)
	}
}

// TestRegistryAtOnce: those who attach at the same moment and attach again have all
// their documents listed.
func TestRegistryAtOnce(t *testing.T) {
	s := servers.StartRegistry(t)
	k := &kit{host: s.Addr}
	k.push(t)
	const clients = 8
	attach := func(i int) error {
		doc := image.Artifact{MediaType: dsseType, Content: fmt.Appendf(nil, `{"n":%d}`, i)}
		_, err := image.Attach(context.Background(), k.ref, []image.Artifact{doc}, anonymous())
		return err
	}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			if err := attach(i); err != nil {
				t.Logf("client %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d are listed at first", len(k.attestations(t)), clients)
	for i := range clients {
		if err := attach(i); err != nil {
			t.Error(err)
		}
	}
	if n := len(k.attestations(t)); n != clients {
		t.Errorf("%d attestations, want %d", n, clients)
	}
}

// TestRegistryLarge: a large artifact goes up, though the registry dies on the way,
// and comes back, though the first part is there already.
func TestRegistryLarge(t *testing.T) {
	s := servers.StartRegistry(t)
	doc := make([]byte, 96<<20)
	rand.NewChaCha8([32]byte{}).Read(doc)
	var once sync.Once
	dying := func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(&watch{bytes.NewReader(doc), func(n int) {
			if n > len(doc)/2 {
				once.Do(func() { s.Restart(t) })
			}
		}, 0}), nil
	}
	ref := s.Addr + "/kits/kit:1"
	start := time.Now()
	got, err := image.Push(t.Context(), ref, image.Artifact{MediaType: "application/vnd.example.kit", Digest: sum.Of(doc), Size: int64(len(doc)), Open: dying}, anonymous())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("pushed %d MB in %v, over a restart: %+v", len(doc)>>20, time.Since(start), got)
	p, err := image.Pull(t.Context(), ref, anonymous())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	file := filepath.Join(t.TempDir(), "kit")
	if err := os.WriteFile(file+"."+p.Digest[7:23]+".part", doc[:len(doc)/3], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Save(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if saved, err := os.ReadFile(file); err != nil || !bytes.Equal(saved, doc) {
		t.Errorf("what came back is not what went: %v", err)
	}
}

// watch is told how much was read.
type watch struct {
	io.Reader
	seen func(int)
	n    int
}

func (w *watch) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.n += n
	w.seen(w.n)
	return n, err
}
