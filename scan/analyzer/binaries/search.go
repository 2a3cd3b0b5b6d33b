package binaries

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

// An expression sees so many bytes before and behind the place of its literal. Texts are
// shorter.
const (
	chunk  = 64 << 10
	before = 64
	behind = 320
)

// Limits of one file. Real ones stay far below.
const (
	maxTries    = 50_000 // places with a literal
	maxVersions = 256    // distinct texts of one expression
)

// seen is what one expression matched: versions with the text of each.
type seen struct {
	version, text string
}

// expression is a text's. One that begins with its literal is tried there and nowhere else.
type expression struct {
	*regexp.Regexp
	leads bool
}

func compile(t text) (expression, error) {
	e, err := regexp.Compile(t.expr)
	if err != nil {
		return expression{}, err
	}
	if prefix, _ := e.LiteralPrefix(); strings.HasPrefix(prefix, t.literal) {
		e, err = regexp.Compile("^" + t.expr)
		return expression{e, true}, err
	}
	return expression{e, false}, nil
}

// hunt looks for one candidate while its file streams by.
type hunt struct {
	candidate
	exprs []expression // of program.texts and program.among
	seen  [][]seen
	needs []string // not met yet
}

// search streams f and returns the candidates that it is.
func search(ctx context.Context, f *analyzer.File, list []candidate) ([]found, error) {
	hunts := make([]hunt, len(list))
	for i, c := range list {
		hunts[i] = hunt{candidate: c, needs: slices.Clone(c.needs)}
		for _, t := range c.all() {
			e, err := compile(t)
			if err != nil {
				return nil, fmt.Errorf("expression of %s: %w", c.name, err)
			}
			hunts[i].exprs, hunts[i].seen = append(hunts[i].exprs, e), append(hunts[i].seen, nil)
		}
	}
	if err := stream(ctx, f, hunts); err != nil {
		return nil, err
	}
	var out []found
	var failed error
	for i := range hunts {
		x, err := hunts[i].decide()
		if err != nil {
			failed = err
		} else if x != nil {
			out = append(out, *x)
		}
	}
	return out, failed
}

// stream reads f once. Of the buffer, what stands at its end is looked at with the next
// chunk, when what follows is known.
func stream(ctx context.Context, f *analyzer.File, hunts []hunt) error {
	buf := make([]byte, 0, before+chunk+behind)
	from, tries := 0, 0
	for end := false; !end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(f, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			end = true
		case err != nil:
			return err
		}
		to := len(buf)
		if !end {
			to -= behind
		}
		for i := range hunts {
			hunts[i].look(buf, from, to, &tries)
		}
		if tries > maxTries {
			return &fault.LimitError{What: "places that may name a version", Where: f.Path, Max: maxTries, Seen: int64(tries)}
		}
		keep := max(0, to-before)
		from = to - keep
		buf = buf[:copy(buf, buf[keep:])]
	}
	return nil
}

// look tries the places of the literals that begin in buf[from:to].
func (h *hunt) look(buf []byte, from, to int, tries *int) {
	h.needs = slices.DeleteFunc(h.needs, func(s string) bool { return bytes.Contains(buf, []byte(s)) })
	for i, t := range h.all() {
		next := bareVersion
		if !t.bare {
			next = func(p []byte) int { return bytes.Index(p, []byte(t.literal)) }
		}
		for at := from; at < to && *tries <= maxTries; at++ {
			n := next(buf[at:])
			if n < 0 || at+n >= to {
				break // what is behind comes again with the next chunk
			}
			at += n
			*tries++
			start := at
			if !h.exprs[i].leads {
				start = max(0, at-before)
			}
			for _, m := range h.exprs[i].FindAllSubmatch(buf[start:min(len(buf), at+behind)], -1) {
				h.note(i, m)
			}
		}
	}
}

// bareVersion returns the place of the first zero in p that a number, a dot and a digit
// follow, or -1. It looks for dots, which are rarer than zeroes.
func bareVersion(p []byte) int {
	for dot := 0; dot < len(p); dot++ {
		n := bytes.IndexByte(p[dot:], '.')
		if n < 0 || dot+n+1 >= len(p) {
			return -1
		}
		dot += n
		if !isDigit(p[dot+1]) {
			continue
		}
		at := dot - 1
		for at >= 0 && dot-at < 5 && isDigit(p[at]) {
			at--
		}
		if at >= 0 && at < dot-1 && p[at] == 0 {
			return at
		}
	}
	return -1
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// note keeps what an expression matched.
func (h *hunt) note(i int, m [][]byte) {
	if len(h.seen[i]) == maxVersions {
		return
	}
	version := string(bytes.Join(m[1:], []byte(".")))
	if h.version != nil {
		version = h.version(version)
	}
	if h.series != "" && !strings.HasPrefix(version, h.series+".") && version != h.series {
		return
	}
	if slices.ContainsFunc(h.seen[i], func(s seen) bool { return s.version == version }) {
		return
	}
	h.seen[i] = append(h.seen[i], seen{version, clean(m[0])})
}

// clean makes evidence of what an expression matched.
func clean(text []byte) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text), " "))
	return strings.TrimSpace(s)
}

// decide says what the file is, if anything. The first expression that matched counts.
func (h *hunt) decide() (*found, error) {
	if len(h.needs) > 0 {
		return nil, nil
	}
	for i := range h.texts {
		list := h.seen[i]
		if h.among != nil {
			list = cut(list, h.seen[len(h.texts)])
		}
		if len(list) > 1 {
			return nil, fmt.Errorf("%s: %q and %q name different versions: %w", h.name, list[0].text, list[1].text, fault.Unsupported)
		}
		if len(list) == 1 {
			return &found{name: h.name, version: list[0].version, evidence: list[0].text, library: h.library, cpes: h.cpes}, nil
		}
	}
	return nil, nil
}

// cut cuts texts that go on behind their version to the longest known version that they
// begin with. Texts that begin with none are left out.
func cut(list, known []seen) []seen {
	var out []seen
	for _, s := range list {
		best := ""
		for _, k := range known {
			if len(k.version) > len(best) && strings.HasPrefix(s.version, k.version) {
				best = k.version
			}
		}
		if best != "" {
			out = append(out, seen{best, s.text})
		}
	}
	return out
}
