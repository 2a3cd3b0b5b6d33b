package httpjson

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Revision reads which revision of something a change is made to: the number in the entity
// tag of If-Match, from 1 on, or 0 for "If-None-Match: *", which is for what is new. Without
// either the error has the status 428. what is named in errors, such as "the setting".
func Revision(h http.Header, what string) (int64, error) {
	match, none := h.Values("If-Match"), h.Values("If-None-Match")
	switch {
	case len(match) == 0 && len(none) == 0:
		return 0, &Error{Status: http.StatusPreconditionRequired, Err: fmt.Errorf("want If-Match with the entity tag of what is changed, or If-None-Match: * for what is new: %w", fault.Invalid)}
	case len(match) == 0 && len(none) == 1 && none[0] == "*":
		return 0, nil
	case len(none) > 0:
		return 0, BadRequest("want either If-Match with one entity tag or If-None-Match: *")
	}
	text, quoted := strings.CutPrefix(match[0], `"`)
	text, closed := strings.CutSuffix(text, `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if len(match) > 1 || !quoted || !closed || err != nil || n < 1 || n == math.MaxInt64 || strconv.FormatInt(n, 10) != text {
		return 0, BadRequest("If-Match %.80q: want the one entity tag that %s had", strings.Join(match, ","), what)
	}
	return n, nil
}
