// Stella is the command line of the SDK: it scans images and directories,
// matches what is inside with advisories, and works on SBOM documents. It wires
// packages scan, advisory and sbom, and holds no logic of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// The exit codes, part of the interface.
const (
	exitPass         = 0
	exitError        = 1  // the tool failed
	exitBlocked      = 2  // the gate says no
	exitNotAssessed  = 3  // the gate cannot say: something that matters was not assessed
	exitVerification = 4  // a signature or digest is not what it must be
	exitUsage        = 64 // wrong arguments
)

// exitError carries a code out of a command.
type codeError struct {
	code int
	err  error // nil: everything was said already
}

func (e *codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// program is the world as commands see it.
type program struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    func(string) string
	work   *work // that a long command shows; nil where nobody watches
}

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // what is kept of a large image is small beside what reading it allocates
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := &program{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Getenv}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and returns its exit code. A panic is an error like any
// other: the exit code that Go gives it says here that something was blocked.
func (p *program) run(ctx context.Context, args []string) (code int) {
	defer func() {
		if cause := recover(); cause != nil {
			p.complain(fmt.Errorf("a defect of stella: %v\n%s", cause, debug.Stack()))
			code = exitError
		}
	}()
	root := p.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitPass
	}
	var coded *codeError
	if errors.As(err, &coded) {
		if coded.err != nil {
			p.complain(coded.err)
		}
		return coded.code
	}
	p.complain(err)
	return exitError
}

// complain prints an error. Errors quote what files say, which must not command
// the terminal.
func (p *program) complain(err error) {
	p.work.end()
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	fmt.Fprintln(p.stderr, "stella:", strings.Join(lines, "\n"))
}
