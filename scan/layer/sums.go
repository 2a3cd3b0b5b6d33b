package layer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Sums reads a layer a second time and returns the SHA-256 of the files at paths, in
// lower-case hex. Of a path that the tar has more than once, the last regular file counts. A
// path that has none, or a sparse one, is not in the result. What is read is verified as the
// first time.
func Sums(ctx context.Context, b Blob, paths []string, opt *Options) (map[string]string, error) {
	p := newPass(ctx, opt.resolved())
	p.frag.DiffID = b.DiffID
	p.opt.Progress = nil
	p.sums = make(map[string]string, len(paths))
	for _, name := range paths {
		p.sums[name] = ""
	}
	if err := p.run(b); err != nil {
		return nil, fmt.Errorf("layer %s, second reading: %w", b.DiffID, err)
	}
	return p.summed(), nil
}

// SumsTree is [Sums] for a folder. A file that cannot be read is not in the result.
func SumsTree(ctx context.Context, t Tree, paths []string) (map[string]string, error) {
	out := make(map[string]string, len(paths))
	for _, name := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if sum, err := hashFile(t.FS, name); err == nil {
			out[name] = sum
		}
	}
	return out, nil
}

func hashFile(fsys fs.FS, name string) (string, error) {
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sumReader(f)
}

func sumReader(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sum hashes an entry that is asked for.
func (p *pass) sum(h header, name string) error {
	if _, asked := p.sums[name]; !asked || h.flag != '0' && h.flag != '7' || h.sparse {
		return nil
	}
	digest := sha256.New()
	p.s.follow(digest, h.size)
	b := &body{p: p, size: h.size, left: h.size}
	for b.left > 0 {
		if _, err := b.view(); err != nil {
			return err
		}
	}
	p.s.digest(p.s.pos)
	p.sums[name] = hex.EncodeToString(digest.Sum(nil))
	return nil
}

// summed leaves out what was not found.
func (p *pass) summed() map[string]string {
	for name, sum := range p.sums {
		if sum == "" {
			delete(p.sums, name)
		}
	}
	return p.sums
}
