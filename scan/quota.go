package scan

import (
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Quota bounds what one tenant may ask for. Fields that are not positive bound nothing.
type Quota struct {
	Open  int // jobs that have not ended
	Daily int // submissions within a day (UTC)
}

// QuotaError says that a quota is used up. It matches ErrLimit.
type QuotaError struct {
	What string // "open scans" or "scans a day"
	Max  int
	// After is when it is free again, 0 where that depends on others.
	After time.Duration
}

// Error names the quota.
func (e *QuotaError) Error() string {
	return fmt.Sprintf("quota of the tenant: %d %s: used up", e.Max, e.What)
}

// Is reports whether target is ErrLimit.
func (e *QuotaError) Is(target error) bool { return target == fault.Limit }

// Unwrap gives the bound, which every reader of errors knows.
func (e *QuotaError) Unwrap() error {
	return &fault.LimitError{What: e.What, Where: "quota of the tenant", Max: int64(e.Max)}
}
