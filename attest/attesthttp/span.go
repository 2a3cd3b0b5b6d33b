package attesthttp

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// span is a part of an object, in bytes.
type span struct{ start, length int64 }

// spanOf reads which part of an object a request asks for (RFC 9110, section 14.1.2).
// Without a Range, in a unit that is not known, and of several parts, it is the whole:
// part is false then. An error says that the header cannot be read (400), or that there
// is no such part (416).
func spanOf(header []string, size int64) (s span, part bool, err error) {
	s = span{0, size}
	if len(header) == 0 {
		return s, false, nil
	}
	bad := httpjson.BadRequest("Range %.80q: want bytes=FIRST-LAST, bytes=FIRST- or bytes=-LENGTH", strings.Join(header, ","))
	if len(header) > 1 {
		return s, false, bad
	}
	unit, text, ok := strings.Cut(header[0], "=")
	if !ok {
		return s, false, bad
	}
	if !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Contains(text, ",") {
		return s, false, nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(text), "-")
	if !ok || first+last == "" || strings.Trim(first+last, "0123456789") != "" {
		return s, false, bad
	}
	beyond := &httpjson.Error{Status: http.StatusRequestedRangeNotSatisfiable, Extra: map[string]any{"size": size},
		Err: fmt.Errorf("header Range %.80q: it ends before that: %w", header[0], fault.Invalid)}
	if first == "" { // the last bytes
		n := clampInt(last)
		if n == 0 || size == 0 {
			return s, false, beyond
		}
		n = min(n, size)
		return span{size - n, n}, true, nil
	}
	from, to := clampInt(first), size-1
	if last != "" {
		if clampInt(last) < from {
			return s, false, bad
		}
		to = min(to, clampInt(last))
	}
	if from >= size {
		return s, false, beyond
	}
	return span{from, to - from + 1}, true, nil
}

// clampInt reads digits; a number that is too large is the largest.
func clampInt(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}
