package role

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

const nameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+"

// Target is one file of a release.
type Target struct {
	// Name is slash-separated, of letters, digits and "-_.+", and no element is
	// "." or "..": it is good as a path and as a key.
	Name   string
	Length int64  // bytes
	Digest string // "sha256:" and 64 hexadecimal digits
	// Custom is canonical JSON that the publisher says about the file, or nil.
	Custom []byte
}

// Describe reads content and returns it as a target. custom is JSON, or nil.
func Describe(name string, content io.Reader, custom []byte) (Target, error) {
	h := sha256.New()
	n, err := io.Copy(h, content)
	if err != nil {
		return Target{}, fmt.Errorf("read target %s: %w", name, err)
	}
	t := Target{Name: name, Length: n, Digest: digestPrefix + hex.EncodeToString(h.Sum(nil)), Custom: custom}
	w, err := t.wire()
	if err != nil {
		return Target{}, err
	}
	t.Custom = w.Custom
	return t, nil
}

// File returns the name under which a source has the content.
func (t Target) File() string { return strings.Replace(t.Digest, ":", "/", 1) }

// Copy reads the content from a source and writes it to w. Never more than
// Length bytes are written. They are the target's only if there is no error:
// write to a place from which they can be removed.
func (t Target) Copy(ctx context.Context, w io.Writer, src Source) error {
	if err := checkDigest(t.Digest); err != nil {
		return inFile(t.Name, err)
	}
	name := t.File()
	r, err := open(ctx, src, name)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	content := &failing{r: r}
	n, err := io.Copy(io.MultiWriter(h, w), io.LimitReader(content, t.Length))
	switch {
	case content.err != nil:
		return readError(name, content.err)
	case err != nil:
		return fmt.Errorf("write target %s: %w", t.Name, err)
	case n < t.Length:
		return &Error{Reason: ReasonTruncated, File: name, Detail: fmt.Sprintf("target %s: %d bytes of %d", t.Name, n, t.Length)}
	}
	if more, err := io.CopyN(io.Discard, r, 1); more > 0 {
		return &Error{Reason: ReasonEndless, File: name, Detail: fmt.Sprintf("target %s: more than %d bytes", t.Name, t.Length)}
	} else if err != io.EOF {
		return readError(name, err)
	}
	if got := digestPrefix + hex.EncodeToString(h.Sum(nil)); got != t.Digest {
		return &Error{Reason: ReasonContent, File: name, Detail: fmt.Sprintf("target %s: content is %s", t.Name, got)}
	}
	return nil
}

// Read returns the content, of at most limit bytes, from a source.
func (t Target) Read(ctx context.Context, src Source, limit int64) ([]byte, error) {
	if t.Length > limit {
		return nil, &fault.LimitError{What: "bytes of a target", Where: t.Name, Max: limit, Seen: t.Length}
	}
	var b bytes.Buffer
	if err := t.Copy(ctx, &b, src); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// failing keeps the error of reading apart from that of writing.
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

// targets is what a release is.
type targets struct {
	//lint:ignore SA5008 an option of encoding/json/v2
	header  `json:",embed"`
	Targets map[string]*wireTarget `json:"targets"`
}

type wireTarget struct {
	Custom jsontext.Value `json:"custom,omitzero"`
	Digest string         `json:"digest"`
	Length int64          `json:"length"`
}

func (t *targets) check() error {
	if err := t.checkHeader(); err != nil {
		return err
	}
	if t.Targets == nil {
		return malformed("no targets")
	}
	if len(t.Targets) > MaxTargets {
		return &Error{Reason: ReasonMalformed, Err: &fault.LimitError{What: "targets", Where: "release", Max: MaxTargets, Seen: int64(len(t.Targets))}}
	}
	for name, w := range t.Targets {
		if w == nil {
			return malformed("target %q is null", name)
		}
		if err := w.check(name); err != nil {
			return err
		}
	}
	return nil
}

func (w *wireTarget) check(name string) error {
	if !goodName(name) {
		return malformed("target %q: want at most %d bytes: elements of letters, digits and - _ . + joined by single slashes, none of them . or ..", name, MaxName)
	}
	if w.Length < 0 || w.Length > MaxVersion {
		return malformed("target %s: %d bytes", name, w.Length)
	}
	if len(w.Custom) > MaxCustom {
		return malformed("target %s: %d bytes of custom JSON: the limit is %d", name, len(w.Custom), MaxCustom)
	}
	return checkDigest(w.Digest)
}

func goodName(name string) bool {
	if len(name) > MaxName {
		return false
	}
	for element := range strings.SplitSeq(name, "/") {
		if element == "" || element == "." || element == ".." || !only(element, nameChars) {
			return false
		}
	}
	return true
}

// only reports whether s has no characters but those.
func only(s, chars string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(chars, r) })
}

// wire checks a target that a publisher made.
func (t Target) wire() (*wireTarget, error) {
	custom, err := canonicalCustom(t.Custom)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", t.Name, err)
	}
	w := &wireTarget{Custom: custom, Digest: t.Digest, Length: t.Length}
	if err := w.check(t.Name); err != nil {
		return nil, inFile("targets", err)
	}
	return w, nil
}
