package retrieve

import (
	"archive/tar"
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
)

// unpacking passes the members of an archive on.
type unpacking struct {
	run    *run
	list   *list
	where  string
	wanted map[string]*entry // by path in the folder

	members     int
	bytes, most int64
}

func (u *unpacking) unpack(file io.Reader) error {
	in := bufio.NewReaderSize(file, 256<<10)
	magic, _ := in.Peek(4)
	var r io.Reader = in
	switch {
	case strings.HasPrefix(string(magic), "\x28\xb5\x2f\xfd"):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return u.broken(err)
		}
		defer z.Close()
		r = z
	case strings.HasPrefix(string(magic), "\x1f\x8b"):
		z, err := gzip.NewReader(in)
		if err != nil {
			return u.broken(err)
		}
		r = z
	case strings.HasPrefix(string(magic), "BZh"):
		r = bzip2.NewReader(in)
	}
	counted := &counter{r, u}
	if err := u.tar(tar.NewReader(counted)); err != nil {
		return err
	}
	// What follows the end is read too, up to the checksum of the compression.
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return u.broken(err)
	}
	return nil
}

func (u *unpacking) tar(in *tar.Reader) error {
	again := func(*Document, error) error { return nil } // it is asked for by itself
	members := Pairs{Pass: u.pass, Refuse: again}
	for {
		h, err := in.Next()
		if err == io.EOF {
			return members.Flush()
		}
		if err != nil {
			return u.broken(err)
		}
		if u.members++; u.members > MaxMembers {
			return fmt.Errorf("unpack: %w", &fault.LimitError{What: "members of an archive", Where: u.where, Max: MaxMembers})
		}
		e, end := u.entry(h.Name)
		if h.Typeflag != tar.TypeReg || e == nil || u.run.passed[e.name] {
			continue
		}
		if h.Size > MaxDocument {
			return fmt.Errorf("unpack: %w", &fault.LimitError{What: "bytes of a document", Where: u.where + "!/" + h.Name, Max: MaxDocument, Seen: h.Size})
		}
		content, err := io.ReadAll(in)
		if err != nil {
			return u.broken(err)
		}
		// A signature that is not here is beside the document in the folder.
		if err := members.Add(&Document{Name: e.name + end, URL: u.where + "!/" + h.Name, Content: content, Signed: e.signed}); err != nil {
			return err
		}
	}
}

// pass passes on a document whose digest is right, if it has one.
func (u *unpacking) pass(doc *Document) error {
	if u.run.belongs(u.list, doc.URL, doc.Content) != nil {
		return nil // it is asked for by itself
	}
	return u.run.pass(doc)
}

// entry is the one that a member is of, by the last parts of its name, with the end of
// a file beside a document; nil for none that is wanted.
func (u *unpacking) entry(member string) (e *entry, end string) {
	name := strings.TrimPrefix(path.Clean(member), "./")
	for rest, ok := name, true; ok; _, rest, ok = strings.Cut(rest, "/") {
		document, end := Beside(rest)
		if e := u.wanted[document]; e != nil {
			return e, end
		}
	}
	return nil, ""
}

func (u *unpacking) broken(err error) error {
	if errors.Is(err, fault.Limit) {
		return fmt.Errorf("unpack: %w", err)
	}
	return fmt.Errorf("unpack %s: member %d: %v: %w", u.where, u.members, err, fault.Invalid)
}

// counter bounds what is unpacked.
type counter struct {
	io.Reader
	u *unpacking
}

// Read reads on.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.u.bytes += int64(n); c.u.bytes > c.u.most {
		return 0, &fault.LimitError{What: "bytes of an archive, unpacked", Where: c.u.where, Max: c.u.most}
	}
	return n, err
}
