package fetch

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of an archive.
const (
	MaxMembers  = 1_000_000
	MaxUnpacked = 16 << 30 // bytes
)

// Members passes the regular files of a tar.gz to use, in its order, by their names
// below its folder: "" for all. A member that is not wanted is not read into memory.
// An error wraps the kind invalid or limit, where it is not that of use.
func Members(where string, content []byte, folder string, want func(name string) bool, use func(name string, text []byte) error) error {
	broken := func(err error) error {
		if errors.Is(err, fault.Limit) {
			return err
		}
		return fmt.Errorf("unpack %.300s: %v: %w", where, err, fault.Invalid)
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return broken(err)
	}
	counted := &counter{r: z, where: where}
	archive := tar.NewReader(counted)
	for members := 0; ; members++ {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return broken(err)
		}
		if members == MaxMembers {
			return &fault.LimitError{What: "members of an archive", Where: where, Max: MaxMembers}
		}
		name, ok := below(h.Name, folder)
		if !ok || h.Typeflag != tar.TypeReg || !want(name) {
			continue
		}
		if h.Size > MaxDocument {
			return &fault.LimitError{What: "bytes", Where: name, Max: MaxDocument, Seen: h.Size}
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return broken(err)
		}
		if err := use(name, text); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, counted); err != nil { // what is behind the end, and the checksum
		return broken(err)
	}
	return nil
}

// below returns a name below a folder.
func below(name, folder string) (string, bool) {
	name = path.Clean("/" + name)[1:]
	if folder == "" {
		return name, true
	}
	return strings.CutPrefix(name, strings.Trim(path.Clean(folder), "/")+"/")
}

// counter bounds what is unpacked.
type counter struct {
	r     io.Reader
	n     int64
	where string
}

// Read reads on.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n > MaxUnpacked {
		return 0, &fault.LimitError{What: "bytes of an archive, unpacked", Where: c.where, Max: MaxUnpacked}
	}
	return n, err
}
