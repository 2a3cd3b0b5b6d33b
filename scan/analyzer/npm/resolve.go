package npm

import (
	"bytes"

	"github.com/stella-ops/stella/internal/fault"
)

// maxWork bounds the search for dependencies in one lockfile or image. One unit
// is a look-up of up to 64 bytes; a project of 30,000 packages needs a million.
const maxWork = 20_000_000

// walker looks for packages from folder to folder.
type walker struct {
	buf  []byte
	work int64
}

// lookUp finds the package that code in folder from gets by name, as node does
// (https://nodejs.org/api/modules.html, "Loading from node_modules folders"):
// it asks find for name in the node_modules of each folder upwards, leaving out
// folders that are themselves a node_modules. find must not keep what it gets.
// After maxWork nothing is found any more; see err.
func (w *walker) lookUp(from, name string, find func(folder []byte) (int, bool)) (int, bool) {
	w.buf = append(w.buf[:0], from...)
	for w.work < maxWork {
		if base := w.buf[bytes.LastIndexByte(w.buf, '/')+1:]; string(base) != "node_modules" {
			above := len(w.buf)
			if above > 0 {
				w.buf = append(w.buf, '/')
			}
			w.buf = append(append(w.buf, nodeModules...), name...)
			w.work += 1 + int64(len(w.buf))/64
			if i, ok := find(w.buf); ok {
				return i, true
			}
			w.buf = w.buf[:above]
		}
		if len(w.buf) == 0 {
			break
		}
		w.buf = w.buf[:max(bytes.LastIndexByte(w.buf, '/'), 0)]
	}
	return 0, false
}

// err says that the search was given up.
func (w *walker) err(where string) error {
	if w.work < maxWork {
		return nil
	}
	return &fault.LimitError{What: "look-ups of dependencies", Where: where, Max: maxWork}
}
