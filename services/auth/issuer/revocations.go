package issuer

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
)

// revocations are what is known of them, so that a token is checked by what is new.
type revocations struct {
	mu   sync.Mutex
	seen int64 // the highest number
	list map[[2]string]account.Revocation
	// asked is when the store was asked, zero where it has to be asked again.
	asked time.Time
}

// ask reads what is new. The lock is held.
func (o *revocations) ask(ctx context.Context, store account.Grants, now time.Time) error {
	after := max(o.seen-overlap, 0)
	for {
		list, err := store.Revocations(ctx, after, account.MaxList)
		if err != nil {
			return fmt.Errorf("revocations: %w", err)
		}
		for _, r := range list {
			o.list[[2]string{r.Kind, r.ID}] = r
			after, o.seen = r.Seq, max(o.seen, r.Seq)
		}
		if len(list) < account.MaxList {
			break
		}
	}
	for k, r := range o.list {
		if !r.Until.After(now) {
			delete(o.list, k)
		}
	}
	o.asked = now
	return nil
}

// end revokes something, and has this process know it at once.
func (s *Server) end(ctx context.Context, r *account.Revocation) error {
	err := s.Store.Revoke(ctx, r)
	s.ended.mu.Lock()
	defer s.ended.mu.Unlock()
	s.ended.asked = time.Time{}
	return err
}

// overlap is how many numbers are asked for again: transactions end in another order than
// they took their numbers in.
const overlap = 64

// revokedFor bounds for how long what other nodes end is not known here.
const revokedFor = time.Second

// Revoked reports whether a token was ended before its time: what this process ends at
// once, what others end within a second. It is for the Revoked of a token.Verifier in the
// same process. After an error nobody knows: refuse.
func (s *Server) Revoked(ctx context.Context, t *token.Claims) (bool, error) {
	if err := s.ready(); err != nil {
		return false, err
	}
	o, now := &s.ended, s.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.list == nil {
		o.list = map[[2]string]account.Revocation{}
	}
	if age := now.Sub(o.asked); age < 0 || age >= revokedFor {
		if err := o.ask(ctx, s.Store, now); err != nil {
			return false, err
		}
	}
	return Ends(o.list, t), nil
}

// Ends reports whether one of some revocations, by kind and ID, ends a token.
func Ends(list map[[2]string]account.Revocation, t *token.Claims) bool {
	for _, k := range [][2]string{{account.RevokeToken, t.ID}, {account.RevokeFamily, t.Family}, {account.RevokeClient, t.Client}, {account.RevokeUser, t.Tenant + "/" + t.Subject}, {account.RevokeTenant, t.Tenant}} {
		r, ok := list[k]
		if ok && k[1] != "" && (k[0] == account.RevokeToken || k[0] == account.RevokeFamily || !t.Issued.After(r.Before)) {
			return true
		}
	}
	return false
}

// revocation is one as resource servers see it.
type revocation struct {
	Seq    int64     `json:"seq"`
	Kind   string    `json:"kind"`
	ID     string    `json:"id"`
	Before time.Time `json:"before"`
	Until  time.Time `json:"until"`
}

type revocationPage struct {
	Revocations []revocation `json:"revocations"`
	Next        int64        `json:"next"` // what to ask after the next time
}

// revocationsAfter lists what was ended, for resource servers, which ask every few
// seconds. It is for those of the installation: they belong to no tenant.
func (s *Server) revocationsAfter(c *call) error {
	if c.who.Tenant != "" {
		return fmt.Errorf("revocations are for services of the installation: %w", fault.Forbidden)
	}
	after, err := c.after()
	if err != nil {
		return err
	}
	list, err := s.Store.Revocations(c.r.Context(), after, account.MaxList)
	if err != nil {
		return err
	}
	page := revocationPage{Revocations: []revocation{}, Next: after}
	for _, r := range list {
		page.Revocations = append(page.Revocations, revocation{r.Seq, r.Kind, r.ID, r.Before.UTC(), r.Until.UTC()})
		page.Next = r.Seq
	}
	return c.answer(http.StatusOK, page)
}
