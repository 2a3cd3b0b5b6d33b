package dpkg

import (
	"bytes"
	"slices"
	"strings"
)

const (
	maxLicenses    = 256 // names kept of one copyright file
	maxLicenseName = 256 // bytes of one
)

// licenses returns the short names of the License fields of a machine-readable
// copyright file, or the files of common-licenses that a free-form one refers
// to; sorted, each once.
func licenses(data []byte) []string {
	seen := map[string]bool{}
	machine := bytes.HasPrefix(data, []byte("Format:")) || bytes.Contains(data[:min(len(data), 4096)], []byte("copyright-format"))
	for len(data) > 0 && len(seen) < maxLicenses {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		if name, ok := bytes.CutPrefix(line, []byte("License:")); ok && machine {
			if n := strings.TrimSpace(string(name)); n != "" && len(n) <= maxLicenseName {
				seen[strings.ToValidUTF8(n, "?")] = true
			}
		} else if !machine {
			commonLicenses(line, seen)
		}
	}
	names := make([]string, 0, len(seen))
	for n := range seen {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

var commonDir = []byte("/usr/share/common-licenses/")

func commonLicenses(line []byte, seen map[string]bool) {
	for {
		i := bytes.Index(line, commonDir)
		if i < 0 {
			return
		}
		line = line[i+len(commonDir):]
		n := 0
		for n < len(line) && (line[n] == '-' || line[n] == '.' || line[n] >= '0' && line[n] <= '9' || line[n]|0x20 >= 'a' && line[n]|0x20 <= 'z') {
			n++
		}
		if name := strings.TrimRight(string(line[:n]), ".-"); name != "" && len(name) <= maxLicenseName {
			seen[name] = true
		}
	}
}
