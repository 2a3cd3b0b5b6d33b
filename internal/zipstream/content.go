package zipstream

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/inflate"
)

// maxRatio is the most that deflate can reach: 258 bytes for two bits.
const maxRatio = 1032

// Raw returns the bytes of m as they are in the archive; for a stored member
// these are its content. It reads the local header, whose own claims about
// sizes are ignored, as a Java runtime ignores them.
func (a *Archive) Raw(m *Member) (*io.SectionReader, error) {
	if m.Compressed < 0 || m.header > a.dir-localBytes {
		return nil, a.bad(m, "lies outside the archive")
	}
	var h [localBytes]byte
	if err := readFull(a.r, h[:], m.header); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if le.Uint32(h[:]) != localSignature {
		return nil, a.bad(m, "has no local header")
	}
	start := m.header + localBytes + int64(le.Uint16(h[26:])) + int64(le.Uint16(h[28:]))
	if start > a.dir || m.Compressed > a.dir-start {
		return nil, a.bad(m, "runs into the directory")
	}
	return io.NewSectionReader(a.r, start, m.Compressed), nil
}

// Open returns the content of m. It gives Size bytes at most; reading to the
// end checks length and CRC-32, and an error there wraps the kind "invalid
// input". Close gives its buffers back and must be called once.
//
// Errors wrap the kind "unsupported" for encrypted members and for methods
// other than Stored and Deflated.
func (a *Archive) Open(m *Member) (io.ReadCloser, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	raw, err := a.Raw(m)
	if err != nil {
		return nil, err
	}
	c := &content{member: m, left: m.Size, source: raw}
	if m.Method == Deflated {
		c.inflater = inflaters.Get().(*inflater)
		c.inflater.reset(raw)
		c.source = c.inflater.flate
	}
	return c, nil
}

// check refuses what cannot be read, and sizes that cannot be.
func (m *Member) check() error {
	switch {
	case m.Encrypted:
		return fmt.Errorf("member %q is encrypted: %w", m.short(), fault.Unsupported)
	case m.Method == Stored && m.Size != m.Compressed:
		return fmt.Errorf("member %q is stored in %d bytes and claims %d: %w", m.short(), m.Compressed, m.Size, fault.Invalid)
	case m.Method == Deflated && m.Size/maxRatio > m.Compressed:
		return fmt.Errorf("member %q of %d bytes claims to inflate to %d: %w", m.short(), m.Compressed, m.Size, fault.Invalid)
	case m.Method != Stored && m.Method != Deflated:
		return fmt.Errorf("member %q is compressed by method %d: %w", m.short(), m.Method, fault.Unsupported)
	}
	return nil
}

// Overlap sorts members by their place in the archive and returns an error of
// the kind "invalid input" where two of them share bytes: the way by which a
// small archive holds the same huge content a thousand times.
func Overlap(members []Member) error {
	slices.SortStableFunc(members, func(a, b Member) int { return cmp.Compare(a.header, b.header) })
	for i := 1; i < len(members); i++ {
		if before, m := &members[i-1], &members[i]; m.header-before.header-localBytes-int64(len(before.Name)) < before.Compressed {
			return fmt.Errorf("members %q and %q overlap: %w", before.short(), m.short(), fault.Invalid)
		}
	}
	return nil
}

func (a *Archive) bad(m *Member, what string) error {
	return fmt.Errorf("member %q of %d bytes at offset %d %s: %w", m.short(), m.Compressed, m.header, what, fault.Invalid)
}

// short is the name for messages.
func (m *Member) short() string {
	if len(m.Name) > 200 {
		return string(m.Name[:200]) + "…"
	}
	return string(m.Name)
}

// content reads one member and checks it.
type content struct {
	member   *Member
	source   io.Reader
	inflater *inflater
	left     int64
	sum      uint32
}

func (c *content) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, c.finish()
	}
	n, err := c.source.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.sum = crc32.Update(c.sum, crc32.IEEETable, p[:n])
	switch {
	case err == io.EOF && c.left == 0:
		return n, nil
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return n, fmt.Errorf("member %q ends %d bytes before its %d: %w", c.member.short(), c.left, c.member.Size, fault.Invalid)
	case err != nil && c.inflater != nil && c.inflater.source.err == nil:
		return n, fmt.Errorf("inflate member %q: %v: %w", c.member.short(), err, fault.Invalid)
	}
	return n, err
}

// finish is called when all bytes are read.
func (c *content) finish() error {
	var one [1]byte
	if n, _ := c.source.Read(one[:]); n > 0 {
		return fmt.Errorf("member %q goes on behind its %d bytes: %w", c.member.short(), c.member.Size, fault.Invalid)
	}
	if c.sum != c.member.CRC {
		return fmt.Errorf("member %q has CRC-32 %08x, the directory says %08x: %w", c.member.short(), c.sum, c.member.CRC, fault.Invalid)
	}
	return io.EOF
}

func (c *content) Close() error {
	if c.inflater != nil {
		c.inflater.reset(nothing{})
		inflaters.Put(c.inflater)
		c.inflater, c.source = nil, nothing{}
	}
	return nil
}

// inflater is a reusable decompressor.
type inflater struct {
	source *failing
	flate  *inflate.Reader
}

var inflaters = sync.Pool{New: func() any {
	i := &inflater{source: &failing{r: nothing{}}}
	i.flate = inflate.NewReader(i.source)
	return i
}}

func (i *inflater) reset(r io.Reader) {
	*i.source = failing{r: r}
	i.flate.Reset(i.source)
}

// failing remembers the error of the archive's reader, to tell it from one of
// the format.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
