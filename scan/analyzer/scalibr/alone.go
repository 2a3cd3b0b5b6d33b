package scalibr

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"time"
)

// info is what is known of a file, as osv-scalibr asks for it.
type info struct {
	path string
	size int64
	mode fs.FileMode
}

// Path and Stat implement filesystem.FileAPI.
func (i info) Path() string               { return i.path }
func (i info) Stat() (fs.FileInfo, error) { return i, nil }

// The rest implements fs.FileInfo. No file has a time: what is found does not depend on it.
func (i info) Name() string       { return path.Base(i.path) }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }

// alone is a file system that has one file, and writes down what else was asked for.
type alone struct {
	info
	content io.ReaderAt
	missed  []string
}

// first is the first in order of what was asked for, so that it does not depend on theirs.
func (a *alone) first() string { return slices.Min(a.missed) }

func (a *alone) miss(op, name string) error {
	a.missed = append(a.missed, name)
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Open implements fs.FS.
func (a *alone) Open(name string) (fs.File, error) {
	if path.Clean(name) != a.path {
		return nil, a.miss("open", name)
	}
	return opened{a.info, io.NewSectionReader(a.content, 0, a.size)}, nil
}

// Stat implements fs.StatFS.
func (a *alone) Stat(name string) (fs.FileInfo, error) {
	if path.Clean(name) != a.path {
		return nil, a.miss("stat", name)
	}
	return a.info, nil
}

// ReadDir implements fs.ReadDirFS.
func (a *alone) ReadDir(name string) ([]fs.DirEntry, error) { return nil, a.miss("readdir", name) }

// opened is the file, which osv-scalibr wants to be an io.ReaderAt.
type opened struct {
	info
	*io.SectionReader
}

func (o opened) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o opened) Size() int64                { return o.info.size }
func (o opened) Close() error               { return nil }
