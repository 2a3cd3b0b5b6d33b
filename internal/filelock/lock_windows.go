package filelock

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

func lock(f *os.File, wait bool) error {
	const (
		failImmediately = 1
		exclusive       = 2
		lockViolation   = syscall.Errno(33)
	)
	how := uintptr(exclusive)
	if !wait {
		how |= failImmediately
	}
	proc := syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")
	ok, _, err := proc.Call(f.Fd(), how, 0, 1, 0, uintptr(unsafe.Pointer(new(syscall.Overlapped))))
	switch {
	case ok != 0:
		return nil
	case errors.Is(err, lockViolation):
		return ErrHeld
	}
	return err
}
