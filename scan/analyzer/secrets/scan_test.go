package secrets_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/analyzer/secrets"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// keeper is a cache that a test looks into.
type keeper struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (k *keeper) Get(_ context.Context, key string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v, ok := k.kept[key]; ok {
		return v, nil
	}
	return nil, scan.ErrNotFound
}

func (k *keeper) Put(_ context.Context, key string, value []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[key] = bytes.Clone(value)
	return nil
}

// TestScan: secrets of an image are found in every layer, also under what another analyzer
// reads and in files too large to be held, and no six bytes of one are in what is kept of the
// layers or in any document.
func TestScan(t *testing.T) {
	random := func(n int, seed string) string { // letters and digits that repeat nothing
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			b.WriteByte("Zx81QpLm27VbNcRt54YhGk93WsEd60UjTfXaOi"[(i*i*7+i*len(seed)+int(seed[i%len(seed)]))%38])
		}
		return b.String()
	}
	planted := map[string]string{
		"github-token": "ghp_" + random(36, "one"), "database-url": random(20, "second"), "aws-secret-access-key": random(40, "the third"), "npm-token": "npm_" + random(36, "number four"),
	}
	manifest := `{"name":"app","version":"1.0.0","config":{"token":"` + planted["npm-token"] + `"}}`
	img := &scan.Image{Layers: []layer.Blob{
		imagetest.Blob(imagetest.Tar(
			imagetest.File{Name: "srv/app.yaml", Data: "url: postgres://app:" + planted["database-url"] + "@db.internal/app\n"},
			imagetest.File{Name: "root/.aws/credentials", Data: "[default]\naws_secret_access_key = " + planted["aws-secret-access-key"] + "\n"},
			imagetest.File{Name: "srv/package.json", Data: manifest},
			imagetest.File{Name: "srv/large.log", Data: strings.Repeat("a line of a log\n", 400_000) + "token " + planted["github-token"] + "\n"},
		), imagetest.Gzip),
		imagetest.Blob(imagetest.Tar(imagetest.File{Name: "root/.aws/.wh.credentials"}), imagetest.Gzip),
	}}
	cache := &keeper{kept: map[string][]byte{}}
	s := &scan.Scanner{Analyzers: analyzer.NewSet(append(all.Default(), secrets.Analyzer{})...), Cache: cache}
	r, err := s.Scan(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, x := range r.Document.Secrets {
		got[x.Rule] = x.Path
		if x.Removed != (x.Path == "root/.aws/credentials") || x.Layer == "" {
			t.Errorf("%+v", x)
		}
	}
	for rule, path := range map[string]string{"github-token": "srv/large.log", "database-url": "srv/app.yaml", "aws-secret-access-key": "root/.aws/credentials", "npm-token": "srv/package.json"} {
		if got[rule] != path {
			t.Errorf("%s is found in %q, want %s", rule, got[rule], path)
		}
	}
	for rule, secret := range planted {
		quiet := func(where string, text []byte) {
			for i := strings.IndexByte(secret, '_') + 1; i+6 <= len(secret); i++ { // the vendor's mark is none
				if bytes.Contains(text, []byte(secret[i:i+6])) {
					t.Fatalf("%s has bytes of the secret of %s", where, rule)
				}
			}
		}
		for key, value := range cache.kept {
			quiet("the cache", append([]byte(key), value...))
		}
		for _, name := range format.Writable() {
			var b bytes.Buffer
			if _, err := format.Encode(&b, r.Document, name, nil); err != nil {
				t.Fatal(err)
			}
			quiet(name, b.Bytes())
		}
	}
}
