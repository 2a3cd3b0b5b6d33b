package rpmdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// Bounds of a header that rpm itself sets (lib/header.c).
const (
	maxTags = 0xffff
	maxData = 0x0fffffff
)

// The types of header data, by rpm's numbers.
const (
	typeChar        = 1
	typeInt8        = 2
	typeInt16       = 3
	typeInt32       = 4
	typeInt64       = 5
	typeString      = 6
	typeBinary      = 7
	typeStringArray = 8
	typeI18NString  = 9
)

// typeSizes are the bytes of one element, which is also how it is aligned; 0
// for text.
var typeSizes = [...]int64{typeChar: 1, typeInt8: 1, typeInt16: 2, typeInt32: 4, typeInt64: 8, typeString: 0, typeBinary: 1, typeStringArray: 0, typeI18NString: 0}

// tag is the number of a header tag (include/rpm/rpmtag.h).
type tag uint32

const (
	tagSigPGP          tag = 259
	tagSigMD5          tag = 261
	tagSigGPG          tag = 262
	tagDSAHeader       tag = 267
	tagRSAHeader       tag = 268
	tagOpenPGP         tag = 278
	tagName            tag = 1000
	tagVersion         tag = 1001
	tagRelease         tag = 1002
	tagEpoch           tag = 1003
	tagSummary         tag = 1004
	tagVendor          tag = 1011
	tagLicense         tag = 1014
	tagURL             tag = 1020
	tagArch            tag = 1022
	tagOldFilenames    tag = 1027
	tagSourceRPM       tag = 1044
	tagProvideName     tag = 1047
	tagRequireName     tag = 1049
	tagDirIndexes      tag = 1116
	tagBasenames       tag = 1117
	tagDirnames        tag = 1118
	tagModularityLabel tag = 5096
)

var wanted = [...]tag{
	tagSigPGP, tagSigMD5, tagSigGPG, tagDSAHeader, tagRSAHeader, tagOpenPGP, tagName, tagVersion, tagRelease, tagEpoch, tagSummary,
	tagVendor, tagLicense, tagURL, tagArch, tagOldFilenames, tagSourceRPM, tagProvideName, tagRequireName, tagDirIndexes,
	tagBasenames, tagDirnames, tagModularityLabel,
}

// entry is one line of a header's index.
type entry struct {
	tag           tag
	kind          uint32
	offset, count int64
}

// header is the index of one header blob, reduced to the wanted tags, over its
// data.
//
//	blob:  index length (4) | data length (4) | index | data    (big-endian)
//	index: tag (4) | type (4) | offset into data (4) | count (4), each
type header struct {
	entries [len(wanted)]entry // by position in wanted; kind 0 where absent
	data    []byte
	limits  Limits
}

// parseHeader reads the index of blob and checks every line of it. A tag that
// comes twice has its last value: rpm appends what it adds to a signed header
// behind it.
func parseHeader(blob []byte, limits Limits) (*header, error) {
	if len(blob) < 8 {
		return nil, fmt.Errorf("header of %d bytes: %w", len(blob), fault.Invalid)
	}
	tags, size := int64(binary.BigEndian.Uint32(blob)), int64(binary.BigEndian.Uint32(blob[4:]))
	if tags < 1 || tags > maxTags || size > maxData || 8+16*tags+size != int64(len(blob)) {
		return nil, fmt.Errorf("header of %d tags and %d bytes of data in a record of %d bytes: %w", tags, size, len(blob), fault.Invalid)
	}
	h := &header{data: blob[8+16*tags:], limits: limits}
	for i := range tags {
		b := blob[8+16*i:]
		e := entry{
			tag: tag(binary.BigEndian.Uint32(b)), kind: binary.BigEndian.Uint32(b[4:]),
			offset: int64(int32(binary.BigEndian.Uint32(b[8:]))), count: int64(binary.BigEndian.Uint32(b[12:])),
		}
		if err := e.check(size); err != nil {
			return nil, err
		}
		if at := position(e.tag); at >= 0 {
			h.entries[at] = e
		}
	}
	return h, nil
}

// check reports whether the entry's data can lie within size bytes.
func (e entry) check(size int64) error {
	ok := e.kind >= typeChar && e.kind <= typeI18NString && e.count > 0 && e.offset >= 0 && e.offset < size
	if ok {
		// Text takes at least the byte that ends it.
		each := max(typeSizes[e.kind], 1)
		ok = e.count <= (size-e.offset)/each && e.offset%each == 0
	}
	if !ok {
		return fmt.Errorf("tag %d: type %d, offset %d, count %d in %d bytes of data: %w", e.tag, e.kind, e.offset, e.count, size, fault.Invalid)
	}
	return nil
}

// position returns the index of t in wanted, or -1.
func position(t tag) int {
	for i, w := range wanted {
		if w == t {
			return i
		}
	}
	return -1
}

// find returns the entry of t, which must be of one of the types; ok is false
// where the header has none.
func (h *header) find(t tag, kinds ...uint32) (e entry, ok bool, err error) {
	e = h.entries[position(t)]
	if e.kind == 0 {
		return e, false, nil
	}
	for _, k := range kinds {
		if e.kind == k {
			return e, true, nil
		}
	}
	return e, false, fmt.Errorf("tag %d: type %d, not %d: %w", t, e.kind, kinds[0], fault.Invalid)
}

// text returns the first string of t, or "" where there is none or where it is
// rpm's word for that.
func (h *header) text(t tag) (string, error) {
	e, ok, err := h.find(t, typeString, typeI18NString, typeStringArray)
	if !ok || err != nil {
		return "", err
	}
	b := h.data[e.offset:]
	end := bytes.IndexByte(b[:min(int64(len(b)), h.limits.TextBytes+1)], 0)
	switch {
	case end < 0 && int64(len(b)) > h.limits.TextBytes:
		return "", &fault.LimitError{What: "bytes of one text", Where: fmt.Sprintf("tag %d", t), Max: h.limits.TextBytes}
	case end < 0:
		return "", fmt.Errorf("tag %d: text does not end: %w", t, fault.Invalid)
	case string(b[:end]) == "(none)":
		return "", nil
	}
	return valid(string(b[:end])), nil
}

// list returns the strings of t as views of one copy.
func (h *header) list(t tag) ([]string, error) {
	b, n, err := h.rawList(t)
	if n == 0 || err != nil {
		return nil, err
	}
	return split(string(b), n), nil
}

// split cuts n strings, each ended by a zero byte, out of s.
func split(s string, n int64) []string {
	s = valid(s)
	out := make([]string, n)
	for i := range out {
		end := strings.IndexByte(s, 0)
		out[i], s = s[:end], s[end+1:]
	}
	return out
}

// rawList returns the bytes of the n strings of t, each ended by a zero byte.
func (h *header) rawList(t tag) (b []byte, n int64, err error) {
	e, ok, err := h.find(t, typeStringArray, typeString)
	if !ok || err != nil {
		return nil, 0, err
	}
	if e.count > h.limits.Items {
		return nil, 0, &fault.LimitError{What: "elements of a list", Where: fmt.Sprintf("tag %d", t), Max: h.limits.Items, Seen: e.count}
	}
	b = h.data[e.offset:]
	end := 0
	for i := range e.count {
		k := bytes.IndexByte(b[end:], 0)
		if k < 0 {
			return nil, 0, fmt.Errorf("tag %d: %d of %d texts: %w", t, i, e.count, fault.Invalid)
		}
		end += k + 1
	}
	return b[:end], e.count, nil
}

// binary returns the bytes of t.
func (h *header) binary(t tag) ([]byte, error) {
	e, ok, err := h.find(t, typeBinary)
	if !ok || err != nil {
		return nil, err
	}
	return h.data[e.offset : e.offset+e.count], nil
}

// numbers returns the bytes of the 32-bit integers of t.
func (h *header) numbers(t tag) ([]byte, error) {
	e, ok, err := h.find(t, typeInt32)
	if !ok || err != nil {
		return nil, err
	}
	return h.data[e.offset : e.offset+4*e.count], nil
}

// valid replaces what is not UTF-8, as in the Latin-1 texts of old packages, so
// that every encoding of the result says the same.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
