package template

import (
	"net/url"
	"strings"
)

// nowhere stands for an address that is none, or not one of the web.
const nowhere = "https://invalid.invalid/"

// address returns a value that a template uses as an address: an http or https URL with a
// host and no password, written so that nothing of it can end it.
func address(v string) string {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return nowhere
	}
	return encode(v, ":/?#&=+,;@!$")
}

// piece returns a value as a part of an address that a template began. A colon is none
// before there is a scheme.
func piece(v string, scheme bool) string {
	if scheme {
		return encode(v, ":/?#&=+,;@!$")
	}
	return encode(v, "/?#&=+,;@!$")
}

// encode escapes all but letters, digits, what is safe anywhere and keep.
func encode(v, keep string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(v) {
		c := v[i]
		switch {
		case alnum(c), strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0, c == '%' && i+2 < len(v) && isHex(v[i+1]) && isHex(v[i+2]):
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func isHex(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
