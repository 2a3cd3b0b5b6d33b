package hostile

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// entry is one tar entry with every field as it is written. Empty fields are
// those of a regular file.
type entry struct {
	name, link       string
	flag             byte // default '0'
	data             string
	size             string // 12 bytes; default: the length of data
	mode, uid, mtime string
	magic            string // default "ustar\x0000"
	prefix           string
	sum              string         // default: right
	rest             func(b []byte) // changes the header before it is summed
}

func field(b []byte, s, def string) {
	if s == "" {
		s = def
	}
	copy(b, s)
}

// bytes writes the entry with its padding.
func (e entry) bytes() []byte {
	b := make([]byte, 512)
	copy(b[0:100], e.name)
	field(b[100:108], e.mode, "0000644\x00")
	field(b[108:116], e.uid, "0000000\x00")
	field(b[116:124], "", "0000000\x00")
	field(b[124:136], e.size, fmt.Sprintf("%011o\x00", len(e.data)))
	field(b[136:148], e.mtime, "00000000000\x00")
	b[156] = '0'
	if e.flag != 0 {
		b[156] = e.flag
	}
	copy(b[157:257], e.link)
	field(b[257:265], e.magic, "ustar\x0000")
	copy(b[345:500], e.prefix)
	if e.rest != nil {
		e.rest(b)
	}
	copy(b[148:156], "        ")
	n := 0
	for _, c := range b {
		n += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", n))
	if e.sum != "" {
		copy(b[148:156], e.sum)
	}
	b = append(b, e.data...)
	if pad := len(e.data) % 512; pad > 0 {
		b = append(b, make([]byte, 512-pad)...)
	}
	return b
}

// tarball is entries and the end marker.
func tarball(entries ...entry) []byte { return append(noEnd(entries...), make([]byte, 1024)...) }

func noEnd(entries ...entry) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.Write(e.bytes())
	}
	return b.Bytes()
}

// record is one PAX record with its right length.
func record(key, value string) string {
	n := len(key) + len(value) + 3
	for {
		s := fmt.Sprintf("%d %s=%s\n", n, key, value)
		if len(s) == n {
			return s
		}
		n = len(s)
	}
}

// pax is an extended header of records for what follows it.
func pax(records ...string) entry {
	return entry{name: "PaxHeaders/x", flag: 'x', data: strings.Join(records, "")}
}

func file(name, data string) entry   { return entry{name: name, data: data} }
func folder(name string) entry       { return entry{name: name, flag: '5', mode: "0000755\x00"} }
func symlink(name, to string) entry  { return entry{name: name, link: to, flag: '2'} }
func hardlink(name, to string) entry { return entry{name: name, link: to, flag: '1'} }
func whiteout(name string) entry     { return entry{name: name} }

// npm is an installed package of a name; its version is 1.
func npm(dir, name string) entry {
	return file(npmPath(dir, name), npmText(name))
}
func npmPath(dir, name string) string { return dir + "/node_modules/" + name + "/package.json" }
func npmText(name string) string      { return fmt.Sprintf(`{"name":%q,"version":"1.0.0"}`, name) }

// witness is the base of every image: what it says must still be said.
var witness = tarball(
	file("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
	file("var/lib/dpkg/status", "Package: witness\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n\n"),
)

// repeat writes b many times, for layers that are large and compress well.
func repeat(b []byte, n int64) func(io.Writer) {
	return func(w io.Writer) {
		for range n {
			if _, err := w.Write(b); err != nil {
				panic(err)
			}
		}
	}
}

func whole(b []byte) func(io.Writer) { return repeat(b, 1) }
