package java

import (
	"bytes"
	"strings"
)

// attributes returns those of the element that began last, without name spaces.
// It must be asked before what is inside the element is read. What is not an
// attribute ends the list.
func (x *xmlReader) attributes() map[string]string {
	out := map[string]string{}
	for rest := bytes.TrimLeft(x.tag, " \t\r\n"); len(rest) > 0; rest = bytes.TrimLeft(rest, " \t\r\n") {
		n := bytes.IndexByte(rest, '=')
		if n <= 0 {
			break
		}
		name := local(bytes.TrimRight(rest[:n], " \t\r\n"))
		rest = bytes.TrimLeft(rest[n+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			break
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			break
		}
		out[string(name)] = strings.ToValidUTF8(strings.TrimSpace(string(appendText(nil, rest[1:1+end]))), "\uFFFD")
		rest = rest[2+end:]
	}
	return out
}
