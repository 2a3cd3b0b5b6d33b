package layer

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/scan/sbom"
)

// maxGaps is how many gaps of one code are listed for one layer. What is over
// is counted in one gap more: a layer can have as many irregularities as entries.
const maxGaps = 1000

// excess are the gaps of one code that are not listed.
type excess struct {
	n        int64
	blocking bool
	first    string
}

func (p *pass) oddity(where, what string) {
	if !p.again() { // said by the first reading
		p.gap(sbom.GapOddity, false, where, what)
	}
}

// again reports whether the layer was read before.
func (p *pass) again() bool { return p.also != nil || p.against != nil || p.sums != nil }

func (p *pass) gap(code sbom.GapCode, blocking bool, where, what string) {
	if where == "" {
		where = "layer"
	}
	if !utf8.ValidString(where) { // a folder whose name cannot even be opened
		where = escape(where)
	}
	if p.more == nil {
		p.more = map[sbom.GapCode]excess{}
	}
	x := p.more[code]
	if x.n++; x.n > maxGaps {
		if x.n == maxGaps+1 {
			x.first = where
		}
		x.blocking = x.blocking || blocking
		p.more[code] = x
		return
	}
	p.more[code] = x
	p.frag.Gaps = append(p.frag.Gaps, sbom.Gap{Code: code, Blocking: blocking, Where: where, Layer: p.frag.DiffID, What: strings.ToValidUTF8(what, "?")})
}

// finish completes the fragment.
func (p *pass) finish() {
	for _, code := range sortedKeys(p.more) {
		if x := p.more[code]; x.n > maxGaps {
			// The root stands for the layer: no later entry can hide it.
			p.frag.Gaps = append(p.frag.Gaps, sbom.Gap{Code: code, Blocking: x.blocking, Where: "/", Layer: p.frag.DiffID,
				What: fmt.Sprintf("%d more that are not listed, the first at %s", x.n-maxGaps, x.first)})
		}
	}
	p.frag.Files = slices.DeleteFunc(p.frag.Files, func(f FileFacts) bool { return f.Analyzer == "" })
}

// keep charges memory, in portions.
func (p *pass) keep(n int64) error {
	if p.owed += n; p.owed < 64<<10 {
		return nil
	}
	n, p.owed = p.owed, 0
	return p.opt.Memory.Take("layer "+p.frag.DiffID, n)
}
