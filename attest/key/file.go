package key

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/stella-ops/stella/internal/fault"
)

// openFile reads a key's file. A file that others than its owner may read or
// write is opened with a warning: refusing it would stop whoever mounts keys as
// a cluster's secrets, and silence would hide a key that everybody has.
func openFile(ctx context.Context, path string, o *Options) (*Key, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open key %q: there is no such file; a key is %s: %w", redact(path), o.forms(), fault.NotFound)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("open key %q: %w: %w", redact(path), fs.ErrPermission, fault.Forbidden)
	}
	if err != nil {
		return nil, fmt.Errorf("open key %q: %w: %w", redact(path), cause(err), fault.Invalid)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open key %q: %w: %w", redact(path), cause(err), fault.Unavailable)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("open key %q: it is a folder: %w", redact(path), fault.Invalid)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxText+1))
	if err != nil {
		return nil, fmt.Errorf("open key %q: %w: %w", redact(path), cause(err), fault.Unavailable)
	}
	k, err := o.parse(ctx, text, "key "+redact(path))
	if err != nil {
		return nil, err
	}
	k.warnings = permissions(path, info.Mode(), runtime.GOOS)
	return k, nil
}

// cause returns the reason in an error of the os package, without the path.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// permissions says whether others may read or write a key's file. Where modes
// say nothing about that, it says nothing.
func permissions(path string, mode fs.FileMode, system string) []Warning {
	const others = 0o077
	if system == "windows" || !mode.IsRegular() || mode.Perm()&others == 0 {
		return nil
	}
	return []Warning{{
		Code:   WarnPermissions,
		Detail: fmt.Sprintf("key %s has mode %04o, so others than its owner may use it: chmod 600 it, and replace the key if others were there", path, mode.Perm()),
	}}
}
