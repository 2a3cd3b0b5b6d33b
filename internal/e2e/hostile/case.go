package hostile

import (
	"io"
	"log"
	"maps"
	"time"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/image"
)

var (
	quiet   = log.New(io.Discard, "", 0)
	modTime = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
)

const secret = "canary-secret"

// want is what a case must come to.
type want struct {
	kind  error    // nil: a document
	also  error    // another kind that will do
	says  []string // what the error must say
	gaps  []string // exactly: "code where", with "!" before blocking ones
	what  []string // what the gaps must say together
	pkgs  []string // names of packages, exactly; "witness" is added
	count int      // of packages, where there are too many to name
	blind bool     // the witness is hidden by what the case does
}

// failed is a result that is an error.
func failed(kind error, says ...string) want { return want{kind: kind, says: says} }

// noted is a document with gaps.
func noted(gaps ...string) want { return want{gaps: gaps} }

// shown is a document without gaps that has these packages: the case is regular
// after all, and must be read as unpackers do.
func shown(pkgs ...string) want { return want{pkgs: pkgs} }

func (w want) with(pkgs ...string) want   { w.pkgs = append(w.pkgs, pkgs...); return w }
func (w want) saying(what ...string) want { w.what = append(w.what, what...); return w }
func (w want) counting(n int) want        { w.count = n; return w }
func (w want) unseen() want               { w.blind = true; return w }

// hostile is one way to break a scanner.
type hostile struct {
	class, name string
	kit         func(c imagetest.Compression) *kit
	at          []where                 // nil: everywhere
	as          []imagetest.Compression // nil: all
	limits      analyzer.Limits
	options     image.Options
	large       bool          // one place and compression will do
	long        bool          // only where STELLA_LONG is set: it takes a minute to make
	patience    time.Duration // of the caller; default: five minutes
	want        want
	other       map[where]want // what else it comes to in a place
}

// but says what a case comes to in one place instead.
func (h hostile) but(at where, w want) hostile {
	h.other = maps.Clone(h.other)
	if h.other == nil {
		h.other = map[where]want{}
	}
	h.other[at] = w
	return h
}

// wanted is what it comes to in a place.
func (h *hostile) wanted(at where) *want {
	if w, ok := h.other[at]; ok {
		return &w
	}
	return &h.want
}

// places are where the case is kept.
func (h *hostile) places() []where {
	if h.at == nil {
		return everywhere
	}
	return h.at
}

// corpus are all cases that are images.
func corpus() (out []hostile) {
	for _, list := range [][]hostile{
		documents(), archives(), compressions(), tars(), links(), whiteouts(), contents(), names(), others(), long(),
	} {
		out = append(out, list...)
	}
	return out
}
