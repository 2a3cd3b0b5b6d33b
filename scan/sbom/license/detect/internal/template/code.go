package template

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// The format is DEFLATE (RFC 1951) over: a list of word hashes, and templates.
// Numbers are unsigned varints, texts have their length in front. The body of a
// template is a list of codes; words that stood before in any template are
// copied from there, so that the many variants of one licence cost little.
const (
	opEnd  = iota // of the template
	opGap         // then the number of words
	opOpen        // an omittable text begins
	opShut        // it ends
	opCopy        // then how many words back, then how many words
	opWord        // and above: the index of the word
)

// minCopy is the least number of words that a copy is worth.
const minCopy = 4

// Encode returns the embedded form of templates. The result depends on them
// alone.
func Encode(templates []Template) ([]byte, error) {
	e := encoder{index: map[uint32]int{}, places: map[[minCopy]uint32][]int{}}
	words := e.rank(templates)
	e.number(len(words))
	for _, w := range words {
		e.out = binary.LittleEndian.AppendUint32(e.out, w)
	}
	e.number(len(templates))
	for i := range templates {
		t := &templates[i]
		e.text(t.ID)
		e.text(strings.Join(t.Also, " "))
		e.number(int(t.Kind))
		e.body(t)
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(e.out); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

type encoder struct {
	out    []byte
	index  map[uint32]int
	past   []uint32
	places map[[minCopy]uint32][]int // where in past these words are
}

// rank returns all words, the most frequent first.
func (e *encoder) rank(templates []Template) []uint32 {
	count := map[uint32]int{}
	var list []uint32
	for _, t := range templates {
		for _, w := range t.Words {
			if count[w] == 0 {
				list = append(list, w)
			}
			count[w]++
		}
	}
	slices.SortFunc(list, func(a, b uint32) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	for i, w := range list {
		e.index[w] = i
	}
	return list
}

func (e *encoder) number(n int) { e.out = binary.AppendUvarint(e.out, uint64(n)) }

func (e *encoder) text(s string) {
	e.number(len(s))
	e.out = append(e.out, s...)
}

func (e *encoder) body(t *Template) {
	var open []int32 // the ends of the omittable texts that are open
	for i := 0; i <= len(t.Words); {
		for len(open) > 0 && int(open[len(open)-1]) == i {
			e.number(opShut)
			open = open[:len(open)-1]
		}
		if i < len(t.Words) && t.Skip[i] != 0 && (len(open) == 0 || t.Skip[i] != open[len(open)-1]) {
			e.number(opOpen)
			open = append(open, t.Skip[i])
		}
		if t.Gaps[i] > 0 {
			e.number(opGap)
			e.number(int(t.Gaps[i]))
		}
		if i == len(t.Words) {
			break
		}
		i += e.run(t.Words[i : i+plain(t, i)])
	}
	e.number(opEnd)
}

// plain returns how many words from i on have nothing between them.
func plain(t *Template, i int) int {
	n := 1
	for i+n < len(t.Words) && t.Gaps[i+n] == 0 && t.Skip[i+n] == t.Skip[i] {
		n++
	}
	return n
}

// run writes one word, or a copy of several, and returns how many.
func (e *encoder) run(words []uint32) int {
	best, from := 0, 0
	if len(words) >= minCopy {
		for _, at := range e.places[[minCopy]uint32(words)] {
			n := minCopy
			for n < len(words) && at+n < len(e.past) && e.past[at+n] == words[n] {
				n++
			}
			if n >= best {
				best, from = n, at
			}
		}
	}
	if best == 0 {
		e.number(opWord + e.index[words[0]])
		e.remember(words[:1])
		return 1
	}
	e.number(opCopy)
	e.number(len(e.past) - from)
	e.number(best)
	e.remember(words[:best])
	return best
}

func (e *encoder) remember(words []uint32) {
	for _, w := range words {
		e.past = append(e.past, w)
		if at := len(e.past) - minCopy; at >= 0 {
			key := [minCopy]uint32(e.past[at:])
			e.places[key] = append(e.places[key], at)
		}
	}
}

// maxDecoded bounds the decompressed form, in bytes, and maxWords the words of
// all templates.
const (
	maxDecoded = 16 << 20
	maxWords   = 4 << 20
)

// Decode reads what Encode wrote. Errors are fault.Invalid.
func Decode(data []byte) ([]Template, error) {
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxDecoded+1))
	if err != nil {
		return nil, fmt.Errorf("decompress licence templates: %w: %w", err, fault.Invalid)
	}
	d := decoder{in: raw, past: make([]uint32, 0, 1<<20)} // room for all of the list
	for range d.number(len(raw) / 4) {
		if len(d.in) < 4 {
			d.fail()
			break
		}
		d.words = append(d.words, binary.LittleEndian.Uint32(d.in))
		d.in = d.in[4:]
	}
	var out []Template
	for range d.number(len(d.in)) {
		t := Template{ID: d.text(), Also: strings.Fields(d.text()), Kind: Kind(d.number(int(Header)))}
		d.body(&t)
		out = append(out, t)
	}
	if d.bad || len(raw) > maxDecoded || len(d.in) > 0 {
		return nil, fmt.Errorf("decode licence templates: %w", fault.Invalid)
	}
	return out, nil
}

type decoder struct {
	in    []byte
	words []uint32
	past  []uint32 // of all templates
	gaps  []uint16 // of the template before, reused
	skip  []int32
	bad   bool
}

func (d *decoder) fail() { d.bad, d.in = true, nil }

// number reads a number that is at most max.
func (d *decoder) number(max int) int {
	v, n := binary.Uvarint(d.in)
	if n <= 0 || v > uint64(max) {
		d.fail()
		return 0
	}
	d.in = d.in[n:]
	return int(v)
}

func (d *decoder) text() string {
	n := d.number(len(d.in))
	if n > len(d.in) { // the number itself was read since
		d.fail()
		return ""
	}
	s := string(d.in[:n])
	d.in = d.in[n:]
	return s
}

func (d *decoder) body(t *Template) {
	var open []int
	start := len(d.past)
	gaps, skip := append(d.gaps[:0], 0), d.skip[:0]
	for {
		here := len(d.past) - start
		switch op := d.number(opWord + len(d.words) - 1); op {
		case opGap:
			gaps[here] = uint16(d.number(1 << 12))
		case opOpen:
			open = append(open, here)
		case opShut:
			if len(open) == 0 {
				d.fail()
				break
			}
			for i := open[len(open)-1]; i < here; i++ {
				if skip[i] == 0 {
					skip[i] = int32(here)
				}
			}
			open = open[:len(open)-1]
		case opCopy:
			back := d.number(len(d.past))
			n := d.number(maxWords - len(d.past))
			if back == 0 && n > 0 {
				d.fail()
				n = 0
			}
			for n > 0 { // what is copied may be what the copy makes
				at := len(d.past) - back
				k := min(n, back)
				d.past = append(d.past, d.past[at:at+k]...)
				n -= k
			}
		case opEnd:
			t.Words, t.Gaps, t.Skip = slices.Clone(d.past[start:]), slices.Clone(gaps), slices.Clone(skip)
			d.gaps, d.skip = gaps, skip
			t.Count()
			return
		default:
			d.past = append(d.past, d.words[op-opWord])
		}
		n := len(d.past) - start
		gaps = append(gaps, make([]uint16, n+1-len(gaps))...)
		skip = append(skip, make([]int32, n-len(skip))...)
	}
}
