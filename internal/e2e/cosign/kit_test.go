package cosign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/scan/image"
)

func TestMain(m *testing.M) { servers.Main(m) }

// predicateType is that of a document which cosign knows nothing about.
const predicateType = "https://openvex.dev/ns/v0.2.0"

// kit is a folder with cosign, a registry on this machine, and an image in it.
type kit struct {
	dir, cosign string
	host        string
	ref, digest string // of the image
}

// newKit starts a registry with the referrers API, or with clients' tags instead.
func newKit(t *testing.T, api bool) *kit {
	t.Helper()
	k := &kit{cosign: servers.Cosign(t), dir: t.TempDir()}
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(api)))
	t.Cleanup(s.Close)
	k.host = strings.TrimPrefix(s.URL, "http://")
	k.push(t)
	return k
}

// push puts an image into the registry.
func (k *kit) push(t *testing.T) {
	t.Helper()
	img, err := random.Image(1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(k.host + "/team/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	k.ref, k.digest = tag.Name(), h.String()
}

// try runs cosign in the folder.
func (k *kit) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), k.cosign, args...)
	cmd.Dir = k.dir
	cmd.Env = []string{
		"HOME=" + k.dir, "TUF_ROOT=" + filepath.Join(k.dir, "tuf"), "PATH=" + os.Getenv("PATH"), "COSIGN_PASSWORD=secret",
		"HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1,localhost", // nowhere else
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	t.Logf("$ cosign %s\n%s%s", strings.Join(args, " "), short(out.String()), short(errs.String()))
	return out.String() + errs.String(), err
}

func (k *kit) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := k.try(t, args...)
	if err != nil {
		t.Fatalf("cosign %s: %v", args[0], err)
	}
	return out
}

func short(s string) string {
	const most = 600
	if s = strings.TrimSpace(s); len(s) > most {
		s = s[:most] + "…"
	}
	if s != "" {
		s += "\n"
	}
	return s
}

// write puts a file into the folder.
func (k *kit) write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, file), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (k *kit) read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(k.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// attestations are what stella finds about the image.
func (k *kit) attestations(t *testing.T) []image.Attestation {
	t.Helper()
	list, err := image.Attestations(context.Background(), k.ref, nil, anonymous())
	if err != nil || len(list.Broken) > 0 {
		t.Fatal(err, list)
	}
	return list.Attestations
}

func anonymous() *image.Options { return &image.Options{Credentials: image.NoCredentials} }

// newKey makes a key of stella's, and puts its public half into the folder as
// stella.pub.
func (k *kit) newKey(t *testing.T) *dsse.PrivateKey {
	t.Helper()
	return k.useKey(t, newEC(t, elliptic.P256()))
}

func newEC(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (k *kit) useKey(t *testing.T, private crypto.Signer) *dsse.PrivateKey {
	t.Helper()
	key, err := dsse.NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	k.write(t, "stella.pub", key.Public().PEM())
	return key
}

// sign makes an envelope with a statement about a digest.
func sign(t *testing.T, key dsse.Signer, digest string) *dsse.Envelope {
	t.Helper()
	payload, err := json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": predicateType,
		"subject":   []any{map[string]any{"name": "team/app", "digest": map[string]string{"sha256": strings.TrimPrefix(digest, "sha256:")}}},
		"predicate": map[string]any{"statements": []any{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := dsse.Sign(context.Background(), "application/vnd.in-toto+json", payload, key)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
