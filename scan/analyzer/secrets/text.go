package secrets

import (
	"bytes"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// encoding is how a file is to be read.
type encoding byte

const (
	binary       encoding = iota // not at all
	plainText                    // as it is
	littleEndian                 // UTF-16
	bigEndian
)

// headBytes is how much of a file says what it is. That is what git looks at.
const headBytes = 8000

// encodingOf tells text by the beginning of a file. UTF-16 has a byte order mark (RFC 2781,
// 3.2), or all but some of its characters are of Latin scripts: then every other byte is zero,
// and none of the others.
func encodingOf(head []byte) encoding {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")):
		return binary // UTF-32
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return littleEndian
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return bigEndian
	case bytes.IndexByte(head, 0) < 0:
		return plainText
	}
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i&1]++
		}
	}
	switch most := len(head) / 2 * 4 / 5; {
	case len(head) < 2*MinSecret || len(head)%2 != 0:
		return binary
	case zeros[0] == 0 && zeros[1] >= most:
		return littleEndian
	case zeros[1] == 0 && zeros[0] >= most:
		return bigEndian
	}
	return binary
}

// utf16Reader gives UTF-16 as UTF-8. What is no character is U+FFFD.
type utf16Reader struct {
	from   io.Reader
	big    bool
	raw    [4 << 10]byte
	have   int  // bytes of raw that were read
	high   rune // the first half of a pair, 0 for none
	out    []byte
	err    error
	outBuf [4<<10/2*utf8.UTFMax + 2*utf8.UTFMax]byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		n, err := u.from.Read(u.raw[u.have:])
		u.have += n
		u.err = err
		u.decode()
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

func (u *utf16Reader) decode() {
	out := u.outBuf[:0]
	whole := u.have &^ 1
	for i := 0; i < whole; i += 2 {
		c := rune(u.raw[i]) | rune(u.raw[i+1])<<8
		if u.big {
			c = rune(u.raw[i])<<8 | rune(u.raw[i+1])
		}
		if u.high != 0 {
			pair := utf16.DecodeRune(u.high, c)
			u.high = 0
			out = utf8.AppendRune(out, pair)
			if pair != utf8.RuneError {
				continue
			}
		}
		switch {
		case 0xd800 <= c && c < 0xdc00:
			u.high = c
		default:
			out = utf8.AppendRune(out, c) // a second half alone is U+FFFD
		}
	}
	u.raw[0] = u.raw[max(u.have-1, 0)]
	u.have -= whole
	if u.err != nil && (u.have > 0 || u.high != 0) {
		out = utf8.AppendRune(out, utf8.RuneError)
		u.have, u.high = 0, 0
	}
	u.out = out
}
