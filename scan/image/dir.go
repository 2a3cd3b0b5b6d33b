package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// OpenDir opens a folder: a root filesystem, "/" for this machine's, or a
// project. Nothing outside it can be reached, whatever links are inside: no link
// is followed, and only regular files are opened. Mounted pseudo filesystems
// below it (proc, sys, dev, run and the like) are listed in Tree.Skip. A nil opt
// means the defaults.
func OpenDir(ctx context.Context, dir string, opt *Options) (*scan.Image, error) {
	return openDir(ctx, dir, dir, opt)
}

func openDir(ctx context.Context, wrote, dir string, opt *Options) (*scan.Image, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	t, err := openTree(dir, set.limits.DirEntries)
	if err != nil {
		return nil, err
	}
	skip, err := pseudoMounts(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, err), t.close())
	}
	return &scan.Image{
		Subject: sbom.Subject{Kind: sbom.SubjectDirectory, Name: dir},
		Source:  &sbom.Source{Reference: wrote},
		Tree:    &layer.Tree{FS: t, Skip: skip},
		Release: t.close,
	}, nil
}
