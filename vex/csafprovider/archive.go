package csafprovider

import (
	"archive/tar"
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/internal/fetch"
)

// The limits of an archive.
const (
	maxArchive  = 2 << 30
	maxUnpacked = 64 << 30
	maxMembers  = 3_000_000
)

// archiveName is the name of an archive of all documents, perhaps with the day on
// which it was made.
var archiveName = lazyre.New(`^[A-Za-z0-9_.-]*?(\d{4}-\d{2}-\d{2})?\.tar\.(zst|gz|bz2)$`)

// archive passes on the documents of a folder's archive. It returns what it does not
// have, or not as new.
func (r *run) archive(l *list) (rest []entry, err error) {
	address, made := l.folder.Archive, time.Time{}
	if l.folder.Latest != "" {
		text, _, err := r.read(vex.Request{URL: l.folder.Latest, Max: 4 << 10})
		if errors.Is(err, fault.NotFound) {
			return l.entries, nil
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimSpace(string(text))
		m := archiveName.Get().FindStringSubmatch(name)
		if m == nil {
			return nil, fmt.Errorf("read %s: %.80q is no name of an archive: %w", l.folder.Latest, name, fault.Invalid)
		}
		address = strings.TrimSuffix(l.folder.URL, "/") + "/" + name
		if day, err := time.Parse(time.DateOnly, m[1]); err == nil {
			made = day.Add(-24 * time.Hour)
		}
	}
	file, resp, err := fetch.Spool(r.pass.Context, r.door, r.source.description.Hosts, vex.Request{URL: address, Max: maxArchive})
	if errors.Is(err, fault.NotFound) {
		return l.entries, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if made.IsZero() {
		made = l.now.Cursor.Add(-7 * 24 * time.Hour)
		if at, err := http.ParseTime(resp.Modified); err == nil {
			made = at.Add(-24 * time.Hour)
		}
	}
	u := unpacking{run: r, list: l, where: resp.URL, wanted: map[string]*entry{}}
	for i := range l.entries {
		if e := &l.entries[i]; !e.at.After(made) {
			u.wanted[strings.TrimPrefix(strings.TrimPrefix(e.url, l.folder.URL), "/")] = e
		}
	}
	if err := u.unpack(file); err != nil {
		return nil, err
	}
	for _, e := range l.entries {
		if !r.pass.Has(e.name) {
			rest = append(rest, e)
		}
	}
	return rest, nil
}

// unpacking passes the members of an archive on. Files beside a document follow it.
type unpacking struct {
	run    *run
	list   *list
	where  string
	wanted map[string]*entry // by path in the folder

	bytes   int64
	members int
	held    *vex.Document
	at      string // the path of the one that is held
	bad     error  // why it is not taken from here
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
	counted := &counter{Reader: r, u: u}
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
	for {
		h, err := in.Next()
		if err == io.EOF {
			return u.flush()
		}
		if err != nil {
			return u.broken(err)
		}
		if u.members++; u.members > maxMembers {
			return &fault.LimitError{What: "members of an archive", Where: u.where, Max: maxMembers}
		}
		name, document, end := u.name(h.Name)
		if h.Typeflag != tar.TypeReg || u.wanted[document] == nil {
			continue
		}
		if h.Size > fetch.MaxDocument {
			return &fault.LimitError{What: "bytes of a document", Where: u.where + "!/" + h.Name, Max: fetch.MaxDocument, Seen: h.Size}
		}
		content, err := io.ReadAll(in)
		if err != nil {
			return u.broken(err)
		}
		if err := u.add(name, document, end, h.Name, content); err != nil {
			return err
		}
	}
}

// name is the path in the folder that a member has by its last parts, and the document
// that it is of.
func (u *unpacking) name(member string) (name, document, end string) {
	name = strings.TrimPrefix(path.Clean(member), "./")
	for rest, ok := name, true; ok; _, rest, ok = strings.Cut(rest, "/") {
		if document, end := cutSidecar(rest); u.wanted[document] != nil {
			return rest, document, end
		}
	}
	return name, "", ""
}

// cutSidecar cuts the end of a file about a document beside it off a name.
func cutSidecar(name string) (document, end string) {
	for _, end := range []string{".sha256", ".sha512", ".asc"} {
		if rest, ok := strings.CutSuffix(name, end); ok {
			return rest, end
		}
	}
	return name, ""
}

func (u *unpacking) add(name, document, end, member string, content []byte) error {
	switch {
	case end == "":
		if err := u.flush(); err != nil {
			return err
		}
		u.held = &vex.Document{Name: u.wanted[document].name, URL: u.where + "!/" + member, Content: content}
		u.at, u.bad = document, u.run.belongs(u.list, u.where+"!/"+member, content)
	case u.held == nil || u.at != document:
	case end == ".asc":
		u.held.Proof = content
	case u.bad == nil:
		u.bad = checkDigest(document, path.Base(name), content, u.held.Content)
	}
	return nil
}

// flush passes on the document that is held.
func (u *unpacking) flush() error {
	doc, bad := u.held, u.bad
	u.held, u.bad = nil, nil
	switch {
	case doc == nil:
		return nil
	case bad != nil:
		return nil // it is asked for by itself
	}
	return u.run.pass.Document(doc)
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
	if c.u.bytes += int64(n); c.u.bytes > maxUnpacked {
		return 0, &fault.LimitError{What: "bytes of an archive, unpacked", Where: c.u.where, Max: maxUnpacked}
	}
	return n, err
}
