package snapshot

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// head is the fixed part of a segment; the names of its ecosystems and the
// digests of its blocks follow.
type head struct {
	ecosystems uint32 // how many
	names      uint32 // bytes of their names
	directory  uint32 // bits
	keys       uint32
	postings   uint64 // bytes
	records    uint32
	texts      uint64 // bytes of the records
	blocks     uint32
	frames     uint32 // of long texts
	ids        uint32 // elements of the index of ids
}

func (h *head) size() int64 {
	return headSize + int64(h.names) + (int64(h.blocks)+int64(h.frames))*sha256.Size
}

// The places of the parts in the body.
func (h *head) keysAt() int64     { return (1<<h.directory + 1) * 4 }
func (h *head) postingsAt() int64 { return h.keysAt() + int64(h.keys)*keySize }
func (h *head) placesAt() int64   { return h.postingsAt() + int64(h.postings) }
func (h *head) textsAt() int64    { return h.placesAt() + (int64(h.records)+1)*4 }
func (h *head) idsAt() int64      { return h.textsAt() + int64(h.texts) }
func (h *head) startsAt() int64   { return h.idsAt() + int64(h.ids)*idSize }
func (h *head) bodySize() int64   { return h.startsAt() + int64(h.frames)*4 }

func (h *head) append(b []byte) []byte {
	start := len(b)
	b = append(b, segmentSign...)
	for _, n := range []uint32{h.ecosystems, h.names, h.directory, h.keys, h.records, h.blocks} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	b = binary.LittleEndian.AppendUint64(b, h.postings)
	b = binary.LittleEndian.AppendUint64(b, h.texts)
	b = binary.LittleEndian.AppendUint32(b, h.frames)
	b = binary.LittleEndian.AppendUint32(b, h.ids)
	return append(b, make([]byte, headSize-(len(b)-start))...)
}

// posting is the entries of one package in one ecosystem.
type posting struct {
	ecosystem, name string
	entries         []numbered
}

// numbered is an entry with the number of its record.
type numbered struct {
	record uint64
	text   []byte
}

// encode writes the segment and fills in what it holds.
func (g *group) encode(enc *zstd.Encoder) ([]byte, error) {
	names, postings := g.postings()
	postingText, keys, err := encodePostings(names, postings)
	if err != nil {
		return nil, g.limit(err)
	}
	h := head{ecosystems: uint32(len(names)), directory: directoryBits(len(keys)), keys: uint32(len(keys)), postings: uint64(len(postingText)), records: uint32(len(g.records))}
	places, texts, err := g.recordTexts(postings, keys)
	if err != nil {
		return nil, err
	}
	h.texts = uint64(len(texts))
	ids, err := g.ids()
	if err != nil {
		return nil, err
	}
	frames, err := g.frames(enc)
	if err != nil {
		return nil, err
	}
	h.ids, h.frames = uint32(len(ids)/idSize), uint32(len(frames.starts)/4)

	body := make([]byte, 0, h.bodySize())
	body = appendDirectory(body, keys, h.directory)
	for _, k := range keys {
		body = binary.LittleEndian.AppendUint64(body, k.hash)
		body = binary.LittleEndian.AppendUint32(body, k.at)
		body = binary.LittleEndian.AppendUint32(body, k.size)
	}
	body = append(append(append(body, postingText...), places...), texts...)
	body = append(append(body, ids...), frames.starts...)
	return g.seal(h, names, body, &frames), nil
}

// recordTexts writes the records: the numbers of the keys of their entries, and
// what appendRecord wrote.
func (g *group) recordTexts(postings []posting, keys []key) (places, texts []byte, err error) {
	of := make([][]uint32, len(g.records)) // keys of each record
	for n := range keys {
		last := ^uint64(0)
		for _, e := range postings[keys[n].posting].entries {
			if e.record != last {
				of[e.record] = append(of[e.record], uint32(n))
			}
			last = e.record
		}
	}
	places = make([]byte, 0, 4*(len(g.records)+1))
	size := 0
	for _, s := range g.records {
		size += len(s.record) + 2 + 4*len(s.entries)
	}
	texts = make([]byte, 0, size)
	for i, s := range g.records {
		places = binary.LittleEndian.AppendUint32(places, uint32(len(texts)))
		texts = binary.AppendUvarint(texts, uint64(len(of[i])))
		last := uint32(0)
		for _, n := range of[i] {
			texts = binary.AppendUvarint(texts, uint64(n-last))
			last = n
		}
		texts = append(texts, s.record...)
		if len(texts) > maxPart {
			return nil, nil, g.limit(&fault.LimitError{What: "bytes of records", Max: maxPart, Seen: int64(len(texts))})
		}
	}
	return binary.LittleEndian.AppendUint32(places, uint32(len(texts))), texts, nil
}

func (g *group) limit(err error) error {
	var l *fault.LimitError
	if errors.As(err, &l) {
		l.Where = g.Segment.name()
	}
	return err
}

// seal puts the head before a body and the long texts after it, and says so in
// the group.
func (g *group) seal(h head, names []string, body []byte, f *frames) []byte {
	var text []byte
	for _, name := range names {
		text = appendText(text, name)
	}
	h.names = uint32(len(text))
	h.blocks = uint32((len(body) + blockSize - 1) / blockSize)
	out := make([]byte, 0, h.size()+int64(len(body))+int64(len(f.area)))
	out = append(h.append(out), text...)
	out = append(appendSums(out, body), f.sums...)
	g.Digest = digestName(sha256.Sum256(out))
	out = append(out, body...)
	g.Size = int64(len(out))
	return append(out, f.area...)
}

// postings sorts the entries of the segment by ecosystem and name, and counts
// what it holds.
func (g *group) postings() (names []string, out []posting) {
	at := map[[2]string]int{}
	var last *stored
	for i, s := range g.records {
		g.Segment.Records++
		last = later(last, s)
		if s.withdrawn {
			g.Withdrawn++
		}
		for _, e := range s.entries {
			if baseName(e.ecosystem) != g.Ecosystem {
				continue
			}
			key := [2]string{e.ecosystem, e.name}
			j, ok := at[key]
			if !ok {
				j = len(out)
				at[key] = j
				out = append(out, posting{ecosystem: e.ecosystem, name: e.name})
			}
			out[j].entries = append(out[j].entries, numbered{uint64(i), e.text})
		}
	}
	g.Modified = last.written
	slices.SortFunc(out, func(a, b posting) int {
		return cmp.Or(strings.Compare(a.ecosystem, b.ecosystem), strings.Compare(a.name, b.name))
	})
	return g.count(out), out
}

// count fills in what the segment has about each release, and returns their
// names.
func (g *group) count(postings []posting) (names []string) {
	for i := 0; i < len(postings); {
		e := advisory.Ecosystem{Name: postings[i].ecosystem}
		seen := map[uint64]bool{}
		var last *stored
		for ; i < len(postings) && postings[i].ecosystem == e.Name; i++ {
			e.Packages++
			for _, n := range postings[i].entries {
				seen[n.record] = true
				last = later(last, g.records[n.record])
			}
		}
		e.Records, e.Modified = len(seen), last.written
		g.Ecosystems = append(g.Ecosystems, e)
		names = append(names, e.Name)
	}
	return names
}

// later returns the record that was modified last; a may be nil.
func later(a, b *stored) *stored {
	if a == nil {
		return b
	}
	if c := cmp.Or(a.modified.Compare(b.modified), strings.Compare(a.written, b.written)); c < 0 {
		return b
	}
	return a
}

// key finds a posting.
type key struct {
	hash     uint64
	at, size uint32
	posting  uint32 // its number, while a segment is made
}

func encodePostings(names []string, postings []posting) (text []byte, keys []key, err error) {
	keys = make([]key, 0, len(postings))
	for i, p := range postings {
		at := len(text)
		number, _ := slices.BinarySearch(names, p.ecosystem)
		text = binary.AppendUvarint(text, uint64(number))
		text = appendText(text, p.name)
		text = binary.AppendUvarint(text, uint64(len(p.entries)))
		for _, e := range p.entries {
			text = append(binary.AppendUvarint(text, e.record), e.text...)
		}
		if len(text) > maxPart {
			return nil, nil, &fault.LimitError{What: "bytes of entries", Max: maxPart}
		}
		keys = append(keys, key{hash(p.ecosystem, p.name), uint32(at), uint32(len(text) - at), uint32(i)})
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.at, b.at)) })
	for i := maxSameHash; i < len(keys); i++ {
		if keys[i].hash == keys[i-maxSameHash].hash {
			return nil, nil, &fault.LimitError{What: "package names with one hash", Max: maxSameHash}
		}
	}
	return text, keys, nil
}

// directoryBits gives about one key for each slot of the directory.
func directoryBits(keys int) uint32 {
	if keys < 2 {
		return 0
	}
	return uint32(min(bits.Len(uint(keys-1)), maxDirectory))
}

func appendDirectory(b []byte, keys []key, directory uint32) []byte {
	i := 0
	for slot := range uint64(1) << directory {
		for i < len(keys) && slotOf(keys[i].hash, directory) < slot {
			i++
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(i))
	}
	return binary.LittleEndian.AppendUint32(b, uint32(len(keys)))
}

// slotOf returns the first bits of a hash.
func slotOf(hash uint64, directory uint32) uint64 { return hash >> 1 >> (63 - directory) }

// counter writes, counts, and keeps the first error.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counter) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(b)
	c.n, c.err = c.n+int64(n), err
	return n, err
}

// finish writes the manifest and the footer.
func (c *counter) finish(manifest []byte) {
	sum := sha256.Sum256(manifest)
	at := c.n
	c.Write(manifest)
	footer := binary.LittleEndian.AppendUint64(nil, uint64(at))
	footer = binary.LittleEndian.AppendUint64(footer, uint64(len(manifest)))
	footer = append(footer, sum[:]...)
	c.Write(append(footer, magic...))
}
