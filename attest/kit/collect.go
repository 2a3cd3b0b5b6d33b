package kit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/stella-ops/stella/store/crashpoint"
)

// Collected says what a collection removed.
type Collected struct {
	Releases int   `json:"releases"`
	Contents int   `json:"contents"` // parts of contents among them
	Bytes    int64 `json:"bytes"`
}

// Collect removes what no kept release names: the active one and, where keep is
// above 1, those that were active before it, up to keep. Contents that were kept for
// a load that was cut go as well. Whoever still has an [Active] of a release that is
// not kept finds its contents gone.
func (s Store) Collect(ctx context.Context, keep int) (*Collected, error) {
	f, err := s.hold()
	if err != nil {
		return nil, fmt.Errorf("collect old kits in %s: %w", s.Dir, err)
	}
	defer f.release()
	out, err := f.collect(ctx, keep)
	if err != nil {
		return nil, fmt.Errorf("collect old kits in %s: %w", s.Dir, err)
	}
	return out, nil
}

func (f *folder) collect(ctx context.Context, keep int) (*Collected, error) {
	c, err := f.current()
	if err != nil {
		return nil, err
	}
	kept := map[string]bool{}
	releases := map[string]bool{}
	for _, a := range append([]Activation{c.Active}, c.Before...) {
		if len(releases) >= max(keep, 1) || releases[a.Release] {
			continue
		}
		_, entries, err := f.record(a)
		if err != nil {
			if a == c.Active {
				return nil, err // what it needs is not known
			}
			continue // it cannot be served any more
		}
		releases[a.Release] = true
		kept[recordName(a.Release)] = true
		for _, e := range entries {
			kept[contentOf(e).name] = true
		}
	}
	out := new(Collected)
	if err := f.sweep(ctx, releasesDir, kept, func(int64) { out.Releases++ }, crashpoint.KitDropped); err != nil {
		return nil, err
	}
	for _, d := range []string{contentsDir, partialDir} {
		err := f.sweep(ctx, d, kept, func(n int64) { out.Contents++; out.Bytes += n }, crashpoint.KitCollected)
		if err != nil {
			return nil, err
		}
	}
	return out, f.sweepTemporary(ctx)
}

// sweep removes the files of a folder that are not kept.
func (f *folder) sweep(ctx context.Context, dir string, kept map[string]bool, removed func(int64), p crashpoint.Point) error {
	list, err := fs.ReadDir(f.root.FS(), dir)
	if err != nil {
		return err
	}
	for _, d := range list {
		name := path.Join(dir, d.Name())
		if kept[name] {
			continue
		}
		info, err := d.Info()
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f.root.Remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			removed(info.Size())
			crashpoint.Hit(p)
		}
	}
	return nil
}

// sweepTemporary removes what writes left that did not end.
func (f *folder) sweepTemporary(ctx context.Context) error {
	list, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, d := range list {
		if !strings.HasPrefix(d.Name(), ".tmp-") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.root.Remove(d.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
