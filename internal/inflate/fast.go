package inflate

import "encoding/binary"

// margin is how much input a step of the fast loop may look at.
const margin = 16

// fast decodes symbols while there are input and room for a step.
func (r *Reader) fast() error {
	var (
		in, out     = r.in[:r.n], r.out[:outSize]
		ip, op      = r.ip, r.op
		bits, nbits = r.bits, r.nbits
		lit, dist   = &r.codes.lit, &r.codes.dist
		base        = r.base
		wrong       string
	)
loop:
	for op < outLimit && ip <= len(in)-margin {
		bits |= binary.LittleEndian.Uint64(in[ip:]) << (nbits & 63)
		ip += int((63 - nbits) >> 3)
		nbits |= 56
		// Three codes of the table's width and one of a length fit into 56 bits.
		e := lit[bits&(1<<litBits-1)]
		if e&(isSpecial|isLiteral) == isLiteral {
			bits >>= e & bitsMask
			nbits -= uint(e & bitsMask)
			binary.LittleEndian.PutUint16(out[op:], uint16(e>>8))
			op += 1 + int(e>>29&1)
			e = lit[bits&(1<<litBits-1)]
			if e&(isSpecial|isLiteral) == isLiteral {
				bits >>= e & bitsMask
				nbits -= uint(e & bitsMask)
				binary.LittleEndian.PutUint16(out[op:], uint16(e>>8))
				op += 1 + int(e>>29&1)
				e = lit[bits&(1<<litBits-1)]
				if e&(isSpecial|isLiteral) == isLiteral {
					bits >>= e & bitsMask
					nbits -= uint(e & bitsMask)
					binary.LittleEndian.PutUint16(out[op:], uint16(e>>8))
					op += 1 + int(e>>29&1)
					continue
				}
			}
		}
		if e&isSpecial != 0 {
			if e&isBelow != 0 {
				bits >>= e & bitsMask
				nbits -= uint(e & bitsMask)
				e = lit[e>>16&0xfff+uint32(bits)&(1<<(e>>8&0xf)-1)]
			}
			switch {
			case e&(isSpecial|isLiteral) == isLiteral:
				bits >>= e & bitsMask
				nbits -= uint(e & bitsMask)
				out[op] = byte(e >> 8)
				op++
				continue
			case e&(isSpecial|isEnd) == isSpecial|isEnd:
				bits >>= e & bitsMask
				nbits -= uint(e & bitsMask)
				r.at = header
				break loop
			case e&isSpecial != 0:
				wrong = "a code of no symbol"
				break loop
			}
		}
		length := int(e>>16&0x1ff) + int(bits&(1<<(e&bitsMask)-1)>>(e>>8&0xf))
		bits >>= e & bitsMask
		nbits -= uint(e & bitsMask)
		if nbits < 32 { // what a distance may need
			bits |= binary.LittleEndian.Uint64(in[ip:]) << (nbits & 63)
			ip += int((63 - nbits) >> 3)
			nbits |= 56
		}
		d := dist[bits&(1<<distBits-1)]
		if d&isSpecial != 0 {
			if d&isBelow != 0 {
				bits >>= d & bitsMask
				nbits -= uint(d & bitsMask)
				d = dist[d>>16&0xfff+uint32(bits)&(1<<(d>>8&0xf)-1)]
			}
			if d&isSpecial != 0 {
				wrong = "a code of no distance"
				break loop
			}
		}
		distance := int(d>>16) + int(bits&(1<<(d&bitsMask)-1)>>(d>>8&0xf))
		bits >>= d & bitsMask
		nbits -= uint(d & bitsMask)
		from := op - distance
		if from < base {
			wrong = "a match before the beginning"
			break loop
		}
		end := op + length
		switch {
		case distance >= 8:
			for {
				binary.LittleEndian.PutUint64(out[op:], binary.LittleEndian.Uint64(out[from:]))
				op += 8
				from += 8
				if op >= end {
					break
				}
			}
		case distance == 1:
			word := uint64(out[from]) * 0x0101010101010101
			for ; op < end; op += 8 {
				binary.LittleEndian.PutUint64(out[op:], word)
			}
		default:
			for ; op < end; op++ {
				out[op] = out[from]
				from++
			}
		}
		op = end
	}
	r.ip, r.op, r.bits, r.nbits = ip, op, bits, nbits
	if wrong != "" {
		return r.corrupt(wrong)
	}
	return nil
}
