package kit

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// formatNow is the format that is written and read.
const formatNow = 1

// head is kit.json, its members in canonical order.
type head struct {
	Base   int64      `json:"base"`
	Files  []headFile `json:"files"`
	Format int64      `json:"format"`
}

type headFile struct {
	Digest string `json:"digest"`
	Length int64  `json:"length"`
	Name   string `json:"name"`
}

func (f headFile) member() member { return member{name: f.Name, size: f.Length, digest: f.Digest} }

func newHead(files []role.NamedFile, base int64) ([]byte, error) {
	h := head{Base: base, Format: formatNow}
	for _, f := range files {
		h.Files = append(h.Files, headFile{Digest: sum.Of(f.Data), Length: int64(len(f.Data)), Name: f.Name})
	}
	return h.encode()
}

func (h *head) encode() ([]byte, error) {
	text, err := json.Marshal(h)
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err == nil && len(text) > MaxHead {
		err = &fault.LimitError{What: "bytes", Where: headName, Max: MaxHead, Seen: int64(len(text))}
	}
	return text, err
}

// decodeHead reads kit.json and accepts nothing but what encode writes.
func decodeHead(text []byte) (*head, error) {
	var f struct {
		Format *int64 `json:"format"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, &role.Error{Reason: role.ReasonMalformed, File: headName, Err: err}
	}
	if f.Format == nil || *f.Format != formatNow {
		return nil, refuse(role.ReasonFormat, headName, "this program knows %d", formatNow)
	}
	h := new(head)
	if err := json.Unmarshal(text, h, json.RejectUnknownMembers(true)); err != nil {
		return nil, &role.Error{Reason: role.ReasonMalformed, File: headName, Err: err}
	}
	if again, err := h.encode(); err != nil || !bytes.Equal(again, text) {
		return nil, refuse(role.ReasonMalformed, headName, "not canonical")
	}
	return h, h.check()
}

// check holds names and lengths to what the format has.
func (h *head) check() error {
	const others = 3 // timestamp, snapshot, targets
	if h.Base < 0 || h.Base > role.MaxVersion {
		return refuse(role.ReasonMalformed, headName, "base %d", h.Base)
	}
	roots := len(h.Files) - others
	if roots < 1 || roots > role.MaxRotations {
		return refuse(role.ReasonMalformed, headName, "%d files of metadata, want 1 to %d roots and %d more", len(h.Files), role.MaxRotations, others)
	}
	before, left := int64(0), int64(MaxRoots)
	for i, f := range h.Files {
		r, limit := role.RoleRoot, int64(role.MaxRootFile)
		switch i - roots {
		case 0:
			r, limit = role.RoleTimestamp, role.MaxTimestampFile
		case 1:
			r, limit = role.RoleSnapshot, role.MaxSnapshotFile
		case 2:
			r, limit = role.RoleTargets, role.MaxTargetsFile
		}
		if r == role.RoleRoot {
			limit = min(limit, left)
			left -= f.Length
		}
		version := versionOf(f.Name)
		if f.Name != role.File(r, version) || r != role.RoleTimestamp && version < 1 || r == role.RoleRoot && i > 0 && version != before+1 {
			return refuse(role.ReasonMalformed, headName, "file %d is %.80q: want the roots in their order, and a timestamp, a snapshot and targets", i+1, f.Name)
		}
		before = version
		if f.Length < 1 || f.Length > limit {
			return &role.Error{Reason: role.ReasonEndless, File: headName, Err: &fault.LimitError{What: "bytes", Where: f.Name, Max: limit, Seen: f.Length}}
		}
		if !sum.Is(f.Digest) {
			return refuse(role.ReasonMalformed, headName, "%s: digest %.80q", f.Name, f.Digest)
		}
	}
	return nil
}

// versionOf returns the number that a file's name begins with, or 0.
func versionOf(name string) int64 {
	digits, _, _ := strings.Cut(name, ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
