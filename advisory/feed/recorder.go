package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Recorder is a door that writes what passes it into a folder, which is then
// good for a [Dir]: on a machine without a network, or as a mirror. A file is
// there whole or not at all; what was not read to its end is not written. It is
// safe for concurrent use.
type Recorder struct {
	// Door is asked.
	Door advisory.Door
	// Dir is the folder. It is made where it is absent.
	Dir string
}

// Open asks the door, without a condition where the folder lacks the file; see
// [advisory.Door].
func (rec *Recorder) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	name, err := Path(r.URL)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(rec.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("record %s: %w", shown(r.URL), fileError(err))
	}
	root, err := os.OpenRoot(rec.Dir)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", shown(r.URL), fileError(err))
	}
	name = filepath.FromSlash(name)
	if _, err := root.Stat(name); errors.Is(err, fs.ErrNotExist) {
		r.ETag, r.Modified = "", ""
	}
	out, err := rec.Door.Open(ctx, r)
	if err != nil || out.NotModified {
		root.Close()
		return out, err
	}
	c := &copying{in: out.Body, root: root, name: name, modified: out.Modified}
	if err := c.start(); err != nil {
		out.Body.Close()
		root.Close()
		return nil, fmt.Errorf("record %s: %w", shown(r.URL), fileError(err))
	}
	out.Body = c
	return out, nil
}

// copying writes a body beside its place while it is read, and moves it there
// when it has ended well.
type copying struct {
	in       io.ReadCloser
	root     *os.Root
	name     string
	modified string
	file     *os.File // nil once it is in its place
}

const recording = ".recording"

func (c *copying) start() (err error) {
	if err := c.root.MkdirAll(filepath.Dir(c.name), 0o755); err != nil {
		return err
	}
	// Several may record one address at once: the last is the one that stays.
	for n := 0; ; n++ {
		temporary := fmt.Sprintf("%s%s%d", c.name, recording, n)
		c.file, err = c.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return err
		}
	}
}

// Read reads on and writes along.
func (c *copying) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if c.file == nil {
		return n, err
	}
	if _, werr := c.file.Write(p[:n]); werr != nil {
		return 0, fmt.Errorf("record %s: %w", c.name, fileError(werr))
	}
	if err == io.EOF {
		if ferr := c.finish(); ferr != nil {
			return 0, fmt.Errorf("record %s: %w", c.name, fileError(ferr))
		}
	}
	return n, err
}

func (c *copying) finish() error {
	temporary, err := filepath.Rel(c.root.Name(), c.file.Name())
	if err != nil {
		return err
	}
	f := c.file
	c.file = nil
	err = errors.Join(f.Sync(), f.Close())
	if at, terr := http.ParseTime(c.modified); err == nil && terr == nil {
		err = c.root.Chtimes(temporary, time.Time{}, at)
	}
	if err == nil {
		err = c.root.Rename(temporary, c.name)
	}
	if err != nil {
		c.root.Remove(temporary)
	}
	return err
}

// Close ends the reading; a file that is not complete is removed.
func (c *copying) Close() error {
	err := c.in.Close()
	if c.file != nil {
		temporary, rerr := filepath.Rel(c.root.Name(), c.file.Name())
		c.file.Close()
		if rerr == nil {
			c.root.Remove(temporary)
		}
		c.file = nil
	}
	c.root.Close()
	return err
}

// Copy writes all that a source fetches into a folder that is good for a [Dir],
// and returns the outcome. state is what an earlier Copy into the same folder
// returned, nil at first.
func Copy(ctx context.Context, source advisory.Source, door advisory.Door, dir string, state []byte) (*advisory.Fetched, error) {
	out, err := source.Fetch(ctx, &Recorder{Door: door, Dir: dir}, state, func(*advisory.Document) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("copy source %s: %w", source.Describe().Name, err)
	}
	if out == nil {
		return nil, fmt.Errorf("copy source %s: it has no outcome: %w", source.Describe().Name, fault.Invalid)
	}
	return out, nil
}
