package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
)

// introspectPath is where gateways ask what a token or an API key is worth. No gateway has
// a route to it.
const introspectPath = "/internal/v1/introspect"

// worth answers gateways. It is behind the door of its system.
func worth(s *issuer.Server, report func(string, error)) http.Handler {
	m := &httpjson.Mux{Report: report}
	m.Handle("POST", introspectPath, func(w http.ResponseWriter, r *http.Request) error {
		i := auth.FromContext(r.Context())
		if i == nil || i.Tenant != "" || i.Subject != gatewayName || i.Proof != auth.ProofService {
			return fmt.Errorf("this is for gateways: %w", fault.Forbidden)
		}
		text, err := io.ReadAll(io.LimitReader(r.Body, token.MaxSize+1))
		if err != nil {
			return httpjson.BadRequest("body: it ended early")
		}
		c, err := s.Introspect(r.Context(), string(text))
		if err != nil {
			return err
		}
		w.Header().Set("Cache-Control", "no-store")
		return httpjson.Write(w, http.StatusOK, c)
	})
	return m
}

// FarAuthority is an authority in other processes, as a gateway asks it.
type FarAuthority struct {
	*Remote
	// Report is told why it did not answer. Nil means nobody.
	Report func(error)

	mu    sync.Mutex
	list  map[[2]string]account.Revocation
	seen  int64
	asked time.Time // when it last answered
}

// How often a gateway asks for revocations, and how long it does without an answer before it
// refuses everybody.
const (
	askEvery = 2 * time.Second
	askLimit = 60 * time.Second
)

func (f *FarAuthority) door() http.RoundTripper {
	return &as{f.Transport(gatewayName), &auth.Identity{Subject: gatewayName, Client: gatewayName, Proof: auth.ProofService}}
}

// call asks the authority and reads what it answers.
func (f *FarAuthority) call(ctx context.Context, method, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(f.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := f.door().RoundTrip(r)
	if err != nil {
		return fmt.Errorf("ask the authority: %w: %w", err, fault.Unavailable)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the authority: %w", httpjson.ReadError(resp))
	}
	return json.UnmarshalRead(io.LimitReader(resp.Body, 4<<20), into)
}

// Introspect says what a token or an API key is worth. An error wraps Unauthenticated where
// it is worth nothing, and Unavailable where that cannot be known.
func (f *FarAuthority) Introspect(ctx context.Context, text string) (*token.Claims, error) {
	out := new(token.Claims)
	err := f.call(ctx, http.MethodPost, introspectPath, []byte(text), out)
	if err != nil && !errors.Is(err, fault.Unauthenticated) {
		return nil, fmt.Errorf("%v: %w", err, fault.Unavailable)
	}
	return out, err
}

// Run asks for what is revoked until ctx is done.
func (f *FarAuthority) Run(ctx context.Context) error {
	for {
		err := f.ask(ctx)
		if err != nil && ctx.Err() == nil && f.Report != nil {
			f.Report(err)
		}
		if !pause(ctx, askEvery) {
			return nil
		}
	}
}

// overlap is how many numbers are asked for again: transactions end in another order than
// they took their numbers in.
const overlap = 64

func (f *FarAuthority) ask(ctx context.Context) error {
	for after := max(f.seen-overlap, 0); ; {
		var page struct {
			Revocations []account.Revocation `json:"revocations"`
			Next        int64                `json:"next"`
		}
		if err := f.call(ctx, http.MethodGet, fmt.Sprint("/revocations?after=", after), nil, &page); err != nil {
			return err
		}
		f.mu.Lock()
		if f.list == nil {
			f.list = map[[2]string]account.Revocation{}
		}
		for _, r := range page.Revocations {
			f.list[[2]string{r.Kind, r.ID}] = r
			f.seen = max(f.seen, r.Seq)
		}
		now := time.Now()
		for k, r := range f.list {
			if !r.Until.After(now) {
				delete(f.list, k)
			}
		}
		f.asked = now
		f.mu.Unlock()
		if len(page.Revocations) == 0 || page.Next <= after {
			return nil
		}
		after = page.Next
	}
}

// Ready says whether it has answered lately.
func (f *FarAuthority) Ready() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.asked) > askLimit {
		return fmt.Errorf("revocations: the authority has not answered for over %v: %w", askLimit, fault.Unavailable)
	}
	return nil
}

// Revoked reports whether a token was ended before its time. An authority that has not
// answered for long leaves nobody in: what it has revoked is not known then.
func (f *FarAuthority) Revoked(_ context.Context, t *token.Claims) (bool, error) {
	if err := f.Ready(); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return issuer.Ends(f.list, t), nil
}
