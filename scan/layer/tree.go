package layer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/sbom"
)

// ScanTree reads a folder like one layer without a diffID. Symbolic links are
// recorded and never followed; devices, fifos and sockets are never opened. A
// file or folder that cannot be read is a gap.
func ScanTree(ctx context.Context, t Tree, opt *Options) (*Fragment, error) {
	p := newPass(ctx, opt.resolved())
	p.tree = true
	w := treeWalk{p: p, fsys: t.FS, skip: t.Skip}
	if err := w.dir("."); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	p.finish()
	return p.frag, nil
}

// RereadTree is [Reread] for a folder.
func RereadTree(ctx context.Context, t Tree, also map[string][]string, opt *Options) ([]FileFacts, []sbom.Gap, error) {
	p := newPass(ctx, opt.resolved())
	p.tree = true
	w := treeWalk{p: p, fsys: t.FS}
	for _, target := range sortedKeys(also) {
		for _, as := range also[target] {
			if err := w.serve(as, target); err != nil {
				return nil, nil, fmt.Errorf("directory: %w", err)
			}
		}
	}
	p.finish()
	return p.frag.Files, p.frag.Gaps, nil
}

type treeWalk struct {
	p    *pass
	fsys fs.FS
	skip []string
}

func (w *treeWalk) dir(name string) error {
	list, err := fs.ReadDir(w.fsys, name)
	if err != nil {
		w.p.gap(sbom.GapUnreadable, name == ".", name, "read folder: "+err.Error())
	}
	for _, d := range list {
		if err := w.p.ctx.Err(); err != nil {
			return err
		}
		full := path.Join(name, d.Name())
		if err := w.p.opt.Budget.Entry(full); err != nil {
			return err
		}
		if int64(len(full)) > w.p.opt.Budget.Limits.PathBytes {
			return &fault.LimitError{What: "bytes of a path", Where: full[:min(len(full), 80)], Max: w.p.opt.Budget.Limits.PathBytes, Seen: int64(len(full))}
		}
		if err := w.member(full, d); err != nil {
			return err
		}
	}
	return nil
}

func (w *treeWalk) member(full string, d fs.DirEntry) error {
	clean, odd := cleanPath(full)
	if odd != "" {
		w.p.oddity(clean, odd)
	}
	switch mode := d.Type(); {
	case mode.IsDir():
		if err := w.p.add(EntryDir, clean, ""); err != nil {
			return err
		}
		if slices.Contains(w.skip, full) {
			w.p.oddity(clean, "not entered: another file system is mounted here")
			return nil
		}
		return w.dir(full)
	case mode.IsRegular():
		if err := w.p.add(EntryFile, clean, ""); err != nil {
			return err
		}
		return w.file(full, clean, d)
	case mode&fs.ModeSymlink != 0:
		target := ""
		if links, ok := w.fsys.(fs.ReadLinkFS); ok {
			target, _ = links.ReadLink(full) // unreadable: the link leads nowhere
		}
		return w.p.add(EntrySymlink, clean, escape(target))
	}
	return w.p.add(EntryOther, clean, "")
}

// largeProgram is the size from which a file is looked at whatever it is called:
// a Go executable without the mark of a program is never smaller.
const largeProgram = 256 << 10

// mayRun reports whether leading bytes are looked at in a directory, where that
// costs opening the file: programs, shared libraries and what is large enough to
// be one under any name. In an image every file is looked at.
func mayRun(name string, size int64, mode fs.FileMode) bool {
	return size >= largeProgram || mode&0o111 != 0 || strings.Contains(name, ".so") || strings.HasSuffix(name, ".exe") || strings.HasSuffix(name, ".dll") || strings.HasSuffix(name, ".dylib")
}

// file dispatches one regular file. Files that no path rule wants are opened
// only where leading bytes may be wanted.
func (w *treeWalk) file(full, clean string, d fs.DirEntry) error {
	p := w.p
	p.by = p.set.ByPath(p.by[:0], clean)
	if len(p.by) == 0 && !p.set.WantsMagic() {
		return nil
	}
	info, err := d.Info() // often known since the folder was read
	if err != nil || !info.Mode().IsRegular() {
		return nil // gone, or replaced, since the folder was read
	}
	if len(p.by) == 0 && (info.Size() < minMagic || !mayRun(path.Base(clean), info.Size(), info.Mode())) {
		return nil
	}
	f, err := w.fsys.Open(full)
	if err != nil {
		return w.unreadable(clean, err, len(p.by) > 0)
	}
	defer f.Close()
	at, ok := f.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("%s: file system without random access: %w", full, fault.Unsupported)
	}
	if info.Size() >= minMagic {
		var head [8]byte
		if _, err := at.ReadAt(head[:], 0); err != nil && err != io.EOF {
			return w.unreadable(clean, err, len(p.by) > 0)
		}
		p.by = p.set.ByMagic(p.by, clean, head[:])
	}
	for _, i := range p.by {
		c := section{io.NewSectionReader(at, 0, info.Size())}
		if err := p.analyze(i, clean, info.Size(), tarMode(info.Mode()), c, false); err != nil {
			return err
		}
	}
	return nil
}

// unreadable records a wanted file that could not be opened. Without any wish
// for it by name it may still have been an executable: that is only noted.
func (w *treeWalk) unreadable(clean string, err error, wanted bool) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	what := "not opened: " + err.Error()
	if !wanted {
		w.p.oddity(clean, what)
		return nil
	}
	w.p.gap(sbom.GapUnreadable, true, clean, what)
	return nil
}

// serve reads the file target, to which links lead, under the path as.
func (w *treeWalk) serve(as, target string) error {
	info, err := fs.Lstat(w.fsys, target)
	if err != nil || !info.Mode().IsRegular() {
		w.p.gap(sbom.GapUncaptured, true, as, "links to "+target+", which is not a regular file")
		return nil
	}
	f, err := w.fsys.Open(target)
	if err != nil {
		return w.unreadable(as, err, true)
	}
	defer f.Close()
	at, ok := f.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("%s: file system without random access: %w", target, fault.Unsupported)
	}
	w.p.by = w.p.set.ByPath(w.p.by[:0], as)
	for _, i := range w.p.by {
		c := section{io.NewSectionReader(at, 0, info.Size())}
		if err := w.p.analyze(i, as, info.Size(), tarMode(info.Mode()), c, false); err != nil {
			return err
		}
	}
	return nil
}

// tarMode returns the permission bits as a tar header has them.
func tarMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	return mode
}
