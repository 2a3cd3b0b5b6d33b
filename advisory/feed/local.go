package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Local is the shape of a source whose documents are files of this machine, such
// as advisories of one's own: a folder with all below it, an archive, or one
// file. It asks no door. Links are passed over.
type Local struct {
	// Source is the source's name.
	Source string
	// Path is the folder, archive or file.
	Path string
	// Keep says by its name, relative to Path, which files are documents; nil
	// means all.
	Keep func(name string) bool
}

// Fetch passes on all documents, if one of them is another than before; see
// [advisory.Source].
func (l Local) Fetch(ctx context.Context, _ advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	info, err := os.Stat(l.Path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", l.Path, fileError(err))
	}
	if !info.IsDir() {
		address := "file:///" + filepath.ToSlash(l.Path)
		if isArchive(l.Path) {
			return Archive{Source: l.Source, URL: address, Keep: l.Keep}.Fetch(ctx, single(l.Path), state, emit)
		}
		return Files{Source: l.Source, List: []File{{URL: address, Name: plainName(filepath.Base(l.Path))}}}.Fetch(ctx, single(l.Path), state, emit)
	}
	root, err := os.OpenRoot(l.Path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", l.Path, fileError(err))
	}
	defer root.Close()
	files := root.FS()
	// Twice: what is passed on must be what the state says.
	digest, err := l.walk(ctx, files, func(string, []byte) error { return nil })
	if err != nil {
		return nil, err
	}
	s := State{l.Path: Seen{Digest: digest}}
	if ReadState(state)[l.Path].Digest == digest {
		return s.fetched(false, true)
	}
	again, err := l.walk(ctx, files, func(name string, content []byte) error {
		return emit(&advisory.Document{Source: l.Source, Name: name, URL: filepath.Join(l.Path, filepath.FromSlash(name)), Content: content, Signature: advisory.Unsigned})
	})
	if err != nil {
		return nil, err
	}
	if again != digest {
		return nil, fmt.Errorf("read %s: it has changed meanwhile: %w", l.Path, fault.Unavailable)
	}
	return s.fetched(true, false)
}

// walk reads all files in order of their names, and returns the digest of names
// and contents.
func (l Local) walk(ctx context.Context, files fs.FS, each func(name string, content []byte) error) (string, error) {
	h := sha256.New()
	n := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read %s: %w", filepath.Join(l.Path, name), fileError(err))
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.Type().IsRegular() || l.Keep != nil && !l.Keep(name):
			return nil
		}
		if n++; n > MaxMembers {
			return fmt.Errorf("read: %w", &fault.LimitError{What: "files", Where: l.Path, Max: MaxMembers})
		}
		f, err := files.Open(name)
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Join(l.Path, name), fileError(err))
		}
		content, err := readAll(f, MaxDocument, "bytes of a file", name)
		f.Close()
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Join(l.Path, name), err)
		}
		fmt.Fprintf(h, "%q %d\n", name, len(content))
		h.Write(content)
		return each(name, content)
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("read %s: none of its files is a document: %w", l.Path, fault.Invalid)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), err
}

// isArchive tells archives by their names.
func isArchive(name string) bool {
	switch filepath.Ext(name) {
	case ".zip", ".tar", ".tgz":
		return true
	}
	return filepath.Ext(plainName(name)) == ".tar"
}

// single is the door to one file, by whatever address.
type single string

// Open opens the file; see [advisory.Door].
func (s single) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(string(s))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", string(s), fileError(err))
	}
	out, err := fileResponse(f, string(s), r)
	if err != nil || out.NotModified {
		f.Close()
	}
	return out, err
}
