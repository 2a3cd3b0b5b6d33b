package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
	_ "github.com/stella-ops/stella/store/postgres"
	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/queue/natsqueue"
	_ "github.com/stella-ops/stella/store/queue/valkeyqueue"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// childVariable makes the test binary a child; it holds a plan as JSON.
const childVariable = "STELLA_CRASH_CHILD"

// plan says what a child does, and where it dies.
type plan struct {
	Role, Name string
	Store      string // URL
	Queue      string // URL; "" for the queue in the store
	Bucket     string // URL
	Images     string // folder with the layouts of the images
	Proof      string // folder of what signs and logs; "" where nothing is proved
	TSA        string // host and port of the timestamp authority
	Alarm      *alarm // of those that tell people; nil for all others
	Seed       uint64
	From       int // submitter: number of the first key
	Pace       time.Duration
	Lease      time.Duration
	Claim      time.Duration // of messages
	Stale      time.Duration // 0 means the default
	// At the nth pass of the point, the process sends itself the signal.
	Point  crashpoint.Point
	Nth    int
	Signal syscall.Signal
}

// child is this process.
type child struct {
	plan
	ctx    context.Context
	out    *os.File
	root   *store.Root
	bucket *blob.Bucket
	proof  *proof // nil where nothing is proved
	passed atomic.Int64
}

// say tells the parent one line. A write of less than a page is atomic, and what
// is in the pipe survives its writer.
func (c *child) say(words ...any) {
	line := strings.ReplaceAll(strings.TrimSuffix(fmt.Sprintln(words...), "\n"), "\n", " ")
	if len(line) > 2000 {
		line = line[:2000]
	}
	c.out.WriteString(line + "\n")
}

func (c *child) report(err error) { c.say("report", err) }

// pass is the hook of crash points, and of the sites that the zombie adds.
func (c *child) pass(p crashpoint.Point) {
	if p != c.Point || c.passed.Add(1) != int64(c.Nth) {
		return
	}
	c.say("hit", p)
	syscall.Kill(os.Getpid(), c.Signal)
	if c.Signal == syscall.SIGKILL {
		select {} // the signal is on its way
	}
	time.Sleep(time.Millisecond) // let the stop happen here
	c.say("woke", p)
}

// runChild does a role until the process is killed or its input ends.
func runChild(text string) int {
	c := &child{ctx: context.Background(), out: os.NewFile(3, "parent")}
	if err := json.Unmarshal([]byte(text), &c.plan); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	crashpoint.Set(c.pass)
	for {
		err := c.run()
		if err == nil {
			return 0
		}
		c.report(fmt.Errorf("%s: %w", c.Role, err)) // a server may be away
		time.Sleep(100 * time.Millisecond)
	}
}

func (c *child) run() (err error) {
	if strings.HasPrefix(c.Role, "naive-") {
		return c.naive()
	}
	if c.root, err = store.Open(c.ctx, c.Store); err != nil {
		return err
	}
	defer c.root.Close()
	if c.bucket, err = blob.Open(c.ctx, c.Bucket); err != nil {
		return err
	}
	q := queue.New(c.root.QueueDriver())
	if c.Queue != "" {
		if q, err = queue.Open(c.ctx, c.Queue); err != nil {
			return err
		}
		defer q.Close()
	}
	if c.Alarm != nil {
		return c.alarming(q)
	}
	for group, types := range map[string][]event.Type{event.GroupScannerWeb: {event.SBOMCreated}, event.GroupTimeline: nil} {
		if err := register(c.ctx, c.root, event.ScannerEvents, group, types...); err != nil {
			return err
		}
	}
	if err := register(c.ctx, c.root, event.ScannerJobs, event.GroupScannerWorkers); err != nil {
		return err
	}
	if c.Proof != "" {
		if err := register(c.ctx, c.root, event.ScannerEvents, event.GroupExport, event.ScanCompleted); err != nil {
			return err
		}
		if c.proof, err = openProof(c.Proof, c.TSA, c.root, c.bucket); err != nil {
			return err
		}
	}
	c.say("ready")
	if c.proof != nil && slices.Contains(provers, c.Role) {
		return c.proving(func(topic, group string, handle func(context.Context, []byte) error) error {
			return c.consume(q, topic, group, handle)
		})
	}
	switch c.Role {
	case "submitter":
		return c.submit()
	case "relay":
		return c.root.Relay(q, &store.RelayOptions{Claim: 2 * time.Second, Stale: c.Stale, Sweep: 250 * time.Millisecond, Report: c.report}).Run(c.ctx)
	case "worker":
		return c.consume(q, event.ScannerJobs, event.GroupScannerWorkers, c.worker().Handle)
	case "web":
		return c.consume(q, event.ScannerEvents, event.GroupScannerWeb, c.completer().Handle)
	case "reader":
		return c.consume(q, event.ScannerEvents, event.GroupTimeline, c.note)
	case "collector":
		return c.collect()
	}
	return fmt.Errorf("no role is called %q", c.Role)
}

// register registers a group, however long the store is busy: a process that was stopped
// may hold its lock for longer than anybody waits for it.
func register(ctx context.Context, root *store.Root, topic, group string, types ...event.Type) error {
	for end := time.Now().Add(time.Minute); ; {
		err := root.Register(ctx, topic, group, types...)
		if !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil || time.Now().After(end) {
			return err
		}
	}
}

func (c *child) consume(q *queue.Queue, topic, group string, handle func(context.Context, []byte) error) error {
	g, err := q.Group(c.ctx, topic, group)
	if err != nil {
		return err
	}
	return queue.Consume(c.ctx, g, func(ctx context.Context, body []byte) error {
		err := handle(ctx, body)
		if err != nil {
			c.report(err)
		}
		return err
	}, &queue.Options{Consumer: c.Name, Parallel: c.parallel(), Claim: c.Claim, Attempts: 10, Backoff: 500 * time.Millisecond, MaxBackoff: 2 * time.Second, Report: c.report})
}
