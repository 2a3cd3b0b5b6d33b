//go:build !darwin && !dragonfly && !freebsd && !illumos && !linux && !netbsd && !openbsd && !windows

package filelock

import "os"

func lock(*os.File, bool) error { return ErrUnsupported }
