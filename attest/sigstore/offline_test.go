package sigstore_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/stella-ops/stella/attest/sigstore"
)

// TestOffline verifies where every way that Go has to a network by default fails.
func TestOffline(t *testing.T) {
	asked := 0
	transport, resolver := http.DefaultTransport, net.DefaultResolver
	t.Cleanup(func() { http.DefaultTransport, net.DefaultResolver = transport, resolver })
	http.DefaultTransport = roundTrip(func(*http.Request) (*http.Response, error) {
		asked++
		return nil, errors.New("no network")
	})
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		asked++
		return nil, errors.New("no network")
	}}
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	if _, err := newScene(t, step{}).verify(); err != nil {
		t.Error(err)
	}
	files := conformanceFiles(t)
	for _, name := range []string{"happy-path-v0.3", "rekor2-happy-path", "rekor2-no-inclusion-proof_fail"} {
		if _, err := verifyCase(t, files, name, true); (err == nil) != (conformance[name] == good) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if asked > 0 {
		t.Errorf("a network was asked %d times", asked)
	}
}

func BenchmarkVerify(b *testing.B) {
	files := conformanceFiles(b)
	for _, name := range []string{"happy-path-v0.3", "happy-path-intoto-in-dsse-v3", "rekor2-dsse-happy-path", "rekor2-happy-path"} {
		if files[name+"/bundle.sigstore.json"] == nil {
			continue
		}
		b.Run(name, func(b *testing.B) {
			c, err := readCase(b, files, name)
			if err != nil {
				b.Fatal(err)
			}
			v, err := sigstore.NewVerifier(c.root, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(context.Background(), c.bundle, &sigstore.Artifact{Content: c.artifact}, c.policy); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("private instance", func(b *testing.B) {
		s := newScene(b, step{})
		v, err := sigstore.NewVerifier(s.root, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(context.Background(), s.text, s.artifact, s.policy); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkNewVerifier(b *testing.B) {
	root := publicGood(b, conformanceFiles(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sigstore.NewVerifier(root, nil); err != nil {
			b.Fatal(err)
		}
	}
}
