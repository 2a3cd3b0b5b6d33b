package kit

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// ArtifactType is what a kit in a registry is: an artifact (OCI image-spec 1.1) whose
// layers are the [Part] of the file, in their order. Kits share the parts that are the
// same, which a registry keeps once.
const ArtifactType = "application/vnd.stella.kit.v1"

// The media types of parts.
const (
	typeHead    = "application/vnd.stella.kit.head.v1+json"
	typeContent = "application/vnd.stella.kit.content.v1"
	typeRole    = "application/vnd.stella.role.%s.dsse.v1+json" // the envelope, not its payload
)

// Part is a member of a kit's file.
type Part struct {
	Name   string // as in the file: "kit.json", "timestamp.json", "sha256/…"
	Digest string
	Size   int64
	// Offset is where the bytes begin in the file, for who has read it.
	Offset int64
}

// MediaType is that of the part in a registry.
func (p Part) MediaType() string {
	switch {
	case p.Name == headName:
		return typeHead
	case strings.HasPrefix(p.Name, contentPrefix):
		return typeContent
	}
	name := strings.TrimSuffix(p.Name, ".json")
	return fmt.Sprintf(typeRole, name[strings.LastIndexByte(name, '.')+1:])
}

const contentPrefix = "sha256/"

func (p Part) member() member { return member{name: p.Name, size: p.Size, digest: p.Digest} }

// Split reads a kit and lists its parts. It checks each byte, so that the file is the
// one that [Join] makes of them, and no signature: that is what [Verify] does. Where it
// fails, the parts that come back are those that were right before.
func Split(ctx context.Context, r io.Reader) ([]Part, error) {
	s := &splitting{in: newReader(ctx, r)}
	if err := s.run(); err != nil {
		return s.parts, fmt.Errorf("split the kit: %w", err)
	}
	return s.parts, nil
}

type splitting struct {
	in    *reader
	parts []Part
}

func (s *splitting) add(m member) {
	s.parts = append(s.parts, Part{m.name, m.digest, m.size, s.in.off - m.filling() - m.size})
}

func (s *splitting) run() error {
	h, digest, err := s.in.start()
	if err != nil {
		return err
	}
	text, err := h.encode()
	if err != nil {
		return err
	}
	s.add(member{name: headName, size: int64(len(text)), digest: digest})
	for _, f := range h.Files {
		m := f.member()
		if _, err := s.in.text(m); err != nil {
			return err
		}
		s.add(m)
	}
	for before := ""; ; {
		m, err := s.next()
		if err != nil || m.name == "" {
			return err
		}
		if m.name <= before {
			return refuse(role.ReasonMalformed, m.name, "it does not come after %s", before)
		}
		before = m.name
		s.add(m)
	}
}

// next reads a content; after the last one it reads the end and returns none.
func (s *splitting) next() (member, error) {
	var got [block]byte
	if err := s.in.full(got[:], "a content"); err != nil {
		return member{}, err
	}
	if got == [block]byte{} {
		s.in.r, s.in.off = io.MultiReader(bytes.NewReader(got[:]), s.in.r), s.in.off-block
		return member{}, s.in.end()
	}
	name, _, _ := strings.Cut(string(got[:100]), "\x00")
	size, err := strconv.ParseInt(string(got[124:135]), 8, 64)
	digest := strings.Replace(name, "/", ":", 1)
	m := member{name: name, size: size, digest: digest}
	if err != nil || size < 0 || !sum.Is(digest) || got != m.header() {
		return m, s.in.foreign(got[:], member{name: "a content"})
	}
	s.in.r, s.in.off = io.MultiReader(bytes.NewReader(got[:]), s.in.r), s.in.off-block
	return m, s.in.content(m, nil)
}

// Join writes the kit that has these parts, whose bytes open returns, and checks each
// against its digest. What it writes is a kit by its form only: who believes it
// verifies it, as any other kit. After an error what was written is none, but [Split]
// finds the parts in it that are whole.
func Join(ctx context.Context, w io.Writer, parts []Part, open func(ctx context.Context, p Part) (io.ReadCloser, error)) error {
	if err := join(ctx, w, parts, open); err != nil {
		return fmt.Errorf("join the parts of a kit: %w", err)
	}
	return nil
}

func join(ctx context.Context, w io.Writer, parts []Part, open func(context.Context, Part) (io.ReadCloser, error)) error {
	if len(parts) == 0 || parts[0].Name != headName {
		return refuse(role.ReasonType, headName, "this is no offline kit")
	}
	text, err := readPart(ctx, parts[0], MaxHead, open)
	if err != nil {
		return err
	}
	h, err := decodeHead(text)
	if err != nil {
		return err
	}
	if len(parts) <= len(h.Files) {
		return refuse(role.ReasonMissing, h.Files[len(parts)-1].Name, "it is not among the parts")
	}
	for i, f := range h.Files {
		if parts[i+1].member() != f.member() {
			return refuse(role.ReasonMixed, f.Name, "%.80q stands in its place", parts[i+1].Name)
		}
	}
	if err := checkContents(parts[1+len(h.Files):]); err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, bufferSize)
	t := &tarWriter{w: buffered}
	t.text(headName, text)
	for _, p := range parts[1:] {
		t.content(ctx, p.member(), func() (io.ReadCloser, error) { return open(ctx, p) })
	}
	t.zeros(endBytes)
	if err := buffered.Flush(); t.err == nil { // also after an error: Split finds what was right
		t.err = err
	}
	return t.err
}

// checkContents holds names to what a kit has after its metadata.
func checkContents(parts []Part) error {
	before, left := "", int64(MaxKit)
	for _, p := range parts {
		if p.Size < 0 || p.Size > MaxTarget || p.Size > left {
			return &role.Error{Reason: role.ReasonEndless, File: p.Name, Err: &fault.LimitError{What: "bytes", Where: "contents of a kit", Max: min(MaxTarget, left), Seen: p.Size}}
		}
		left -= p.Size
		if !sum.Is(p.Digest) || p.Name != strings.Replace(p.Digest, ":", "/", 1) || p.Name <= before {
			return refuse(role.ReasonMalformed, fmt.Sprintf("%.80q", p.Name), "it is not the name of its content, or not in order")
		}
		before = p.Name
	}
	return nil
}

// readPart reads a part into memory.
func readPart(ctx context.Context, p Part, limit int64, open func(context.Context, Part) (io.ReadCloser, error)) ([]byte, error) {
	if p.Size < 0 || p.Size > limit {
		return nil, &role.Error{Reason: role.ReasonEndless, File: p.Name, Err: &fault.LimitError{What: "bytes", Where: p.Name, Max: limit, Seen: p.Size}}
	}
	r, err := open(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.Name, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, p.Size+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.Name, err)
	}
	if got := sum.Of(text); got != p.Digest || int64(len(text)) != p.Size {
		return nil, refuse(role.ReasonContent, p.Name, "content is %s, want %s", got, p.Digest)
	}
	return text, nil
}
