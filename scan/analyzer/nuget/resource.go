package nuget

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/stella-ops/stella/internal/fault"
)

// typeVersion is the number of version resources (winuser.h, RT_VERSION).
const typeVersion = 16

// versionInfo returns the texts of a file's version resource by name, nil where it has none
// (Microsoft, "VS_VERSIONINFO"): .NET compilers write AssemblyInformationalVersion as
// ProductVersion there.
func (m *image) versionInfo() (map[string]string, error) {
	if m.tree.addr == 0 {
		return nil, nil
	}
	base, err := m.locate(m.tree.addr, "resources")
	if err != nil {
		return nil, err
	}
	// Three levels: type, name and language, of which the first counts.
	at, leaf := uint32(0), false
	for level := range 3 {
		if at, leaf, err = m.folder(base, at, level == 0); err != nil || at == 0 {
			return nil, err
		}
		if leaf != (level == 2) {
			return nil, fmt.Errorf("resources at byte %d have another depth than three: %w", base, fault.Invalid)
		}
	}
	entry, err := m.read(base+uint64(at), 16, "version resource")
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	addr, size := le.Uint32(entry), le.Uint32(entry[4:])
	if size > maxVersion {
		return nil, &fault.LimitError{What: "bytes of a version resource", Where: fmt.Sprintf("byte %d", base+uint64(at)), Max: maxVersion, Seen: int64(size)}
	}
	info, err := m.readAddr(addr, uint64(size), "version resource")
	if err != nil {
		return nil, err
	}
	return versionTexts(info), nil
}

// folder reads one folder of resources and returns where its first entry leads, or in the
// first one the entry of version resources; 0 is nowhere.
func (m *image) folder(base uint64, at uint32, first bool) (to uint32, leaf bool, err error) {
	le := binary.LittleEndian
	head, err := m.read(base+uint64(at), 16, "resources")
	if err != nil {
		return 0, false, err
	}
	names, ids := int(le.Uint16(head[12:])), int(le.Uint16(head[14:]))
	if names+ids > maxEntries {
		return 0, false, &fault.LimitError{What: "resources of a folder", Where: fmt.Sprintf("byte %d", base+uint64(at)), Max: maxEntries, Seen: int64(names + ids)}
	}
	list, err := m.read(base+uint64(at)+16, uint64(names+ids)*8, "resources")
	if err != nil {
		return 0, false, err
	}
	for ; len(list) >= 8; list = list[8:] {
		if id, place := le.Uint32(list), le.Uint32(list[4:]); !first || id == typeVersion {
			const inner = 1 << 31
			return place &^ inner, place&inner == 0, nil
		}
	}
	return 0, false, nil
}

// versionTexts reads the texts of a version resource: a tree of nodes, of which the strings
// are at the fourth level. The first text of a name counts; what is malformed is left out.
func versionTexts(info []byte) map[string]string {
	out := map[string]string{}
	root, _ := versionNode(info)
	for files := root.children(); len(files) > 0; { // behind VS_FIXEDFILEINFO
		var file node
		file, files = versionNode(files)
		if file.key != "StringFileInfo" {
			continue
		}
		for languages := file.children(); len(languages) > 0; {
			var language node
			language, languages = versionNode(languages)
			for texts := language.children(); len(texts) > 0; {
				var text node
				text, texts = versionNode(texts)
				value, _ := wide(text.body)
				if value = strings.TrimSpace(value); value != "" && out[text.key] == "" {
					out[text.key] = value
				}
			}
		}
	}
	return out
}

// node is one node of a version resource.
type node struct {
	key   string
	value int    // bytes of the value in front of the children
	body  []byte // value and children
}

func (n *node) children() []byte { return n.body[min(len(n.body), (n.value+3)&^3):] }

// versionNode reads the node that p begins with and returns what comes behind it.
func versionNode(p []byte) (n node, rest []byte) {
	if len(p) < 6 {
		return n, nil
	}
	length := min(int(binary.LittleEndian.Uint16(p)), len(p))
	if length < 6 {
		return n, nil // padding at the end
	}
	n.value = int(binary.LittleEndian.Uint16(p[2:]))
	key, used := wide(p[6:length])
	n.key = key
	n.body = p[min(length, (6+used+3)&^3):length]
	return n, p[min(len(p), (length+3)&^3):]
}

// wide decodes UTF-16 up to a NUL and returns how many bytes that were, with the NUL.
func wide(p []byte) (string, int) {
	units := make([]uint16, 0, 32)
	for i := 0; i+1 < len(p); i += 2 {
		u := binary.LittleEndian.Uint16(p[i:])
		if u == 0 {
			return string(utf16.Decode(units)), i + 2
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units)), len(p)
}
