package kit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// reader reads the members of a kit one after the other. It knows each before it
// comes, except for the size of the first.
type reader struct {
	ctx  context.Context
	r    io.Reader
	seek io.Seeker // nil where r cannot
	off  int64     // bytes from where r stood at first
	buf  []byte    // as large as it was needed
	// rest are the members that are still to come, to say which one is missing.
	rest []member
}

func newReader(ctx context.Context, r io.Reader) *reader {
	out := &reader{ctx: ctx, r: r}
	if s, ok := r.(io.Seeker); ok {
		if _, err := s.Seek(0, io.SeekCurrent); err == nil { // a pipe says that it can and cannot
			out.seek = s
		}
	}
	return out
}

// full fills b with bytes of a member.
func (r *reader) full(b []byte, name string) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	n, err := io.ReadFull(r.r, b)
	r.off += int64(n)
	return r.failed(err, name)
}

func (r *reader) failed(err error, name string) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(role.ReasonTruncated, name, "the file ends at byte %d", r.off)
	case err != nil:
		return fmt.Errorf("read the kit at byte %d: %w", r.off, err)
	}
	return nil
}

// pass goes over n bytes without looking at them.
func (r *reader) pass(n int64, name string) error {
	if r.seek != nil {
		if _, err := r.seek.Seek(n, io.SeekCurrent); err != nil {
			return fmt.Errorf("go on in the kit at byte %d: %w", r.off, err)
		}
		r.off += n
		return nil
	}
	return r.copy(io.Discard, n, name)
}

// copy copies n bytes of a member's content to w.
func (r *reader) copy(w io.Writer, n int64, name string) error {
	if want := min(n, bufferSize); int64(len(r.buf)) < want {
		r.buf = make([]byte, want)
	}
	for n > 0 {
		part := r.buf[:min(n, int64(len(r.buf)))]
		if err := r.ctx.Err(); err != nil {
			return err
		}
		got, err := io.ReadFull(r.r, part)
		r.off += int64(got)
		n -= int64(got)
		if _, err := w.Write(part[:got]); err != nil { // what came before the end counts
			return fmt.Errorf("keep %s: %w", name, err)
		}
		if err := r.failed(err, name); err != nil {
			return err
		}
	}
	return nil
}

// begin reads the header of a member.
func (r *reader) begin(m member) error {
	var got [block]byte
	if err := r.full(got[:], m.name); err != nil {
		return err
	}
	if got != m.header() {
		return r.foreign(got[:], m)
	}
	return nil
}

// finish reads what fills a member up.
func (r *reader) finish(m member) error {
	var room [block]byte
	filling := room[:m.filling()]
	if err := r.full(filling, m.name); err != nil {
		return err
	}
	if len(bytes.Trim(filling, "\x00")) > 0 {
		return refuse(role.ReasonMalformed, m.name, "it is not filled up with zeros")
	}
	return nil
}

// end reads the end of the file.
func (r *reader) end() error {
	const name = "end of the kit"
	var got [endBytes]byte
	if err := r.full(got[:block], name); err != nil {
		return err
	}
	if got != [endBytes]byte{} {
		return r.foreign(got[:block], member{name: name})
	}
	if err := r.full(got[block:], name); err != nil {
		return err
	}
	if got != [endBytes]byte{} {
		return refuse(role.ReasonMalformed, name, "want two blocks of zeros")
	}
	n, err := io.ReadFull(r.r, got[:1])
	if n > 0 {
		return refuse(role.ReasonEndless, name, "there is more after byte %d", r.off)
	}
	if !errors.Is(err, io.EOF) {
		return r.failed(err, name)
	}
	return nil
}

// text reads a member of metadata.
func (r *reader) text(m member) ([]byte, error) {
	if err := r.begin(m); err != nil {
		return nil, err
	}
	text := make([]byte, m.size)
	if err := r.full(text, m.name); err != nil {
		return nil, err
	}
	if got := sum.Of(text); got != m.digest {
		return nil, refuse(role.ReasonContent, m.name, "content is %s, want %s", got, m.digest)
	}
	return text, r.finish(m)
}

// content reads a member into w and checks its digest. What was written to w is the
// content only if there is no error.
func (r *reader) content(m member, w io.Writer) error {
	if err := r.begin(m); err != nil {
		return err
	}
	h := sha256.New()
	to := io.Writer(h)
	if w != nil {
		to = io.MultiWriter(h, w)
	}
	if err := r.copy(to, m.size, m.name); err != nil {
		return err
	}
	if err := m.check(h); err != nil {
		return err
	}
	return r.finish(m)
}

func (m member) check(h hash.Hash) error {
	if got := digestOf(h); got != m.digest {
		return refuse(role.ReasonContent, m.name, "content is %s", got)
	}
	return nil
}

// start reads kit.json and returns it with its digest.
func (r *reader) start() (*head, string, error) {
	var got [block]byte
	if err := r.full(got[:], headName); err != nil {
		return nil, "", err
	}
	size, err := strconv.ParseInt(string(got[124:135]), 8, 64)
	m := member{name: headName, size: size}
	if err != nil || size < 0 || got != m.header() {
		if string(got[:len(headName)+1]) == headName+"\x00" {
			return nil, "", r.foreign(got[:], m)
		}
		return nil, "", refuse(role.ReasonType, headName, "this is no offline kit")
	}
	if size > MaxHead {
		return nil, "", &role.Error{Reason: role.ReasonEndless, File: headName, Err: &fault.LimitError{What: "bytes", Where: headName, Max: MaxHead, Seen: size}}
	}
	text := make([]byte, size)
	if err := r.full(text, headName); err != nil {
		return nil, "", err
	}
	if err := r.finish(m); err != nil {
		return nil, "", err
	}
	h, err := decodeHead(text)
	return h, sum.Of(text), err
}

// foreign says what a header is that is not the one which must be there.
func (r *reader) foreign(got []byte, want member) error {
	if len(bytes.Trim(got, "\x00")) == 0 {
		return refuse(role.ReasonMissing, want.name, "the kit ends before it")
	}
	name, _, _ := bytes.Cut(got[:100], []byte{0})
	kind, ok := map[byte]string{
		'0': "", '1': "a hard link", '2': "a symbolic link", '3': "a device", '4': "a device", '5': "a folder", '6': "a pipe", '7': "a reserved file",
		'x': "an extended header", 'g': "an extended header", 'L': "a long name", 'K': "a long link", 'S': "a sparse file",
	}[got[156]]
	switch {
	case !ok:
		kind = fmt.Sprintf("a member of type %q", got[156])
	case kind != "":
	case string(name) == want.name:
		return refuse(role.ReasonMalformed, want.name, "its header is not the one that it must have")
	default:
		for _, m := range r.rest {
			if m.name == string(name) {
				return refuse(role.ReasonMissing, want.name, "%s stands in its place", m.name)
			}
		}
		kind = "another member"
	}
	return refuse(role.ReasonMalformed, want.name, "%s stands in its place: %.80q", kind, name)
}
