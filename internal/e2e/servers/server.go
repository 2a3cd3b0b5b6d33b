package servers

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a running server that a test may hurt. It is not safe for
// concurrent use.
type Server struct {
	URL  string // as the SDK's drivers open it; it stays the same over Restart
	Addr string // host and port
	How  string // where the program came from

	dir     string
	command func() *exec.Cmd
	ready   func(context.Context) error
	cmd     *exec.Cmd
	done    chan struct{} // closed when cmd has ended
}

// startTimeout bounds how long a server takes until it answers.
const startTimeout = 60 * time.Second

// Kill ends the server with all its processes by SIGKILL and waits for that.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		t.Fatalf("kill the server at %s: it does not run", s.Addr)
	}
	s.kill()
}

// Stop freezes the server with all its processes by SIGSTOP: connections stay
// open and nothing answers.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGSTOP) }

// Cont thaws a frozen server.
func (s *Server) Cont(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

// Restart starts a killed server again, on the same port and files, and waits
// until it answers. A server that runs is killed first.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.kill()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if s.cmd == nil {
		t.Fatalf("signal the server at %s: it does not run", s.Addr)
	}
	for _, pid := range family(s.cmd.Process.Pid) {
		if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
			t.Fatalf("signal process %d of the server at %s: %v", pid, s.Addr, err)
		}
	}
}

func (s *Server) kill() {
	if s.cmd == nil {
		return
	}
	pids := family(s.cmd.Process.Pid)
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	<-s.done
	for _, pid := range pids {
		for range 500 { // children are reaped by others
			if syscall.Kill(pid, 0) == syscall.ESRCH {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	s.cmd = nil
}

// start runs the program and waits until it answers.
func (s *Server) start() error {
	cmd := s.command()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	done := make(chan struct{})
	if err := spawn(cmd, done); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	s.cmd, s.done = cmd, done
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := s.ready(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-done:
			s.cmd = nil
			return fmt.Errorf("start %s: it ended: %s", cmd.Path, tail(log))
		case <-ctx.Done():
			s.kill()
			return fmt.Errorf("start %s: no answer within %v: %w: %s", cmd.Path, startTimeout, err, tail(log))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tail returns the end of a log.
func tail(f *os.File) string {
	size, _ := f.Seek(0, io.SeekEnd)
	b := make([]byte, min(size, 2000))
	n, _ := f.ReadAt(b, size-int64(len(b)))
	return strings.TrimSpace(string(b[:n]))
}

// begin starts a server on a free port, with another one where somebody was
// faster.
func begin(s *Server, at func(port int)) error {
	var err error
	for range 3 {
		var port int
		if port, err = freePort(); err != nil {
			return err
		}
		s.Addr = "127.0.0.1:" + strconv.Itoa(port)
		at(port)
		if err = s.start(); err == nil {
			atExit(s.kill)
			return nil
		}
	}
	return err
}

// family returns a process and all its descendants, the process first.
func family(pid int) []int {
	out := []int{pid}
	for i := 0; i < len(out); i++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", out[i]))
		for _, task := range tasks {
			text, _ := os.ReadFile(task)
			for _, f := range strings.Fields(string(text)) {
				if child, err := strconv.Atoi(f); err == nil {
					out = append(out, child)
				}
			}
		}
	}
	return out
}

// spawner is the thread that starts servers: a child's death signal follows the
// thread that made it, so that thread must live as long as the test binary.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// spawn starts cmd so that it is killed when this process ends, and closes done
// when it has ended.
func spawn(cmd *exec.Cmd, done chan struct{}) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	result := make(chan error)
	spawner() <- func() { result <- cmd.Start() }
	if err := <-result; err != nil {
		return err
	}
	go func() {
		cmd.Wait()
		close(done)
	}()
	return nil
}
