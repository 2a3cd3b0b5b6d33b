package shell

import (
	"io"
	"runtime"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxFrames bounds the calls that are open while a script is read. The parser calls
// itself for what is nested, and nothing else bounds its stack, which a program cannot
// recover from when it is full. A level of nesting takes about ten calls.
const MaxFrames = 3000

// chunk is what the parser is given at once. Between two chunks it can call itself a few
// times a byte: a few megabytes of stack.
const chunk = 1 << 10

// guarded gives a script to the parser in chunks, and ends it when the parser that asks
// for the next one is nested too deep. It counts calls of the source, which do not depend
// on what a compiler makes of them.
type guarded struct {
	rest []byte
	base int   // calls that were open before
	err  error // set once the limit is reached
}

func newGuarded(src []byte) *guarded { return &guarded{rest: src, base: frames()} }

// Read implements io.Reader.
func (g *guarded) Read(p []byte) (int, error) {
	if g.err == nil {
		var pc [1]uintptr
		if runtime.Callers(g.base+MaxFrames, pc[:]) > 0 {
			g.err = &fault.LimitError{What: "nesting of commands, as calls of the parser", Where: "shell script", Max: MaxFrames}
		}
	}
	if g.err != nil {
		return 0, g.err
	}
	if len(g.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), chunk)], g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// frames counts the open calls.
func frames() (n int) {
	var pcs [64]uintptr
	for {
		k := runtime.Callers(n, pcs[:])
		n += k
		if k < len(pcs) {
			return n
		}
	}
}
