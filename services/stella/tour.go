package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const tourHelp = `Walk through what stella does, with a small image that is built in: each step shows
what you would type, what it prints, and what that means. The commands are really run, in
a temporary folder, and nothing is connected to. At a terminal Enter goes on and q ends;
--no-pause does not stop, for scripts. --keep DIR does it all in that folder and leaves it
there, so that you can go on.

Exit codes: 0 done, 1 error, 64 wrong arguments.`

// tour is one walk.
type tour struct {
	p     *program
	dir   string
	pause func() (on bool, err error) // nil: never
}

// stop is a place of the tour: what is typed there, and what it means.
type stop struct {
	title string
	// before says what is to be seen, after what it means.
	before, after string
	commands      []typed
}

// typed is a command line with the exit code that it has here.
type typed struct {
	args string // as a shell reads it: parted by spaces, '…' is one
	code int
	most int // lines of what it prints that are shown; 0 for all
}

func (p *program) tourCommand() *cobra.Command {
	var keep string
	var noPause bool
	cmd := &cobra.Command{
		Use:     "tour",
		Short:   "Walk through scan, match, policy, VEX, signing and more in ten minutes, without a network",
		Long:    tourHelp,
		Example: "  stella tour\n  stella tour --no-pause --keep ./stella-tour",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.tour(cmd.Context(), keep, noPause)
		},
	}
	cmd.Flags().StringVar(&keep, "keep", "", "do it in this folder, which must be new or empty, and leave it there")
	cmd.Flags().BoolVar(&noPause, "no-pause", false, "do not wait between the steps")
	return cmd
}

func (p *program) tour(ctx context.Context, keep string, noPause bool) (err error) {
	dir, done, err := tourFolder(keep)
	if err != nil {
		return err
	}
	defer done()
	was, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("tour: %w", err)
	}
	// What is shown is typed in the folder, so it runs there: this process does nothing else.
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("tour: %w", err)
	}
	defer func() { err = errors.Join(err, os.Chdir(was)) }()
	if err := writeTourFiles("."); err != nil {
		return fmt.Errorf("tour: %w", err)
	}
	t := &tour{p: p, dir: dir}
	if in, ok := p.stdin.(*os.File); ok && !noPause && term.IsTerminal(int(in.Fd())) {
		t.pause = t.ask(ctx, in)
	}
	return t.walk(ctx, keep)
}

// walk shows every stop.
func (t *tour) walk(ctx context.Context, keep string) error {
	stops := tourStops()
	t.p.prose(0, fmt.Sprintf("A tour in %d steps. It works on a small image of two layers, a few advisories and a policy, all made up and built in. Lines that begin with $ are what you would type; everything is really run, without a network. What it works on is of 2024, so its clock stands at 2024-06-01, which SOURCE_DATE_EPOCH=%s does.", len(stops), tourEpoch))
	for i := range stops {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.show(ctx, i, len(stops), &stops[i]); err != nil {
			return err
		}
		if t.pause == nil || i == len(stops)-1 {
			continue
		}
		on, err := t.pause()
		if err != nil || !on {
			t.left(keep)
			return err
		}
	}
	t.left(keep)
	return nil
}

// tourFolder makes the folder of a tour. done removes a temporary one.
func tourFolder(keep string) (dir string, done func(), err error) {
	if keep == "" {
		if dir, err = os.MkdirTemp("", "stella-tour-"); err != nil {
			return "", nil, fmt.Errorf("tour: %w", err)
		}
		return dir, func() { os.RemoveAll(dir) }, nil
	}
	if list, err := os.ReadDir(keep); err == nil && len(list) > 0 {
		return "", nil, usageError("--keep %s: the folder is not empty, and nothing of yours is to be mixed with it: name a new one", clean(keep))
	}
	if err := os.MkdirAll(keep, 0o755); err != nil {
		return "", nil, fmt.Errorf("tour: %w", err)
	}
	dir, err = filepath.Abs(keep)
	return dir, func() {}, err
}

// left says what is left.
func (t *tour) left(keep string) {
	if keep == "" {
		return
	}
	t.p.prose(0, "")
	t.p.prose(0, fmt.Sprintf("Everything is in %s. To type the commands again, go there, name its own advisory data, and set the clock:", clean(keep)))
	fmt.Fprintf(t.p.stdout, "\n   $ cd %s\n   $ export STELLA_DB=$PWD/db SOURCE_DATE_EPOCH=%s\n", clean(keep), tourEpoch)
}

// show shows a stop.
func (t *tour) show(ctx context.Context, i, n int, s *stop) error {
	t.p.prose(0, "")
	t.p.prose(0, fmt.Sprintf("%d of %d. %s", i+1, n, s.title))
	t.p.prose(0, "")
	t.p.prose(3, s.before)
	for _, c := range s.commands {
		fmt.Fprintf(t.p.stdout, "\n   $ stella %s\n", c.args)
		out, code := t.run(ctx, tourWords(c.args))
		if err := ctx.Err(); err != nil {
			return err
		}
		t.print(out, c.most)
		if code != c.code {
			return fmt.Errorf("tour: step %d: \"stella %s\" has exit code %d, want %d", i+1, c.args, code, c.code)
		}
		if code != 0 {
			fmt.Fprintf(t.p.stdout, "   (exit code %d)\n", code)
		}
	}
	if s.after != "" {
		t.p.prose(0, "")
		t.p.prose(3, s.after)
	}
	return nil
}

// tourWords parts a command line of the tour.
func tourWords(line string) (out []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 { // within quotes
			out[len(out)-1] += part
			continue
		}
		words := strings.Fields(part)
		if i > 0 && !strings.HasPrefix(part, " ") && len(words) > 0 {
			out[len(out)-1] += words[0]
			words = words[1:]
		}
		out = append(out, words...)
		if strings.HasSuffix(part, " ") {
			out = append(out, "")
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// run runs a command line in this process, in a world of its own.
func (t *tour) run(ctx context.Context, args []string) (out string, code int) {
	var b bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &b, stderr: &b, env: t.env}
	code = p.run(ctx, args)
	return b.String(), code
}

// tourEpoch is when the tour takes place, 2024-06-01: what it works on is of then, and so
// it prints the same whenever somebody takes it.
const tourEpoch = "1717200000"

// env is the environment of what is run: nothing of the user's is read or written.
func (t *tour) env(name string) string {
	switch {
	case name == "XDG_DATA_HOME" || name == "XDG_CACHE_HOME" || name == "XDG_CONFIG_HOME":
		return filepath.Join(t.dir, ".stella", strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "XDG_"), "_HOME")))
	case name == "STELLA_DB":
		return filepath.Join(t.dir, "db")
	case name == "SOURCE_DATE_EPOCH":
		return tourEpoch
	}
	return ""
}

// print writes what a command printed, indented, at most so many lines of it.
func (t *tour) print(out string, most int) {
	if out == "" {
		return
	}
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	for i, line := range lines {
		if most > 0 && i == most {
			fmt.Fprintf(t.p.stdout, "     … %d more lines\n", len(lines)-i)
			break
		}
		fmt.Fprintln(t.p.stdout, strings.TrimRight("     "+line, " "))
	}
}

// prose writes a text, wrapped.
func (p *program) prose(indent int, text string) {
	const width = 88
	line := ""
	flush := func() {
		fmt.Fprintln(p.stdout, strings.TrimRight(strings.Repeat(" ", indent)+line, " "))
		line = ""
	}
	for word := range strings.FieldsSeq(text) {
		if line != "" && indent+len(line)+1+len(word) > width {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += clean(word)
	}
	flush()
}

// ask waits for Enter. q, the end of the input, or an interrupt end the tour.
func (t *tour) ask(ctx context.Context, in io.Reader) func() (bool, error) {
	lines := make(chan string)
	go func() { // a read cannot be interrupted: the process ends with it
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return func() (bool, error) {
		fmt.Fprint(t.p.stdout, "\nEnter to go on, q to end: ")
		select {
		case <-ctx.Done():
			fmt.Fprintln(t.p.stdout)
			return false, ctx.Err()
		case line, ok := <-lines:
			return ok && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "q"), nil
		}
	}
}
