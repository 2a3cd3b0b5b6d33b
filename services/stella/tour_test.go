package main

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestTourPauses: Enter goes on, q ends, and so does the end of the input.
func TestTourPauses(t *testing.T) {
	for input, want := range map[string]int{"\n\nq\n": 3, "Q\n": 1, "": 1} {
		dir := t.TempDir()
		t.Chdir(dir)
		if err := writeTourFiles("."); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		tr := &tour{p: &program{stdout: &out, stderr: &out, env: os.Getenv}, dir: dir}
		ctx := t.Context()
		tr.pause = tr.ask(ctx, strings.NewReader(input))
		if err := tr.walk(ctx, ""); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), " of "+"11. "); got != want {
			t.Errorf("input %q: %d steps, want %d\n%s", input, got, want, out.String())
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	tr := &tour{p: &program{stdout: new(bytes.Buffer), env: os.Getenv}}
	if _, err := tr.ask(ctx, neverRead{})(); err == nil {
		t.Error("an interrupt does not end it")
	}
}

// neverRead is a terminal at which nobody types.
type neverRead struct{}

func (neverRead) Read([]byte) (int, error) { select {} }

// TestTourStops: at most twelve, and every command line is one of this program.
func TestTourStops(t *testing.T) {
	stops := tourStops()
	if len(stops) > 12 {
		t.Errorf("%d steps", len(stops))
	}
	p := &program{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer), env: func(string) string { return "" }}
	for _, s := range stops {
		for _, c := range s.commands {
			args := tourWords(c.args)
			cmd, rest, err := p.rootCommand().Find(args)
			if err != nil || !cmd.Runnable() {
				t.Errorf("stella %s: %v", c.args, err)
				continue
			}
			if err := cmd.ParseFlags(rest); err != nil {
				t.Errorf("stella %s: %v", c.args, err)
			}
		}
	}
	for line, want := range map[string][]string{
		"a b":               {"a", "b"},
		"a 'b c' d":         {"a", "b c", "d"},
		"a -o 'x={{.y z}}'": {"a", "-o", "x={{.y z}}"},
		"a b='c d'e f":      {"a", "b=c de", "f"},
	} {
		if got := tourWords(line); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
