package role

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/stella-ops/stella/internal/fault"
)

// Role is one of the four parts in a feed.
type Role string

// The roles.
const (
	RoleRoot      Role = "root"
	RoleTimestamp Role = "timestamp"
	RoleSnapshot  Role = "snapshot"
	RoleTargets   Role = "targets"
)

// roles are all of them.
var roles = [...]Role{RoleRoot, RoleTimestamp, RoleSnapshot, RoleTargets}

func (r Role) payloadType() string { return "application/vnd.stella.role." + string(r) + "+json" }

func (r Role) maxFile() int64 {
	switch r {
	case RoleRoot:
		return MaxRootFile
	case RoleTimestamp:
		return MaxTimestampFile
	case RoleSnapshot:
		return MaxSnapshotFile
	}
	return MaxTargetsFile
}

// File returns the name of a role's metadata on a source, such as
// "7.targets.json". Timestamp's has no version in it.
func File(r Role, version int64) string {
	if r == RoleTimestamp {
		return "timestamp.json"
	}
	return strconv.FormatInt(version, 10) + "." + string(r) + ".json"
}

// Source is where a feed's files are read: a mirror, a folder, an archive.
// Nothing that it gives is trusted. How long it may take is for the context to
// say.
type Source interface {
	// Open opens a file by its slash-separated name. An error wraps ErrNotFound
	// or fs.ErrNotExist where there is no such file, and only there: what cannot
	// be told whether it is there ends an update.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// FS makes a source of a folder, an archive, or whatever else is a file system.
func FS(fsys fs.FS) Source { return fileSystem{fsys} }

type fileSystem struct{ fs.FS }

func (f fileSystem) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.FS.Open(name)
}

func absent(err error) bool { return errors.Is(err, fault.NotFound) || errors.Is(err, fs.ErrNotExist) }

// open opens a file that must be there.
func open(ctx context.Context, src Source, name string) (io.ReadCloser, error) {
	r, err := src.Open(ctx, name)
	if absent(err) {
		return nil, &Error{Reason: ReasonMissing, File: name, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return r, nil
}

// read reads a file that must be there and has at most limit bytes.
func read(ctx context.Context, src Source, name string, limit int64) ([]byte, error) {
	r, err := open(ctx, src, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, readError(name, err)
	}
	if int64(len(text)) > limit {
		return nil, &Error{Reason: ReasonEndless, File: name, Err: &fault.LimitError{What: "bytes", Where: name, Max: limit}}
	}
	return text, nil
}

func readError(name string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Reason: ReasonTruncated, File: name, Err: err}
	}
	return fmt.Errorf("read %s: %w", name, err)
}
