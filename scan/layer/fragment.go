package layer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// FragmentVersion is the version of the fragment format.
const FragmentVersion = 3

// Fragment is everything that one layer says, apart from all other layers. It
// depends on the layer's uncompressed bytes, the analyzers and the limits
// alone, so it can be kept for ever under those.
type Fragment struct {
	Version   int    `json:"version"`
	DiffID    string `json:"diff_id"`   // empty for a directory tree
	Analyzers string `json:"analyzers"` // Set identity, see analyzer.Set.Identity
	Size      int64  `json:"size"`      // uncompressed bytes
	// Files are the files that gave facts, in the order of the layer.
	Files []FileFacts `json:"files,omitempty"`
	// Whiteouts are paths that the layer removes from the layers below it.
	Whiteouts []string `json:"whiteouts,omitempty"`
	// Opaque are folders of which the layer hides all older content.
	Opaque []string `json:"opaque,omitempty"`
	// Gaps are what was seen and not assessed.
	Gaps []sbom.Gap `json:"gaps,omitempty"`
	// Entries are all paths of the layer.
	Entries Entries `json:"entries"`
}

// FileFacts is what one file says to one analyzer.
type FileFacts struct {
	Path     string          `json:"path"`
	Analyzer string          `json:"analyzer"` // name
	Facts    []analyzer.Fact `json:"facts,omitempty"`
}

// Encode returns the canonical bytes: JSON with members in the order of the
// type, without white space.
func (f *Fragment) Encode() ([]byte, error) {
	b, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode fragment of %s: %w", f.DiffID, err)
	}
	return b, nil
}

// DecodeFragment parses canonical bytes. Another version, unknown members and
// damaged content are errors of the kind "invalid input".
func DecodeFragment(b []byte) (*Fragment, error) {
	f := new(Fragment)
	if err := json.UnmarshalRead(bytes.NewReader(b), f, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("decode fragment: %v: %w", err, fault.Invalid)
	}
	if f.Version != FragmentVersion {
		return nil, fmt.Errorf("decode fragment: version %d, want %d: %w", f.Version, FragmentVersion, fault.Invalid)
	}
	return f, nil
}

// Digest returns the digest of the canonical bytes without holding them.
func (f *Fragment) Digest() (string, error) {
	h := sha256.New()
	const end = `"}` // the entries are the last member
	head := &withoutEnd{w: h, n: len(end)}
	short := *f
	short.Entries = Entries{}
	err := json.MarshalWrite(head, &short, json.Deterministic(true))
	if err == nil {
		err = f.Entries.encode(h)
	}
	if err != nil {
		return "", fmt.Errorf("digest of the fragment of %s: %w", f.DiffID, err)
	}
	h.Write(head.kept)
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// withoutEnd passes on all but the last n bytes, which it keeps.
type withoutEnd struct {
	w    io.Writer
	n    int
	kept []byte
}

func (w *withoutEnd) Write(p []byte) (int, error) {
	w.kept = append(w.kept, p...)
	over := len(w.kept) - w.n
	if over <= 0 {
		return len(p), nil
	}
	_, err := w.w.Write(w.kept[:over])
	w.kept = append(w.kept[:0], w.kept[over:]...)
	return len(p), err
}

// Digest returns the "sha256:…" digest of canonical fragment bytes.
func Digest(b []byte) string { return sum.Of(b) }
