package elffile

import "errors"

// ErrPassed means that a part of a file was not kept.
var ErrPassed = errors.New("that part of the file has passed by")

// Parts are what was kept of a file that streamed by.
type Parts []Part

// Part is what lies at a place of a file.
type Part struct {
	Off  int64
	Data []byte
}

// ReadAt reads what lies within one part; anything else is ErrPassed.
func (k Parts) ReadAt(p []byte, off int64) (int, error) {
	for _, x := range k {
		if from := off - x.Off; from >= 0 && from <= int64(len(x.Data)) && int64(len(p)) <= int64(len(x.Data))-from {
			return copy(p, x.Data[from:]), nil
		}
	}
	return 0, ErrPassed
}
