package attesthttp

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// The bounds of an Accept header.
const (
	maxAccept = 8 << 10 // bytes
	maxRanges = 64
)

// choose returns which of the media types that there are a client likes best, the
// earlier of two that it likes as much (RFC 9110, section 12.5.1). Without a header that
// is the first. An error lists what there is (406), or says that the header cannot be
// read (400).
func choose(accept, offers []string) (string, error) {
	header := strings.Join(accept, ",")
	if strings.TrimSpace(header) == "" {
		return offers[0], nil
	}
	ranges, err := mediaRanges(header)
	if err != nil {
		return "", err
	}
	best, most := "", 0
	for _, o := range offers {
		if q := quality(ranges, o); q > most {
			best, most = o, q
		}
	}
	if best == "" {
		return "", &httpjson.Error{Status: http.StatusNotAcceptable, Extra: map[string]any{"media_types": offers},
			Err: fmt.Errorf("header Accept %.200q: there is %s: %w", header, strings.Join(offers, " or "), fault.Unsupported)}
	}
	return best, nil
}

// mediaRange is what a client accepts.
type mediaRange struct {
	kind    string // "text/csv", "text/*" or "*/*"
	params  map[string]string
	quality int // in thousandths
}

func mediaRanges(header string) ([]mediaRange, error) {
	if len(header) > maxAccept {
		return nil, httpjson.BadRequest("Accept: want at most %d bytes", maxAccept)
	}
	var out []mediaRange
	for text := range strings.SplitSeq(header, ",") {
		if text = strings.TrimSpace(text); text == "" { // an empty element of a list is none
			continue
		}
		t, params, err := mime.ParseMediaType(text)
		if t == "*" { // so says Java
			t = "*/*"
		}
		major, minor, slash := strings.Cut(t, "/")
		if err != nil || !slash || major == "" || minor == "" || major == "*" && minor != "*" || len(out) == maxRanges {
			return nil, httpjson.BadRequest("Accept: %.80q is no media range, or one of more than %d", text, maxRanges)
		}
		r := mediaRange{kind: t, params: params, quality: 1000}
		if q, ok := params["q"]; ok {
			delete(params, "q")
			if r.quality, ok = thousandths(q); !ok {
				return nil, httpjson.BadRequest("Accept: weight %.20q: want 0 to 1 with at most three decimals", q)
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// thousandths reads a weight.
func thousandths(q string) (int, bool) {
	whole, decimals, _ := strings.Cut(q, ".")
	if len(decimals) > 3 || whole == "" && decimals == "" || strings.Trim(decimals, "0123456789") != "" {
		return 0, false
	}
	n := 0
	for _, c := range (decimals + "000")[:3] {
		n = 10*n + int(c-'0')
	}
	switch {
	case whole == "1" && n == 0:
		return 1000, true
	case whole == "0" || whole == "":
		return n, true
	}
	return 0, false
}

// quality is what the range that fits a media type best says of it; 0 where none fits.
func quality(ranges []mediaRange, offer string) int {
	t, params, _ := mime.ParseMediaType(offer)
	major, _, _ := strings.Cut(t, "/")
	best, fit := 0, -1
	for _, r := range ranges {
		n := -1
		switch r.kind {
		case t:
			n = 2 + len(r.params)
		case major + "/*":
			n = 1
		case "*/*":
			n = 0
		}
		for name, value := range r.params {
			if !strings.EqualFold(params[name], value) {
				n = -1
			}
		}
		if n > fit || n == fit && n >= 0 && r.quality > best {
			best, fit = r.quality, n
		}
	}
	return best
}
