package kit

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
)

// The limits of a kit, besides those of package attest/role.
const (
	MaxHead       = 128 << 10 // bytes of kit.json
	MaxRoots      = 8 << 20   // bytes of the roots together
	MaxTarget     = 1<<33 - 1 // bytes of one content: what a header of ustar can say
	MaxKit        = 64 << 30  // bytes of the contents of a release
	MaxKind       = 32        // bytes of a kind
	MaxReason     = 1 << 10   // bytes of the reason for an older release
	MaxActivation = 64        // activations that a store remembers
)

// The kinds of error that this package returns, for errors.Is. What signatures,
// roles or the file's structure refuse is a [role.Error] with its reason.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch
)

// refuse makes the error for a member of a kit.
func refuse(reason role.Reason, file, format string, args ...any) *role.Error {
	return &role.Error{Reason: reason, File: file, Detail: fmt.Sprintf(format, args...)}
}

// BaseError says that a delta does not lead on from what a store has. It matches
// [ErrNotFound] under errors.Is.
type BaseError struct {
	Feed string
	// Base is a version of the feed whose kit has what is missing; so have later ones.
	Base    int64
	Missing []Entry // sorted by name; at least one
}

// Error names the base and the first of what is missing.
func (e *BaseError) Error() string {
	const shown = 5
	names := make([]string, 0, shown)
	for i, m := range e.Missing {
		if i == shown {
			names = append(names, fmt.Sprintf("and %d more", len(e.Missing)-shown))
			break
		}
		names = append(names, m.Target())
	}
	return fmt.Sprintf("this kit is a delta: load a kit of %s with version %d or later first; the store has no %s", e.Feed, e.Base, strings.Join(names, ", "))
}

// Is reports whether target is ErrNotFound.
func (e *BaseError) Is(target error) bool { return target == fault.NotFound }

// inFile names the member in an error that calls it by its role.
func inFile(name string, err error) error {
	if e, ok := err.(*role.Error); ok {
		named := *e
		named.File = name
		return &named
	}
	return fmt.Errorf("%s: %w", name, err)
}
