// Package folder reads VEX documents that lie on this machine: files that somebody
// names, and folders such as a project's ".vex".
//
// Formats are told apart by content. Beside a document its OpenPGP signature may lie,
// under its name and ".asc". A file that ends in ".jsonl" has a document in each line,
// such as the envelopes of an in-toto bundle.
package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
	"github.com/stella-ops/stella/vex/internal/fetch"
	"github.com/stella-ops/stella/vex/trust"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid   error = fault.Invalid
	ErrNotFound  error = fault.NotFound
	ErrForbidden error = fault.Forbidden
	ErrLimit     error = fault.Limit
)

// The limits of a folder.
const (
	MaxFiles = 100_000
	MaxFile  = fetch.MaxDocument // bytes
	MaxLines = 10_000            // documents of a .jsonl file
)

// Source is files of this machine. It is safe for concurrent use.
type Source struct {
	name  string
	root  string   // a folder, or
	files []string // files
}

var _ vex.Source = (*Source)(nil)

// Dir returns the source of the documents below a folder: of the files that end in
// .json, .jsonl or .xml, in folders of any name. Links are followed within it, and
// never out. Its name is trust.SourceDir, and a document's name its path below the
// folder.
func Dir(root string) *Source { return &Source{name: trust.SourceDir, root: root} }

// Files returns the source of files, whatever their names end in. Its name is
// trust.SourceFile, and a document's name its path without what leads out of a
// folder. Different files must have different names.
func Files(paths ...string) *Source { return &Source{name: trust.SourceFile, files: paths} }

// Describe says what the source is.
func (s *Source) Describe() vex.Description {
	title := "Files"
	if s.files == nil {
		title = "Folder"
	}
	return vex.Description{Name: s.name, Title: title, License: "LicenseRef-own"}
}

// Fetch passes on all documents each time. The door is not asked. A file that cannot
// be read is an error, and ends it.
func (s *Source) Fetch(ctx context.Context, _ vex.Door, _ []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	p := &fetch.Pass{Context: ctx, Source: s.name, Emit: emit}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var err error
	if s.files != nil {
		err = s.named(p)
	} else {
		err = s.below(p)
	}
	if err != nil {
		return nil, err
	}
	return &vex.Fetched{Complete: true}, nil
}

// Parse yields what a document says; see vex.Source.
func (s *Source) Parse(doc *vex.Document) iter.Seq2[*vex.Statement, error] {
	return format.Decode(doc.Name, doc.Content, nil)
}

// named passes on files that somebody names. Two of them that have the same name here
// are an error: one would be left out without a word.
func (s *Source) named(p *fetch.Pass) error {
	files := map[string]string{} // by name
	for _, file := range s.files {
		name := nameOf(file)
		other, taken := files[name]
		switch {
		case taken && filepath.Clean(other) == filepath.Clean(file):
			continue
		case taken:
			return fmt.Errorf("read %s: its name in the source is %q, as that of %s: give one of them by its whole path: %w", file, name, other, fault.Invalid)
		}
		files[name] = file
		if err := signed(p, name, file, file, os.Open); err != nil {
			return err
		}
	}
	return nil
}

// signed passes on the file at a path, with the signature beside it.
func signed(p *fetch.Pass, name, at, where string, open func(string) (*os.File, error)) error {
	text, err := readFile(at, open)
	if err != nil {
		return err
	}
	proof, err := readFile(at+".asc", open)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	return pass(p, name, where, text, proof)
}

// nameOf makes a path a document's name.
func nameOf(file string) string {
	name := strings.TrimPrefix(filepath.ToSlash(file), filepath.ToSlash(filepath.VolumeName(file)))
	return path.Clean("/" + name)[1:]
}

// below passes on what lies below the folder, in the order of names.
func (s *Source) below(p *fetch.Pass) error {
	root, err := os.OpenRoot(s.root)
	if err != nil {
		return wrap(s.root, err)
	}
	defer root.Close()
	open := func(name string) (*os.File, error) { return root.Open(filepath.FromSlash(name)) }
	var names []string
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return wrap(name, err)
		}
		if d.IsDir() || !slices.Contains([]string{".json", ".jsonl", ".xml"}, path.Ext(name)) {
			return p.Context.Err()
		}
		if !d.Type().IsRegular() && d.Type()&fs.ModeSymlink == 0 {
			return nil // a pipe or a device, which opening would wait for
		}
		if names = append(names, name); len(names) > MaxFiles {
			return &fault.LimitError{What: "files", Where: s.root, Max: MaxFiles}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := signed(p, name, name, filepath.Join(s.root, filepath.FromSlash(name)), open); err != nil {
			return err
		}
	}
	return nil
}

// pass passes on a file's document, or its documents.
func pass(p *fetch.Pass, name, where string, text, proof []byte) error {
	if !strings.HasSuffix(name, ".jsonl") {
		return p.Document(&vex.Document{Name: name, URL: where, Content: text, Proof: proof})
	}
	n, documents := 0, 0
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if documents++; documents > MaxLines {
			return &fault.LimitError{What: "documents", Where: where, Max: MaxLines}
		}
		if err := p.Document(&vex.Document{Name: fmt.Sprintf("%s/%05d.json", name, n), URL: fmt.Sprintf("%s:%d", where, n), Content: line}); err != nil {
			return err
		}
	}
	return nil
}

// readFile reads a regular file.
func readFile(name string, open func(string) (*os.File, error)) ([]byte, error) {
	f, err := open(name)
	if err != nil {
		return nil, wrap(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, wrap(name, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("read %s: it is no regular file: %w", name, fault.Invalid)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, wrap(name, err)
	}
	if len(text) > MaxFile {
		return nil, &fault.LimitError{What: "bytes", Where: name, Max: MaxFile, Seen: info.Size()}
	}
	return text, nil
}

// wrap gives an error of the operating system its kind.
func wrap(name string, err error) error {
	kind := fault.Forbidden // a link that leads out is none of the others
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = fault.NotFound
	case errors.Is(err, fs.ErrInvalid):
		kind = fault.Invalid
	}
	return fmt.Errorf("read %s: %w: %w", name, err, kind)
}
