package rpmdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/stella-ops/stella/internal/rpmdb/rpmdbtest"
)

type field = rpmdbtest.Field

func text(t tag, s string) field          { return rpmdbtest.Text(uint32(t), s) }
func texts(t tag, list ...string) field   { return rpmdbtest.Texts(uint32(t), list...) }
func numbers(t tag, list ...uint32) field { return rpmdbtest.Numbers(uint32(t), list...) }
func bytesOf(t tag, b []byte) field       { return rpmdbtest.Bytes(uint32(t), b) }

func buildHeader(fields []field, later ...field) []byte { return rpmdbtest.Header(fields, later...) }
func buildNDB(headers ...[]byte) []byte                 { return rpmdbtest.NDB(headers...) }

// sample returns a header with every tag that is read; n makes it its own and
// size pads it.
func sample(n, size int) []byte {
	return buildHeader([]field{
		text(tagName, fmt.Sprintf("lib%d", n)), text(tagVersion, "1.2"), text(tagRelease, "3.el9"), numbers(tagEpoch, uint32(n)),
		{Tag: uint32(tagSummary), Type: typeI18NString, Count: 1, Data: []byte("A library\x00")}, text(tagVendor, "Vendor"), text(tagLicense, "MIT"), text(tagURL, "https://example.com/"),
		text(tagArch, "x86_64"), text(tagSourceRPM, fmt.Sprintf("src%d-1.2-3.el9.src.rpm", n)),
		texts(tagProvideName, fmt.Sprintf("lib%d", n), fmt.Sprintf("lib%d.so", n)), texts(tagRequireName, "/bin/sh", "libc.so.6"),
		numbers(tagDirIndexes, 0, 1, 0), texts(tagBasenames, "b", "doc", "a"), texts(tagDirnames, "/usr/lib/", "/usr/share/"),
		text(tagModularityLabel, "m:1:2:c"), texts(9999, string(bytes.Repeat([]byte("x"), size))),
	}, bytesOf(tagSigMD5, bytes.Repeat([]byte{0xab}, 16)), bytesOf(tagRSAHeader, sampleSignature()))
}

// sampleSignature returns the start of a version 4 signature packet of the key
// 0102030405060708.
func sampleSignature() []byte {
	hashed := append([]byte{22, subIssuerFingerprint, 4}, bytes.Repeat([]byte{9}, 20)...)
	other := []byte{9, subIssuerKeyID, 1, 2, 3, 4, 5, 6, 7, 8}
	body := slices.Concat([]byte{4, 0, 1, 8, 0, byte(len(hashed))}, hashed, []byte{0, byte(len(other))}, other, []byte{0xaa, 0xbb})
	return append([]byte{0x89, 0, byte(len(body))}, body...)
}

// samples returns n headers of growing size: some fit any page, some none.
func samples(n int) [][]byte {
	var list [][]byte
	for i := range n {
		list = append(list, sample(i+1, i*i*97))
	}
	return list
}

// buildBerkeley writes a hash with three buckets. A small page makes buckets
// of several pages and values of many.
func buildBerkeley(order binary.ByteOrder, page int, blobs ...[]byte) []byte {
	pages := [][]byte{make([]byte, page)}
	add := func(kind byte) (n int, p []byte) {
		p = make([]byte, page)
		order.PutUint32(p[8:], uint32(len(pages)))
		p[25] = kind
		pages = append(pages, p)
		return len(pages) - 1, p
	}
	free := map[int]int{} // where the items of a hash page begin
	hash := func() int {
		n, _ := add(bdbPageHash)
		free[n] = page
		return n
	}
	const buckets = 3
	ends := make([]int, buckets)
	for i := range ends {
		ends[i] = hash()
	}
	item := func(n int, b []byte) {
		p, count := pages[n], int(order.Uint16(pages[n][20:]))
		free[n] -= len(b)
		copy(p[free[n]:], b)
		order.PutUint16(p[bdbPageHead+2*count:], uint16(free[n]))
		order.PutUint16(p[20:], uint16(count+1))
	}
	put := func(bucket int, number uint32, value []byte) {
		key := make([]byte, 5)
		key[0] = bdbItemInline
		order.PutUint32(key[1:], number)
		if n := ends[bucket]; free[n]-len(key)-len(value) < bdbPageHead+2*int(order.Uint16(pages[n][20:]))+4 {
			ends[bucket] = hash()
			order.PutUint32(pages[n][16:], uint32(ends[bucket]))
		}
		item(ends[bucket], key)
		item(ends[bucket], value)
	}
	put(0, 0, []byte{bdbItemInline, 0, 0, 0, byte(len(blobs))})
	for i, b := range blobs {
		value := append([]byte{bdbItemInline}, b...)
		if len(b) > page/4 {
			value = make([]byte, 12)
			value[0] = bdbItemOverflow
			order.PutUint32(value[4:], uint32(len(pages)))
			order.PutUint32(value[8:], uint32(len(b)))
			for len(b) > 0 {
				n, p := add(bdbPageOverflow)
				used := copy(p[bdbPageHead:], b)
				order.PutUint16(p[22:], uint16(used))
				if b = b[used:]; len(b) > 0 {
					order.PutUint32(p[16:], uint32(n+1))
				}
			}
		}
		put(i%buckets, uint32(i+1), value)
	}
	m := pages[0]
	for off, v := range map[int]uint32{12: bdbHashMagic, 16: 9, 20: uint32(page), 32: uint32(len(pages) - 1), 72: buckets - 1, 88: uint32(len(blobs) + 1)} {
		order.PutUint32(m[off:], v)
	}
	m[25] = bdbPageMeta
	for i := range bits.Len(buckets-1) + 1 {
		order.PutUint32(m[bdbSpares+4*i:], 1)
	}
	return slices.Concat(pages...)
}

// sqliteBuilder writes a table tree bottom up.
type sqliteBuilder struct {
	page, usable int
	pages        [][]byte
}

func (s *sqliteBuilder) add() (uint32, []byte) {
	s.pages = append(s.pages, make([]byte, s.page))
	return uint32(len(s.pages)), s.pages[len(s.pages)-1]
}

// cell returns the cell of a row, with what does not fit on further pages.
func (s *sqliteBuilder) cell(key uint64, record []byte) []byte {
	out := slices.Concat(putVarint(uint64(len(record))), putVarint(key))
	local, overflow := localSize(uint64(len(record)), s.usable)
	out = append(out, record[:local]...)
	if !overflow {
		return out
	}
	record = record[local:]
	n, p := s.add()
	out = binary.BigEndian.AppendUint32(out, n)
	for {
		record = record[copy(p[4:s.usable], record):]
		if len(record) == 0 {
			return out
		}
		next, q := s.add()
		binary.BigEndian.PutUint32(p, next)
		p = q
	}
}

// node writes a page of the tree from its cells; right is the last child.
func (s *sqliteBuilder) node(p []byte, head int, kind byte, right uint32, cells ...[]byte) {
	at, array := s.usable, head+8
	p[head] = kind
	if kind == treeInterior {
		binary.BigEndian.PutUint32(p[head+8:], right)
		array += 4
	}
	binary.BigEndian.PutUint16(p[head+3:], uint16(len(cells)))
	for i, c := range cells {
		at -= max(len(c), minCell)
		copy(p[at:], c)
		binary.BigEndian.PutUint16(p[array+2*i:], uint16(at))
	}
	binary.BigEndian.PutUint16(p[head+5:], uint16(at))
}

// buildSQLite writes a database with one table Packages: at most two rows a leaf, three
// children a page above.
func buildSQLite(page, reserved int, blobs ...[]byte) []byte {
	s := &sqliteBuilder{page: page, usable: page - reserved}
	_, first := s.add()
	_, root := s.add()
	var level []uint32
	var last uint32 // the page written last, which is the root in the end
	var cells [][]byte
	leaf := func() {
		n, p := s.add()
		s.node(p, 0, treeLeaf, 0, cells...)
		level, last, cells = append(level, n), n, nil
	}
	for i, b := range blobs {
		head := slices.Concat([]byte{0}, putVarint(uint64(12+2*len(b))))
		c := s.cell(uint64(i+1), slices.Concat([]byte{byte(len(head) + 1)}, head, b))
		if len(cells) == 2 || len(cells) == 1 && len(cells[0])+len(c)+12 > s.usable {
			leaf()
		}
		cells = append(cells, c)
	}
	leaf()
	for len(level) > 1 {
		var up []uint32
		for len(level) > 0 {
			k := min(3, len(level))
			var cells [][]byte
			for i, child := range level[:k-1] {
				cells = append(cells, append(binary.BigEndian.AppendUint32(nil, child), putVarint(uint64(i+1))...))
			}
			n, p := s.add()
			s.node(p, 0, treeInterior, level[k-1], cells...)
			up, last = append(up, n), n
			level = level[k:]
		}
		level = up
	}
	copy(root, s.pages[last-1])
	copy(first, sqliteMagic)
	binary.BigEndian.PutUint16(first[16:], uint16(page)) // 65536 becomes 0; see below
	if page == 64<<10 {
		binary.BigEndian.PutUint16(first[16:], 1)
	}
	first[18], first[19], first[20] = 2, 2, byte(reserved)
	binary.BigEndian.PutUint32(first[56:], sqliteUTF8)
	sql := "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)"
	record := slices.Concat([]byte{7, 23, 29, 29, 1, 0x81, byte(13 + 2*len(sql) - 128)}, []byte("tablePackagesPackages\x02"), []byte(sql))
	s.node(first, sqliteHeader, treeLeaf, 0, s.cell(1, record))
	return slices.Concat(s.pages...)
}

// putVarint is the inverse of varint for values below 2⁵⁶.
func putVarint(v uint64) []byte {
	out := []byte{byte(v & 0x7f)}
	for v >>= 7; v > 0; v >>= 7 {
		out = append([]byte{byte(v&0x7f) | 0x80}, out...)
	}
	return out
}
