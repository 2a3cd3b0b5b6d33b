package system

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/envelope"
)

// The names by which processes sign for others: that of the file of their public key.
const (
	gatewayName = "gateway"
	workerName  = "worker"
)

// trusts says what each of them may say.
func trusts() map[string]envelope.Trust {
	signs := envelope.Trust{Scopes: []string{auth.AttestSign}, Tenants: []string{"*"}, Audiences: []string{"signer", "attestor"}}
	return map[string]envelope.Trust{
		gatewayName:  {Anybody: true},
		workerName:   {Scopes: []string{auth.ScannerWork}, Tenants: []string{"*"}, Audiences: []string{"scanner"}},
		exportCenter: signs,
		scannerWeb:   signs,
	}
}

// Front puts a system's door before its handler: what is not public needs an envelope of
// somebody who is believed, once, and one of the route's rights. A gateway has asked for
// those already; the key of a worker or of another service comes no further than its own
// routes.
func Front(name string, issuers map[string]envelope.Trust, h http.Handler) http.Handler {
	v := &envelope.Verifier{Audience: name, Issuers: issuers, Once: new(envelope.Memory).Once}
	mux := http.NewServeMux()
	mux.Handle("/", v.Middleware(h))
	for _, r := range Routes() {
		switch {
		case r.System != name:
		case r.Public():
			mux.Handle(r.Method+" "+r.Path, bare(h))
		default:
			mux.Handle(r.Method+" "+r.Path, v.Middleware(entitled(r.Scopes, h)))
		}
	}
	return mux
}

// entitled lets those through who have one of some rights.
func entitled(scopes []string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i := auth.FromContext(r.Context()); i == nil || !slices.ContainsFunc(scopes, i.Has) {
			p, _ := httpjson.Of(fmt.Errorf("this needs one of the rights %s: %w", strings.Join(scopes, ", "), fault.Forbidden))
			p.RequestID = r.Header.Get(envelope.RequestIDHeader)
			p.Write(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// bare serves without an identity, whatever a request says.
func bare(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del(envelope.Header)
		h.ServeHTTP(w, r)
	})
}

// Issuers reads whom this process believes: NAME.pem in a folder. Files of other names are
// an error: nothing says what those may say.
func Issuers(dir string) (map[string]envelope.Trust, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil {
		return nil, fmt.Errorf("identity.trust: %w", err)
	}
	out, known := map[string]envelope.Trust{}, trusts()
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pem")
		t, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("identity.trust: %s: want gateway, worker, export-center or scanner-web: %w", filepath.Base(file), fault.Invalid)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("identity.trust: %w", err)
		}
		for rest := text; ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			public, err := x509.ParsePKIXPublicKey(block.Bytes)
			key, isEd := public.(ed25519.PublicKey)
			if err != nil || !isEd {
				return nil, fmt.Errorf("identity.trust: %s: want Ed25519 public keys: %w", filepath.Base(file), fault.Invalid)
			}
			t.Keys = append(t.Keys, key)
		}
		if len(t.Keys) == 0 {
			return nil, fmt.Errorf("identity.trust: %s: there is no public key: %w", filepath.Base(file), fault.Invalid)
		}
		out[name] = t
	}
	return out, nil
}

// ReadIdentity reads the key by which a process says who it is.
func ReadIdentity(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("identity.key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("identity.key: %s: want PEM: %w", filepath.Base(file), fault.Invalid)
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := private.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("identity.key: %s: want an Ed25519 key (PKCS #8): %w", filepath.Base(file), fault.Invalid)
	}
	return key, nil
}
