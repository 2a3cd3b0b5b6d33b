package inflate

import "math/bits"

// The widths of tables, in bits of code, and their sizes with what is below them: the most
// that any code of 288 and 32 symbols with 15 bits needs (zlib's enough.c).
const (
	litBits  = 11
	distBits = 8
	litSize  = 2342
	distSize = 402
	maxBits  = 15
)

// An entry of a table is what the next bits stand for:
//
//	bits 0–5    how many bits they are, with extra bits
//	special     31; 30 no symbol, 29 end of the block, 28 a table below: 16–27 where, 8–11 its width
//	literal     30; 8–15 the byte, 24–27 the bits of its code; 29 a pair: 16–23 another byte
//	length      16–24 the least one; 8–11 the bits of the code, after which come the extra ones
//	distance    16–30 the least one; 8–11 as above
const (
	bitsMask   = 0x3f
	isSpecial  = 1 << 31
	isNone     = 1 << 30
	isEnd      = 1 << 29
	isBelow    = 1 << 28
	isLiteral  = 1 << 30
	isPair     = 1 << 29
	firstShift = 24
)

// codes are the two codes of a block.
type codes struct {
	lit  [litSize]uint32
	dist [distSize]uint32
	was  bool // they are the fixed ones
	lens [288 + 32]uint8
}

// symbols of lengths and distances: entries without the bits of the code, which has their
// extra bits in bits 0–5.
var (
	litSymbols  = makeLit()
	distSymbols = makeDist()
	cutSymbols  = makeCut()
)

func makeLit() (out [288]uint32) {
	for i := range 256 {
		out[i] = isLiteral | uint32(i)<<8
	}
	out[256] = isSpecial | isEnd
	base := uint32(3)
	for i := 257; i < 285; i++ {
		extra := uint32(max(0, (i-261)/4))
		out[i] = base<<16 | extra
		base += 1 << extra
	}
	out[285] = 258 << 16
	out[286], out[287] = isSpecial|isNone, isSpecial|isNone
	return out
}

func makeDist() (out [32]uint32) {
	base := uint32(1)
	for i := range 30 {
		extra := uint32(max(0, i/2-1))
		out[i] = base<<16 | extra
		base += 1 << extra
	}
	out[30], out[31] = isSpecial|isNone, isSpecial|isNone
	return out
}

// makeCut makes the symbols of the code for lengths of codes: bits 16–24 are the symbol.
func makeCut() (out [19]uint32) {
	for i := range out {
		out[i] = uint32(i) << 16
	}
	return out
}

// entryOf puts the bits of a code into a symbol's entry.
func entryOf(symbol, length uint32, literals bool) uint32 {
	switch {
	case symbol&isSpecial != 0:
		return symbol | length
	case literals && symbol&isLiteral != 0:
		return symbol | length<<firstShift | length
	}
	return symbol + length | length<<8
}

// build makes the table of a canonical code (RFC 1951, 3.2.2) from the lengths of the codes
// of symbols. As in compress/flate a code may be of no symbol or of a single one of one bit;
// any other must use all of its space.
func build(table []uint32, width uint, lens []uint8, symbols []uint32, literals bool) bool {
	var count, next [maxBits + 2]uint32
	longest := uint(0)
	for _, n := range lens {
		count[n]++
		longest = max(longest, uint(n))
	}
	count[0] = 0
	code := uint32(0)
	for n := uint(1); n <= longest; n++ {
		code = (code + count[n-1]) << 1
		next[n] = code
	}
	code += count[longest]
	complete := longest > 0 && code == 1<<longest
	if !complete {
		if longest > 0 && !(code == 1 && longest == 1) {
			return false
		}
		for i := range 1 << width {
			table[i] = isSpecial | isNone
		}
	}
	end := uint32(1) << width // of what is used of table
	var below [1 << litBits]uint8
	if longest > width {
		deepest(&below, lens, next, width)
	}
	for symbol, n := range lens {
		if n == 0 {
			continue
		}
		at := uint32(bits.Reverse16(uint16(next[n]))) >> (16 - n)
		next[n]++
		if uint(n) <= width {
			e := entryOf(symbols[symbol], uint32(n), literals)
			for i := at; i < 1<<width; i += 1 << n {
				table[i] = e
			}
			continue
		}
		prefix := at & (1<<width - 1)
		deep := uint32(below[prefix])
		if deep&0x80 == 0 { // its table has no place yet
			table[prefix] = isSpecial | isBelow | end<<16 | deep<<8 | uint32(width)
			end += 1 << deep
			below[prefix] |= 0x80
		}
		deep &= 0x7f
		start, e := table[prefix]>>16&0xfff, entryOf(symbols[symbol], uint32(n)-uint32(width), literals)
		for i := at >> width; i < 1<<deep; i += 1 << (uint(n) - width) {
			table[start+i] = e
		}
	}
	return true
}

// deepest finds how many bits the longest code with each prefix has after it.
func deepest(below *[1 << litBits]uint8, lens []uint8, next [maxBits + 2]uint32, width uint) {
	for _, n := range lens {
		if n == 0 {
			continue
		}
		code := next[n]
		next[n]++
		if uint(n) > width {
			prefix := bits.Reverse16(uint16(code)) >> (16 - n) & (1<<width - 1)
			below[prefix] = max(below[prefix], n-uint8(width))
		}
	}
}

// pairs makes entries of two literals where both fit into the table's width.
func (c *codes) pairs() {
	for i := uint32(1<<litBits - 1); i < 1<<litBits; i-- { // what is looked up has not been changed yet
		e := c.lit[i]
		if e&(isSpecial|isLiteral) != isLiteral {
			continue
		}
		n := e & bitsMask
		second := c.lit[i>>n]
		if second&(isSpecial|isLiteral) != isLiteral {
			continue
		}
		if m := second >> firstShift & 0xf; n+m <= litBits {
			c.lit[i] = isLiteral | isPair | n<<firstShift | second&0xff00<<8 | e&0xff00 | (n + m)
		}
	}
}

// fixed makes the codes of RFC 1951, 3.2.6.
func (c *codes) fixed() {
	if c.was {
		return
	}
	for i := range 288 {
		switch {
		case i < 144:
			c.lens[i] = 8
		case i < 256:
			c.lens[i] = 9
		case i < 280:
			c.lens[i] = 7
		default:
			c.lens[i] = 8
		}
	}
	build(c.lit[:], litBits, c.lens[:288], litSymbols[:], true)
	c.pairs()
	for i := range 32 {
		c.lens[i] = 5
	}
	build(c.dist[:], distBits, c.lens[:32], distSymbols[:], false)
	c.was = true
}

// order is that of the lengths of the code for lengths.
var order = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the codes of a block (RFC 1951, 3.2.7).
func (r *Reader) dynamic() error {
	if err := r.need(14); err != nil {
		return err
	}
	c := &r.codes
	c.was = false
	lits, dists, cuts := 257+int(r.take(5)), 1+int(r.take(5)), 4+int(r.take(4))
	if lits > 286 || dists > 30 {
		return r.corrupt("more symbols than there are")
	}
	var cut [19]uint8
	for i := range cuts {
		if err := r.need(3); err != nil {
			return err
		}
		cut[order[i]] = uint8(r.take(3))
	}
	var table [1 << 7]uint32
	if !build(table[:], 7, cut[:], cutSymbols[:], false) {
		return r.corrupt("a code for lengths that is none")
	}
	lens := c.lens[:lits+dists]
	for i := 0; i < len(lens); {
		e, err := r.lookup(table[:], 7, false)
		if err != nil {
			return err
		}
		if e&isSpecial != 0 {
			return r.corrupt("a code of no length")
		}
		r.take(uint(e & bitsMask))
		symbol := e >> 16 & 0x1f
		if symbol < 16 {
			lens[i] = uint8(symbol)
			i++
			continue
		}
		if i, err = r.repeat(lens, i, symbol); err != nil {
			return err
		}
	}
	if !build(c.lit[:], litBits, lens[:lits], litSymbols[:], true) || !build(c.dist[:], distBits, lens[lits:], distSymbols[:], false) {
		return r.corrupt("a code that is none")
	}
	c.pairs()
	return nil
}

// repeat writes a length, or none, several times from i on, and returns where it ended.
func (r *Reader) repeat(lens []uint8, i int, symbol uint32) (int, error) {
	value, least, extra := uint8(0), 3, uint(3)
	switch symbol {
	case 16:
		if i == 0 {
			return 0, r.corrupt("the length before the first")
		}
		value, extra = lens[i-1], 2
	case 18:
		least, extra = 11, 7
	}
	if err := r.need(extra); err != nil {
		return 0, err
	}
	n := least + int(r.take(extra))
	if i+n > len(lens) {
		return 0, r.corrupt("more lengths than symbols")
	}
	for range n {
		lens[i] = value
		i++
	}
	return i, nil
}
