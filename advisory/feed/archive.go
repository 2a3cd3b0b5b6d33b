package feed

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// Archive is the shape of a source whose documents are the members of one
// archive: a zip, a tar, or a tar compressed with gzip, which its first bytes
// tell. It is read into a temporary file first, so that a broken or changed
// answer passes nothing on.
type Archive struct {
	// Source is the source's name.
	Source string
	// URL is the archive's address.
	URL string
	// Strip is how many leading folders of a member's path are no part of the
	// document's name.
	Strip int
	// Keep says by its name which members are documents; nil means all.
	Keep func(name string) bool
	// MaxBytes bounds the archive, MaxDocument one member, MaxMembers and
	// MaxUnpacked all. 0 means the limits of this package.
	MaxBytes, MaxDocument, MaxUnpacked int64
	MaxMembers                         int
}

// GitHub returns the archive of a branch of a repository on GitHub, of its main
// branch where branch is empty. The documents are the files that keep names, by
// their path in the repository.
func GitHub(source, repository, branch string, keep func(name string) bool) Archive {
	ref := "HEAD"
	if branch != "" {
		ref = "refs/heads/" + branch
	}
	return Archive{Source: source, URL: "https://" + GitHubHost + "/" + repository + "/tar.gz/" + ref, Strip: 1, Keep: keep}
}

// GitHubHost is the host of archives of repositories on GitHub.
const GitHubHost = "codeload.github.com"

// Fetch passes on all members, if the archive is another than before; see
// [advisory.Source].
func (a Archive) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	s := ReadState(state)
	changed, err := a.fetch(ctx, door, s, emit)
	if err != nil {
		return nil, err
	}
	for address := range s { // of an earlier address
		if address != a.URL {
			delete(s, address)
		}
	}
	return s.fetched(true, !changed)
}

// fetch is Fetch, and notes the archive in the state.
func (a Archive) fetch(ctx context.Context, door advisory.Door, s State, emit func(*advisory.Document) error) (changed bool, err error) {
	r := s.Ask(a.URL)
	r.Max = a.MaxBytes
	_, known := s[a.URL]
	spooled, resp, err := Spool(ctx, door, r)
	switch {
	case err != nil:
		return false, err
	case spooled == nil && !known:
		return false, fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", shown(a.URL), fault.Invalid)
	case spooled == nil:
		return false, nil
	}
	defer spooled.Close()
	if known && s[a.URL].Digest == spooled.Digest {
		s.Note(a.URL, resp, spooled.Digest)
		return false, nil
	}
	u := unpacking{Archive: a, ctx: ctx, emit: emit, packed: spooled.Size, where: resp.URL, names: map[string]bool{}}
	u.defaults()
	if err := u.run(spooled); err != nil {
		return false, err
	}
	if len(u.names) == 0 {
		return false, fmt.Errorf("unpack %s: none of its %d members is a document: %w", u.where, u.members, fault.Invalid)
	}
	s.Note(a.URL, resp, spooled.Digest)
	return true, nil
}

// unpacking passes the members of an archive on.
type unpacking struct {
	Archive
	ctx      context.Context
	emit     func(*advisory.Document) error
	where    string
	packed   int64
	unpacked int64
	members  int
	names    map[string]bool
}

func (u *unpacking) defaults() {
	if u.MaxDocument <= 0 {
		u.MaxDocument = MaxDocument
	}
	if u.MaxUnpacked <= 0 {
		u.MaxUnpacked = MaxUnpacked
	}
	u.MaxUnpacked = min(u.MaxUnpacked, max(1<<20, u.packed*MaxRatio))
	if u.MaxMembers <= 0 {
		u.MaxMembers = MaxMembers
	}
}

func (u *unpacking) run(s *Spooled) error {
	var magic [2]byte
	n, err := io.ReadFull(s, magic[:])
	if err != nil && n == 0 {
		return fmt.Errorf("unpack %s: it is empty: %w", u.where, fault.Invalid)
	}
	if err := rewind(s.File); err != nil {
		return fmt.Errorf("unpack %s: %w", u.where, fileError(err))
	}
	switch {
	case magic == [2]byte{'P', 'K'}:
		return u.zip(s)
	case magic == [2]byte{0x1f, 0x8b}:
		z, err := gzip.NewReader(bufio.NewReaderSize(s, 256<<10))
		if err != nil {
			return u.broken(err)
		}
		return u.tar(z)
	}
	return u.tar(bufio.NewReaderSize(s, 256<<10))
}

func (u *unpacking) broken(err error) error {
	if errors.Is(err, fault.Limit) {
		return fmt.Errorf("unpack: %w", err)
	}
	return fmt.Errorf("unpack %s: member %d: %v: %w", u.where, u.members, err, fault.Invalid)
}

func (u *unpacking) zip(s *Spooled) error {
	z, err := zip.NewReader(s, s.Size)
	if err != nil {
		return u.broken(err)
	}
	for _, m := range z.File {
		name, err := u.next(m.Name, m.Mode().IsRegular())
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		r, err := m.Open()
		if err != nil {
			return u.broken(err)
		}
		err = u.member(name, &counted{r: r, u: u})
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacking) tar(r io.Reader) error {
	in := &counted{r: r, u: u}
	tr := tar.NewReader(in)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return u.broken(err)
		}
		name, err := u.next(h.Name, h.Typeflag == tar.TypeReg)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if err := u.member(name, tr); err != nil {
			return err
		}
	}
	// What follows the end is read too, up to the checksum of the compression.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return u.broken(err)
	}
	return nil
}

// counted counts what is unpacked.
type counted struct {
	r io.Reader
	u *unpacking
}

// Read reads on.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.u.unpacked += int64(n); c.u.unpacked > c.u.MaxUnpacked {
		return 0, &fault.LimitError{What: "bytes of an archive, unpacked", Where: c.u.where, Max: c.u.MaxUnpacked}
	}
	return n, err
}

// next returns the name of the document that a member is; "" for none.
func (u *unpacking) next(member string, regular bool) (string, error) {
	if err := u.ctx.Err(); err != nil {
		return "", err
	}
	if u.members++; u.members > u.MaxMembers {
		return "", fmt.Errorf("unpack: %w", &fault.LimitError{What: "members of an archive", Where: u.where, Max: int64(u.MaxMembers)})
	}
	if !regular {
		return "", nil
	}
	name := member
	for range u.Strip {
		_, rest, ok := strings.Cut(name, "/")
		if !ok {
			return "", nil
		}
		name = rest
	}
	name = strings.TrimPrefix(name, "./")
	if u.Keep != nil && !u.Keep(name) {
		return "", nil
	}
	if u.names[name] {
		return "", fmt.Errorf("unpack %s: it has two members of the name %.200q: %w", u.where, name, fault.Invalid)
	}
	u.names[name] = true
	return name, nil
}

// member reads one member and passes it on.
func (u *unpacking) member(name string, r io.Reader) error {
	content, err := readAll(r, u.MaxDocument, "bytes of a document", u.where+"!/"+name)
	if err != nil {
		return u.broken(err)
	}
	doc := &advisory.Document{Source: u.Source, Name: name, URL: u.where + "!/" + name, Content: content, Signature: advisory.Unsigned}
	if err := doc.Validate(); err != nil {
		return fmt.Errorf("unpack %s: %w", u.where, err)
	}
	return u.emit(doc)
}

// Below returns a filter for an [Archive]: files below a folder, "" for any,
// with one of the ends, such as ".json". Names of which a part starts with a
// dot are none.
func Below(folder string, ends ...string) func(name string) bool {
	return func(name string) bool {
		if folder != "" && !strings.HasPrefix(name, folder+"/") {
			return false
		}
		for part := range strings.SplitSeq(name, "/") {
			if strings.HasPrefix(part, ".") {
				return false
			}
		}
		for _, end := range ends {
			if path.Ext(name) == end {
				return true
			}
		}
		return len(ends) == 0
	}
}
