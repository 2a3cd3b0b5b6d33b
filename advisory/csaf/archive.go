package csaf

import (
	"archive/tar"
	"bufio"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
)

// fetchArchive passes on the members of the source's archive.
func (s *Source) fetchArchive(ctx context.Context, door advisory.Door, old []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	p := &pass{ctx: ctx, door: door, emit: emit, source: s.description.Name, passed: map[string]bool{}}
	members := pairs{pass: p}
	out, err := s.archive.Fetch(ctx, door, old, members.add)
	if err == nil {
		err = members.flush()
	}
	if err != nil {
		return nil, err
	}
	if len(p.refused) > 0 {
		return nil, errors.Join(p.refused...)
	}
	return out, nil
}

// archiveName is the name of an archive of all documents, perhaps with the day
// on which it was made.
var archiveName = lazyre.New(`^[A-Za-z0-9_.-]*?(\d{4}-\d{2}-\d{2})?\.tar\.(zst|gz|bz2)$`)

// bulk passes on the documents of a list's archive. It returns what it does not
// have, or not as new.
func (p *pass) bulk(l *list, entries []entry) (rest []entry, err error) {
	address, made := l.bulk, time.Time{}
	if l.latest != "" {
		text, _, err := p.read(advisory.Request{URL: l.latest, Max: 4 << 10})
		if errors.Is(err, fault.NotFound) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimSpace(string(text))
		m := archiveName.Get().FindStringSubmatch(name)
		if m == nil {
			return nil, fmt.Errorf("read %s: %.80q is no name of an archive: %w", l.latest, name, fault.Invalid)
		}
		address = l.base + name
		if day, err := time.Parse(time.DateOnly, m[1]); err == nil {
			made = day.Add(-24 * time.Hour)
		}
	}
	spooled, resp, err := feed.Spool(p.ctx, p.door, advisory.Request{URL: address, Max: MaxArchive})
	if errors.Is(err, fault.NotFound) {
		return entries, nil
	}
	if err != nil {
		return nil, err
	}
	if spooled == nil {
		return nil, fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", address, fault.Invalid)
	}
	defer spooled.Close()
	if err := p.verifyArchive(address, spooled); err != nil {
		return nil, err
	}
	if made.IsZero() {
		made = entries[len(entries)-1].at.Add(-7 * 24 * time.Hour)
		if at, err := http.ParseTime(resp.Modified); err == nil {
			made = at.Add(-24 * time.Hour)
		}
	}
	wanted := map[string]bool{}
	for _, e := range entries {
		if e.at.After(made) {
			rest = append(rest, e)
		} else {
			wanted[e.name] = true
		}
	}
	u := unpacking{pass: p, list: l, wanted: wanted, where: resp.URL, most: min(MaxUnpacked, max(1<<20, spooled.Size*MaxRatio))}
	if err := u.run(spooled); err != nil {
		return nil, err
	}
	for _, e := range entries {
		if wanted[e.name] && !p.passed[e.name] {
			rest = append(rest, e)
		}
	}
	return rest, nil
}

// verifyArchive holds an archive against its digest, if there is one.
func (p *pass) verifyArchive(address string, s *feed.Spooled) error {
	text, _, err := p.read(advisory.Request{URL: address + ".sha256", Max: 64 << 10})
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Forbidden) {
		return nil
	}
	if err != nil {
		return err
	}
	h, err := provider.ParseHash(pathBase(address)+".sha256", text)
	if err != nil {
		return fmt.Errorf("verify %s: %w: %w", address, err, fault.Mismatch)
	}
	if want := "sha256:" + h.Value; want != s.Digest {
		return fmt.Errorf("verify: %w", &fault.MismatchError{What: "digest of " + address, Want: want, Got: s.Digest})
	}
	return nil
}

// unpacking passes the members of an archive on.
type unpacking struct {
	pass     *pass
	list     *list
	wanted   map[string]bool // documents, by name
	where    string
	unpacked int64
	most     int64
	members  int
}

func (u *unpacking) run(s *feed.Spooled) error {
	in := bufio.NewReaderSize(s, 256<<10)
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
	counted := &counted{r: r, u: u}
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
	members := pairs{pass: u.pass}
	for {
		h, err := in.Next()
		if err == io.EOF {
			return members.flush()
		}
		if err != nil {
			return u.broken(err)
		}
		if u.members++; u.members > MaxMembers {
			return fmt.Errorf("unpack: %w", &fault.LimitError{What: "members of an archive", Where: u.where, Max: MaxMembers})
		}
		document, end := cutSidecar(u.name(h.Name))
		if h.Typeflag != tar.TypeReg || !u.wanted[document] || u.pass.passed[document] {
			continue
		}
		if h.Size > MaxDocument {
			return fmt.Errorf("unpack: %w", &fault.LimitError{What: "bytes of a document", Where: u.where + "!/" + h.Name, Max: MaxDocument, Seen: h.Size})
		}
		content, err := io.ReadAll(in)
		if err != nil {
			return u.broken(err)
		}
		doc := &advisory.Document{Source: u.pass.source, Name: document + end, URL: u.where + "!/" + h.Name, Content: content, Signature: advisory.Unsigned}
		if u.list.signed {
			doc.Signature = advisory.Unchecked // beside the document in the folder
		}
		if err := members.add(doc); err != nil {
			return err
		}
	}
}

// name is the name that the list has for a member: its last parts.
func (u *unpacking) name(member string) string {
	name := strings.TrimPrefix(path.Clean(member), "./")
	for rest, ok := name, true; ok; _, rest, ok = strings.Cut(rest, "/") {
		if document, _ := cutSidecar(rest); u.wanted[document] {
			return rest
		}
	}
	return name
}

func (u *unpacking) broken(err error) error {
	if errors.Is(err, fault.Limit) {
		return fmt.Errorf("unpack: %w", err)
	}
	return fmt.Errorf("unpack %s: member %d: %v: %w", u.where, u.members, err, fault.Invalid)
}

// counted counts what is unpacked.
type counted struct {
	r io.Reader
	u *unpacking
}

// Read reads on.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.u.unpacked += int64(n); c.u.unpacked > c.u.most {
		return 0, &fault.LimitError{What: "bytes of an archive, unpacked", Where: c.u.where, Max: c.u.most}
	}
	return n, err
}
