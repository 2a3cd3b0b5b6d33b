package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// workDelay is how long a command runs before it says that it is at work: most are done
// by then. workStep is how often what it says is renewed.
const (
	workDelay = time.Second
	workStep  = 200 * time.Millisecond
)

// work shows on a terminal that a command is at work: what it has read and counted, and
// for how long; in the end the totals. A nil work shows nothing. It is safe for
// concurrent use.
type work struct {
	what  string
	w     io.Writer
	begun time.Time
	bytes atomic.Int64
	items atomic.Int64

	mu    sync.Mutex
	unit  string // of the items
	shown bool   // there is a line to be wiped away
	over  bool
	stop  chan struct{}
}

// longCommands run for more than a second with much data, and have no meter of their own.
func longCommands() []string {
	return []string{
		"stella db import", "stella db update", "stella db export", "stella db diff", "stella db verify", "stella db search",
		"stella vex import", "stella vex update", "stella vex resolve",
		"stella sbom convert", "stella sbom merge", "stella sbom diff", "stella sbom enrich", "stella sbom validate", "stella sbom quality",
		"stella match", "stella policy eval", "stella policy test", "stella replay", "stella diff", "stella verify", "stella export",
		"stella bundle create", "stella bundle load", "stella bundle verify",
		"stella timeline verify", "stella timeline export", "stella notify replay", "stella notify verify", "stella migrate",
	}
}

// showWork has long commands show that they are at work, but with -q or --no-progress,
// which those that had none get.
func (p *program) showWork(root *cobra.Command) *cobra.Command {
	long := longCommands()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if slices.Contains(long, cmd.CommandPath()) && cmd.RunE != nil {
			p.showsWork(cmd)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return root
}

func (p *program) showsWork(cmd *cobra.Command) {
	fs, run := cmd.Flags(), cmd.RunE
	var quiet, noProgress bool
	if fs.Lookup("quiet") == nil && fs.ShorthandLookup("q") == nil {
		fs.BoolVarP(&quiet, "quiet", "q", false, "no progress")
	}
	if fs.Lookup("no-progress") == nil {
		fs.BoolVar(&noProgress, "no-progress", false, "do not show that it is at work")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		silent := false
		for _, name := range []string{"quiet", "no-progress"} {
			if f := cmd.Flags().Lookup(name); f != nil && f.Value.String() == "true" {
				silent = true
			}
		}
		if f, ok := p.stderr.(*os.File); ok && !silent && term.IsTerminal(int(f.Fd())) {
			p.work = newWork(strings.TrimPrefix(cmd.CommandPath(), "stella "), f)
			defer p.work.end()
		}
		return run(cmd, args)
	}
}

// newWork begins to show that something is at work, after workDelay.
func newWork(what string, w io.Writer) *work {
	k := &work{what: what, w: w, begun: time.Now(), stop: make(chan struct{})}
	go func() {
		for pause := workDelay; ; pause = workStep {
			select {
			case <-k.stop:
				return
			case <-time.After(pause):
				k.draw()
			}
		}
	}()
	return k
}

func (k *work) draw() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.over {
		k.shown = true
		fmt.Fprintf(k.w, "\r\x1b[K%s", k.line())
	}
}

// line says how far it is. The caller holds the lock.
func (k *work) line() string {
	out := k.what
	if n := k.items.Load(); n > 0 {
		out += fmt.Sprintf("  %d %s", n, k.unit)
	}
	if n := k.bytes.Load(); n > 0 {
		out += "  " + amount(n) + " read"
	}
	return out + "  " + time.Since(k.begun).Round(100*time.Millisecond).String()
}

// amount writes a number of bytes for people.
func amount(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x, i := float64(n)/1000, 0
	for ; x >= 999.95 && i < len(units)-1; i++ {
		x /= 1000
	}
	return fmt.Sprintf("%.1f %cB", x, units[i])
}

// count counts something that was done; unit names it, such as "records".
func (k *work) count(n int, unit string) {
	if k == nil {
		return
	}
	if k.items.Add(int64(n)) == int64(n) {
		k.mu.Lock()
		k.unit = unit
		k.mu.Unlock()
	}
}

// reader counts what is read.
func (k *work) reader(r io.Reader) io.Reader {
	if k == nil {
		return r
	}
	return workReader{r, k}
}

type workReader struct {
	io.Reader
	work *work
}

func (r workReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.work.bytes.Add(int64(n))
	return n, err
}

// wipe takes the line away, so that something else can be written; it comes back.
func (k *work) wipe() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shown {
		fmt.Fprint(k.w, "\r\x1b[K")
		k.shown = false
	}
}

// end says the totals of what took long, before the results are written. It may be called
// again.
func (k *work) end() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	k.over = true
	close(k.stop)
	if time.Since(k.begun) >= workDelay {
		fmt.Fprintf(k.w, "\r\x1b[K%s\n", k.line())
	}
}
