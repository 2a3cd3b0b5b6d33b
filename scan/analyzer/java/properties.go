package java

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseProperties reads a pom.properties file, which Maven writes into every
// archive it builds. Values that are no ids are left out. The format is that of
// java.util.Properties; only the keys groupId, artifactId and version count,
// and the last one of each.
func parseProperties(data []byte) coordinates {
	var c coordinates
	for len(data) > 0 {
		var line string
		line, data = logicalLine(data)
		key, value := splitProperty(line)
		switch key {
		case "groupId":
			c.group = value
		case "artifactId":
			c.artifact = value
		case "version":
			c.version = value
		}
	}
	if !isID(c.group) {
		c.group = ""
	}
	if !isID(c.artifact) {
		c.artifact = ""
	}
	if !isVersion(c.version) {
		c.version = ""
	}
	return c
}

// logicalLine returns the next line, joined with those that a backslash at its
// end continues, and what follows. Comments are empty lines.
func logicalLine(data []byte) (string, []byte) {
	var joined []byte
	for first := true; ; first = false {
		end := bytes.IndexAny(data, "\r\n")
		line, rest := data, []byte(nil)
		if end >= 0 {
			line, rest = data[:end], data[end+1:]
		}
		line, data = bytes.TrimLeft(line, " \t\f"), rest
		if first && (len(line) == 0 || line[0] == '#' || line[0] == '!') {
			return "", data
		}
		slashes := len(line) - len(bytes.TrimRight(line, `\`))
		if slashes%2 == 0 || len(data) == 0 {
			return string(append(joined, line...)), data
		}
		joined = append(joined, line[:len(line)-1]...)
	}
}

// splitProperty splits a line at its first separator and removes escapes and
// the blanks around the value.
func splitProperty(line string) (key, value string) {
	i := strings.IndexAny(line, "=: \t\f")
	if i < 0 {
		return line, ""
	}
	key, value = line[:i], strings.TrimLeft(line[i:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = value[1:]
	}
	value = strings.TrimSpace(value)
	if !strings.Contains(value, `\`) {
		return key, value
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' || i+1 == len(value) {
			b.WriteByte(value[i])
			continue
		}
		i++
		if value[i] == 'u' && i+4 < len(value) {
			if r, err := strconv.ParseUint(value[i+1:i+5], 16, 16); err == nil && utf8.ValidRune(rune(r)) {
				b.WriteRune(rune(r))
				i += 4
				continue
			}
		}
		b.WriteByte(value[i])
	}
	return key, b.String()
}
