package tlog

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// Tree is what a checkpoint says: the tree of a log at one size.
type Tree struct {
	Origin string
	Size   int64
	Root   Hash
	// Extension are further lines. Their meaning is the log's own.
	Extension []string
}

// text is the body of the checkpoint, which is what is signed.
func (t Tree) text() string {
	s := t.Origin + "\n" + strconv.FormatInt(t.Size, 10) + "\n" + t.Root.String() + "\n"
	for _, line := range t.Extension {
		s += line + "\n"
	}
	return s
}

// ParseTree reads the body of a checkpoint, with or without its signatures, and
// verifies nothing: [Policy.Open] does. An error is an [*Error] with
// [ReasonMalformed], with [ReasonRoot] where the empty tree has another root than it
// has, or wraps ErrLimit.
func ParseTree(checkpoint []byte) (Tree, error) {
	bad := func(format string, args ...any) (Tree, error) {
		return Tree{}, &Error{Reason: ReasonMalformed, What: "checkpoint", Detail: fmt.Sprintf(format, args...)}
	}
	if len(checkpoint) > MaxCheckpoint {
		return Tree{}, &fault.LimitError{What: "bytes of a checkpoint", Where: "checkpoint", Max: MaxCheckpoint, Seen: int64(len(checkpoint))}
	}
	if !utf8.Valid(checkpoint) {
		return bad("not UTF-8")
	}
	body, _, _ := strings.Cut(string(checkpoint), "\n\n")
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	if len(lines) < 3 {
		return bad("%d lines, want origin, size and root", len(lines))
	}
	t := Tree{Origin: lines[0]}
	if t.Origin == "" || len(t.Origin) > MaxOrigin {
		return bad("an origin of %d bytes, want 1 to %d", len(t.Origin), MaxOrigin)
	}
	size, err := parseNumber(lines[1])
	if err != nil || size > MaxSize {
		return bad("size %.30q, want a decimal number up to %d without leading zeros", lines[1], int64(MaxSize))
	}
	t.Size = size
	if t.Root, err = ParseHash(lines[2]); err != nil {
		return bad("root %.60q, want 32 bytes in base64", lines[2])
	}
	if t.Size == 0 && t.Root != EmptyRoot() {
		return Tree{}, &Error{Reason: ReasonRoot, What: "checkpoint", Detail: fmt.Sprintf("no entries, but root %s", t.Root)}
	}
	if len(lines) > 3 {
		t.Extension = lines[3:]
	}
	return t, nil
}

// parseNumber reads a decimal number from 0 that has one spelling.
func parseNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("number %.30q: %w", text, fault.Invalid)
	}
	return n, nil
}

// signTree makes a checkpoint of t.
func signTree(ctx context.Context, t Tree, s *Signer) ([]byte, error) {
	text := t.text()
	sig, err := s.signature(ctx, []byte(text), nil)
	if err != nil {
		return nil, err
	}
	return concat([]byte(text), []byte{'\n'}, signatureLine(s.key.name, sig)), nil
}

// bodyOf returns the signed part of a checkpoint, and nil where there is none.
func bodyOf(checkpoint []byte) []byte {
	i := bytes.LastIndex(checkpoint, []byte("\n\n"))
	if i < 0 {
		return nil
	}
	return checkpoint[:i+1]
}
