package httpjson

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/stella-ops/stella/internal/fault"
)

// Kept marks errors of what reads kept data: that it is invalid is no fault of the
// client.
func Kept(err error) error {
	if errors.Is(err, fault.Invalid) {
		return fmt.Errorf("%v: %w", err, fault.Mismatch)
	}
	return err
}

// Damaged tells the operator of data that is damaged where it is kept. It is for
// routes where nothing else that a client asks for has that kind of error.
func (m *Mux) Damaged(r *http.Request, err error) error {
	if !errors.Is(err, fault.Mismatch) {
		return err
	}
	return &Error{Status: http.StatusInternalServerError, RequestID: m.Tell(r, err), Err: fmt.Errorf("the data is damaged where it is kept: %w", fault.Mismatch)}
}

// Opened takes the kind from an error: a tenant that the client is known to belong to
// and the store refuses is not the client's fault.
func Opened(tenant string, err error) error {
	if err == nil || fault.KindOf(err) == fault.Unavailable {
		return err
	}
	return fmt.Errorf("open tenant %q: %v", tenant, err)
}
