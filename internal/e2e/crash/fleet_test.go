package crash

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store/crashpoint"
)

// slot is the place of one process, which is started again and again.
type slot struct {
	role string
	name string

	mu   sync.Mutex // held while it is killed and started
	proc *process
}

// process is a child as the parent sees it.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when it has ended and all it said was heard
	ready chan struct{} // closed when it works
	lines chan string   // hits, claims and what became of writes, for who waits
	last  atomic.Value  // the last report
	armed bool          // whether it is to die at a point
	// What it printed, as far as it is the end: a panic, say.
	stderr tail
}

// tail keeps the end of what is written.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, p...)
	w.b = w.b[max(0, len(w.b)-4000):]
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.b)
}

// write is one that the store accepted or refused.
type write struct {
	what, job string
	epoch     int64
}

// journal is what the parent knows without asking the store.
type journal struct {
	mu       sync.Mutex
	file     *os.File
	tried    int            // the highest number that was submitted
	acked    map[int]string // by number: the job
	doubled  []string       // numbers that were answered with two jobs
	accepted []write
	fenced   []write
	got      map[string]string // what was downloaded, by file, key and version
	wrong    []string          // downloads that gave something else, or nothing
	replayed int               // dead and parked deliveries that somebody had sent again
	// Deliveries whose outcome a process that lived could not note: its store was busy.
	unsettled map[string]bool
	hits      map[crashpoint.Point]int
	kills     map[string]int // by role
}

func (j *journal) next(rng *rand.Rand) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.tried < 0 {
		return 0
	}
	if j.acked[j.tried] == "" && rng.IntN(4) > 0 {
		return j.tried // the client repeats what nobody answered
	}
	return j.tried + 1 // it gave up
}

// heard takes a line of a child.
func (j *journal) heard(line string) (forWaiters bool) {
	words := strings.Fields(line)
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case len(words) == 2 && words[0] == "try":
		n, _ := strconv.Atoi(words[1])
		j.tried = max(j.tried, n)
	case len(words) == 4 && words[0] == "ack":
		n, _ := strconv.Atoi(words[1])
		if before := j.acked[n]; before != "" && before != words[2] {
			j.doubled = append(j.doubled, line)
		}
		j.file.WriteString(line + "\n")
		j.file.Sync()
		j.acked[n] = words[2]
	case len(words) == 4 && (words[0] == "accepted" || words[0] == "fenced"):
		epoch, _ := strconv.ParseInt(words[3], 10, 64)
		w := write{words[1], words[2], epoch}
		if words[0] == "fenced" {
			j.fenced = append(j.fenced, w)
		} else {
			j.accepted = append(j.accepted, w)
		}
		return true
	case len(words) == 5 && words[0] == "got":
		at := strings.Join(words[1:4], " ")
		if before := j.got[at]; before != "" && before != words[4] {
			j.wrong = append(j.wrong, line+", before "+before)
		}
		j.got[at] = words[4]
	case len(words) == 3 && words[0] == "unsettled":
		j.unsettled[words[1]] = true
	case words[0] == "replayed":
		j.replayed++
	case words[0] == "lost":
		j.wrong = append(j.wrong, line)
	case len(words) == 2 && words[0] == "hit":
		j.hits[crashpoint.Point(words[1])]++
		return true
	case words[0] == "claimed":
		return true
	}
	return false
}

// fleet is all processes of a run.
type fleet struct {
	t       *testing.T
	base    plan
	journal journal
	slots   []*slot
	rng     *rand.Rand
	rngMu   sync.Mutex
	names   atomic.Int64
}

func (f *fleet) intn(n int) int {
	f.rngMu.Lock()
	defer f.rngMu.Unlock()
	return f.rng.IntN(n)
}

func newFleet(t *testing.T, base plan, seed uint64, roles map[string]int) *fleet {
	t.Helper()
	file, err := os.Create(t.TempDir() + "/journal")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	f := &fleet{t: t, base: base, rng: rand.New(rand.NewPCG(seed, 1))}
	f.journal = journal{file: file, tried: -1, acked: map[int]string{}, got: map[string]string{}, unsettled: map[string]bool{}, hits: map[crashpoint.Point]int{}, kills: map[string]int{}}
	for _, role := range []string{"relay", "worker", "web", "reader", "collector", "exporter", "attestor", "downloader", "notify", "delivery", "bystander", "timeline", "operator", "submitter"} {
		for n := range roles[role] {
			f.slots = append(f.slots, &slot{role: role, name: fmt.Sprintf("%s-%d", role, n+1)})
		}
	}
	t.Cleanup(func() {
		for _, s := range f.slots {
			s.mu.Lock()
			f.end(s)
			s.mu.Unlock()
		}
	})
	for _, s := range f.slots {
		s.mu.Lock()
		f.start(s, plan{})
		s.mu.Unlock()
	}
	return f
}

// slot returns the one of a name.
func (f *fleet) slot(name string) *slot {
	for _, s := range f.slots {
		if s.name == name {
			return s
		}
	}
	f.t.Fatalf("no slot is called %s", name)
	return nil
}

// start runs the child of a slot, which dies or stops where arm says. The slot is
// locked.
func (f *fleet) start(s *slot, arm plan) {
	p := f.base
	p.Role, p.Name = s.role, fmt.Sprintf("%s.%d", s.name, f.names.Add(1))
	p.Point, p.Nth, p.Signal = arm.Point, arm.Nth, arm.Signal
	if arm.Lease > 0 {
		p.Lease = arm.Lease
	}
	if strings.HasSuffix(s.role, "submitter") {
		f.rngMu.Lock()
		p.From = f.journal.next(f.rng)
		f.rngMu.Unlock()
	}
	proc, err := startChild(p, func(proc *process, line string) {
		switch {
		case line == "ready":
			select {
			case <-proc.ready:
			default:
				close(proc.ready)
			}
		case strings.HasPrefix(line, "died "):
			f.t.Errorf("%s ended by itself: %s", p.Name, line)
		case strings.HasPrefix(line, "report "):
			proc.last.Store(line)
			if verbose {
				fmt.Fprintf(os.Stderr, "%s %s: %s\n", time.Now().Format("05.000"), p.Name, line)
			}
		case f.journal.heard(line):
			select {
			case proc.lines <- line:
			default: // nobody waits
			}
		}
	})
	if err != nil {
		f.t.Errorf("start %s: %v", s.name, err)
		return
	}
	proc.armed = arm.Point != ""
	s.proc = proc
}

var verbose = os.Getenv("STELLA_CRASH_VERBOSE") == "1"

// startChild runs this binary as a child and hears what it says.
func startChild(p plan, heard func(*process, string)) (*process, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	proc := &process{done: make(chan struct{}), ready: make(chan struct{}), lines: make(chan string, 4096)}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childVariable+"="+string(text), "GOMAXPROCS=2")
	cmd.ExtraFiles = []*os.File{w}
	if verbose {
		cmd.Stderr = os.Stderr
	} else { // a client of one of the servers prints what it also returns
		cmd.Stderr = &proc.stderr
	}
	proc.cmd = cmd
	if proc.stdin, err = cmd.StdinPipe(); err != nil {
		r.Close()
		return nil, err
	}
	ended := make(chan struct{})
	if err := servers.Spawn(cmd, ended); err != nil {
		r.Close()
		return nil, err
	}
	go func() {
		defer close(proc.done)
		defer r.Close()
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			heard(proc, lines.Text())
		}
		<-ended
		if state := cmd.ProcessState; state != nil && state.Exited() && state.ExitCode() != 0 {
			heard(proc, "died "+strings.ReplaceAll(proc.stderr.String(), "\n", " | "))
		}
	}()
	return proc, nil
}

// end kills the child of a slot, which is locked.
func (f *fleet) end(s *slot) {
	if s.proc == nil {
		return
	}
	s.proc.cmd.Process.Signal(syscall.SIGKILL)
	<-s.proc.done
	s.proc = nil
}

// kill ends a process at whatever it does, and starts the next one.
func (f *fleet) kill(s *slot, pause time.Duration, arm plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.end(s)
	f.journal.mu.Lock()
	f.journal.kills[s.role]++
	f.journal.mu.Unlock()
	time.Sleep(pause)
	f.start(s, arm)
}

// waitHit waits until the process of a slot has said that it passes the point.
func (p *process) wait(prefix string, limit time.Duration) (string, bool) {
	over := time.After(limit)
	for {
		select {
		case line := <-p.lines:
			if strings.HasPrefix(line, prefix) {
				return line, true
			}
		case <-over:
			return "", false
		}
	}
}

// finish has the submitter end after its current request.
func (f *fleet) finish(s *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proc.stdin.Close()
	select {
	case <-s.proc.done:
	case <-time.After(30 * time.Second):
		f.t.Errorf("the submitter did not end: last report: %v", s.proc.last.Load())
		f.end(s)
	}
	s.proc = nil
}
