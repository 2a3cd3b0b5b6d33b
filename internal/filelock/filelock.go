// Package filelock keeps other processes away from what a file stands for. A lock ends
// when the file is closed, or with the process, however that happens: nobody has to
// clean up after one that died.
package filelock

import (
	"errors"
	"os"
)

// ErrHeld says that somebody else has the lock.
var ErrHeld = errors.New("somebody else has the lock")

// ErrUnsupported says that the system, or the place where the file lies, has no such
// locks.
var ErrUnsupported = errors.ErrUnsupported

// Wait waits until nobody else has the lock of an open file, and takes it. An error is
// ErrUnsupported, or the system's.
func Wait(f *os.File) error { return lock(f, true) }

// Try takes the lock of an open file. An error is ErrHeld, ErrUnsupported, or the
// system's.
func Try(f *os.File) error { return lock(f, false) }
