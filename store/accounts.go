package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/account"
)

// authority is the scope of what Authority keeps: no other role sees it.
var authority = Scope{Role: RoleAuthority}

// Accounts is what Authority keeps: who may do what, and what was granted. It is an
// account.Store, and safe for concurrent use. All it does is one transaction each, but for
// Purge.
type Accounts struct {
	root *Root
}

var _ account.Store = (*Accounts)(nil)

// Accounts returns what Authority keeps.
func (r *Root) Accounts() *Accounts { return &Accounts{r} }

// Ping asks the database for its time, as Authority: an error says that it cannot be
// reached or used. It is as cheap as a transaction that reads nothing.
func (r *Root) Ping(ctx context.Context) error {
	return r.read(ctx, authority, "ping the store", func(*tx) error { return nil })
}

func (a *Accounts) read(ctx context.Context, what string, f func(*tx) error) error {
	return a.root.read(ctx, authority, what, f)
}

// marked is one transaction that writes. Rows get its mark: where the outcome of the commit
// is not known it runs again, and finds by the mark what it did before.
type marked struct {
	*tx
	mark  string
	again bool
}

// mine reports whether a row is as this write left it.
func (m *marked) mine(mark string) bool { return m.again && mark == m.mark }

func (a *Accounts) write(ctx context.Context, what string, f func(*marked) error) error {
	mark := rand.Text()
	run := func(again bool) error {
		return a.root.write(ctx, authority, what, func(tx *tx) error { return f(&marked{tx, mark, again}) })
	}
	err := run(false)
	if errors.Is(err, errUnknown) {
		err = run(true)
	}
	return err
}

// note writes to the journal.
func (t *tx) note(e account.Entry) (seq int64, err error) {
	e = e.Fit()
	err = t.get(`INSERT INTO authority.journal (tenant, at_us, action, subject, client, detail) VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq`,
		[]any{e.Tenant, t.now, e.Action, e.Subject, e.Client, e.Detail}, &seq)
	return seq, err
}

// noted is note without the number.
func (t *tx) noted(e account.Entry) error {
	_, err := t.note(e)
	return err
}

// texts is a list as a column has it.
func texts(list []string) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(list)
	return string(b), err
}

// intoTexts reads lists from columns: a text, and where it goes, of each.
func intoTexts(columns ...any) error {
	for i := 0; i < len(columns); i += 2 {
		text, into := columns[i].(string), columns[i+1].(*[]string)
		if text == "[]" {
			continue
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return fmt.Errorf("a list as it is kept: %v: %w", err, fault.Mismatch)
		}
	}
	return nil
}

// none is b, or nil where a column has no bytes.
func none(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// known reports whether there can be something of these texts: others are not asked for,
// since engines refuse some of them in their own ways.
func known(names ...string) bool {
	for _, s := range names {
		if s == "" || len(s) > account.MaxID || !account.ValidText(s) {
			return false
		}
	}
	return true
}

func noSuch(what, id string) error {
	return fmt.Errorf("%s %.80q: there is none: %w", what, id, fault.NotFound)
}

func clash(what, id, why string) error {
	return fmt.Errorf("%s %.80q: %s: %w", what, id, why, fault.Conflict)
}
