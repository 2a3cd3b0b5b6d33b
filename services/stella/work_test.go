package main

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
)

// screen is a terminal that several write to.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// take returns what is there, and wipes it.
func (s *screen) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.buf.Reset()
	return s.buf.String()
}

// TestWork: what takes long says so, and its totals in the end; what does not says
// nothing.
func TestWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out screen
		quick := newWork("db import", &out)
		time.Sleep(workDelay / 2)
		quick.end()
		if got := out.take(); got != "" {
			t.Errorf("a quick command says %q", got)
		}
		slow := newWork("db import", &out)
		if _, err := io.Copy(io.Discard, slow.reader(strings.NewReader(strings.Repeat("x", 1234567)))); err != nil {
			t.Fatal(err)
		}
		slow.count(1, "records")
		slow.count(41, "records")
		time.Sleep(workDelay + workStep/2)
		synctest.Wait()
		if got, want := out.take(), "\r\x1b[Kdb import  42 records  1.2 MB read  1s"; got != want {
			t.Errorf("at work: %q, want %q", got, want)
		}
		slow.wipe()
		slow.wipe()
		if got := out.take(); got != "\r\x1b[K" {
			t.Errorf("wiped away: %q", got)
		}
		time.Sleep(2*time.Second - workStep/2)
		synctest.Wait()
		out.take()
		slow.end()
		slow.end()
		if got, want := out.take(), "\r\x1b[Kdb import  42 records  1.2 MB read  3s\n"; got != want {
			t.Errorf("in the end: %q, want %q", got, want)
		}
	})
	var none *work
	none.count(1, "records")
	none.wipe()
	none.end()
	if r := strings.NewReader("x"); none.reader(r) != io.Reader(r) {
		t.Error("nobody watches, and it is counted")
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_949: "999.9 kB", 999_951: "1.0 MB", 1 << 62: "4.6 EB"} {
		if got := amount(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
}

// TestLongCommands: each of them is there, can be told to be quiet, and is run as before.
func TestLongCommands(t *testing.T) {
	p := &program{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer), env: func(string) string { return "" }}
	root := p.rootCommand()
	for _, path := range longCommands() {
		cmd, rest, err := root.Find(strings.Fields(path)[1:])
		if err != nil || len(rest) > 0 || cmd.CommandPath() != path {
			t.Errorf("%s: there is no such command: %v", path, err)
			continue
		}
		if cmd.Flags().Lookup("no-progress") == nil || cmd.Flags().ShorthandLookup("q") == nil {
			t.Errorf("%s: nothing keeps it quiet", path)
		}
	}
	ran := false
	cmd := &cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error { ran = true; return io.EOF }}
	p.showsWork(cmd)
	cmd.SetArgs([]string{"-q"})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.Execute(); err != io.EOF || !ran || p.work != nil {
		t.Errorf("run: %v, %v", ran, err)
	}
}
