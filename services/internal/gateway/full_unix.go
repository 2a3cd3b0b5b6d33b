//go:build unix

package gateway

import (
	"errors"
	"syscall"
)

// isFull reports whether an error of accepting passes: no file descriptor is free, or the
// client has gone already.
func isFull(err error) bool {
	for _, pass := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, pass) {
			return true
		}
	}
	return false
}
