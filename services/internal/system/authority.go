package system

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store/cache"
)

// Tokens are how an authority makes them.
type Tokens struct {
	Issuer   string
	Audience string   // the origin of the gateway
	Seal     [][]byte // seal signing keys in the store: the first new ones, all open those that are there
	Cache    *cache.Cache
	Lifetime time.Duration
	External []issuer.External
}

// Authority is the authorization server: it says who may have which tokens.
func Authority(w *World, t Tokens) (*issuer.Server, *shell.Part, error) {
	s := &issuer.Server{
		Issuer: t.Issuer, Audiences: []string{t.Audience}, Store: w.Store.Accounts(), Seal: t.Seal, Replay: t.Cache,
		Nonces:    &dpop.Nonces{Secret: derive(t.Seal[0], "nonces of proofs"), Audience: t.Issuer, Epochs: t.Cache},
		Identify:  who,
		Externals: t.External, Lifetime: t.Lifetime, Report: w.request("authority"),
	}
	if err := s.Check(); err != nil {
		return nil, nil, err
	}
	keep := func(ctx context.Context) error { return s.Maintain(ctx) }
	mux := http.NewServeMux()
	mux.Handle("POST "+introspectPath, worth(s, w.request("authority")))
	mux.Handle("/", s)
	return s, &shell.Part{Name: "authority", Handler: mux, Loops: []shell.Loop{w.every("authority", "keys", time.Minute, keep)}}, nil
}

// cutScheme splits the value of an Authorization header; the scheme is in lower case.
func cutScheme(value string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(value, " ")
	return strings.ToLower(scheme), strings.TrimLeft(rest, " "), ok
}
