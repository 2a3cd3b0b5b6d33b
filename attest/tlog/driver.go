package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/blob"
)

// NewFiles returns files that are objects of a driver, below a prefix such as
// "log/"; "" is none. A driver cannot create an object only where there is none, so
// two writers of one path could replace each other's content: a [Log] never has two
// contents for one path.
func NewFiles(d blob.Driver, prefix string) Files { return &driverFiles{d: d, prefix: prefix} }

type driverFiles struct {
	d      blob.Driver
	prefix string
}

func (f *driverFiles) Put(ctx context.Context, path string, content []byte) error {
	have, err := f.Get(ctx, path, len(content))
	switch {
	case err == nil && bytes.Equal(have, content):
		return nil
	case err == nil, errors.Is(err, fault.Limit):
		return otherContent(path)
	case !errors.Is(err, fault.NotFound):
		return err
	}
	if err := f.d.Create(ctx, f.prefix+path, bytes.NewReader(content), int64(len(content))); err != nil {
		return fmt.Errorf("keep %s: %w", path, err)
	}
	return nil
}

func (f *driverFiles) Get(ctx context.Context, path string, max int) ([]byte, error) {
	r, err := f.d.Open(ctx, f.prefix+path, 0, int64(max)+1)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, int64(max)+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %v: %w", path, err, fault.Unavailable)
	}
	if len(b) > max {
		return nil, tooLarge(path, max, len(b))
	}
	return b, nil
}

func (f *driverFiles) Delete(ctx context.Context, path string) error {
	if err := f.d.Delete(ctx, f.prefix+path); err != nil {
		return fmt.Errorf("delete %s: %w", path, err)
	}
	return nil
}
