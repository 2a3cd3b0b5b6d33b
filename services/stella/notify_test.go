package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/sqlite"
)

// receivers is a server that stands for receivers of webhooks: /CODE/NAME answers with a
// status, and /busy/NAME with 503 the first time.
type receivers struct {
	mu   sync.Mutex
	got  map[string][]received // by name
	busy map[string]bool
}

type received struct {
	header http.Header
	body   []byte
}

func (r *receivers) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	kind, name := path.Split(strings.TrimPrefix(q.URL.Path, "/"))
	r.got[name] = append(r.got[name], received{q.Header.Clone(), body})
	status, err := strconv.Atoi(strings.Trim(kind, "/"))
	if err != nil {
		status = http.StatusOK
		if !r.busy[name] {
			r.busy[name], status = true, http.StatusServiceUnavailable
		}
	}
	w.WriteHeader(status)
}

// TestNotifyScripts runs the command lines of testdata/notify. $RECEIVER is the address of
// receivers, and "point IN OUT" writes it into a file. "received NAME COUNT [BODY HEADERS]"
// demands how many messages one got, and writes the last one.
func TestNotifyScripts(t *testing.T) {
	r := &receivers{got: map[string][]received{}, busy: map[string]bool{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/notify",
		Setup: func(env *testscript.Env) error {
			env.Setenv("RECEIVER", server.URL)
			env.Setenv("USER", "ann")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit": exitCode, "received": r.received, "happen": happen, "route": route, "edit": editFile, "point": point, "cut": cutLines,
		},
		UpdateScripts: os.Getenv("UPDATE") != "",
	})
}

func (r *receivers) received(ts *testscript.TestScript, _ bool, args []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.got[args[0]]
	if fmt.Sprint(len(list)) != args[1] {
		ts.Fatalf("%s got %d messages, want %s", args[0], len(list), args[1])
	}
	if len(args) < 4 {
		return
	}
	last := list[len(list)-1]
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), last.body, 0o644))
	var b strings.Builder
	ts.Check(last.header.Write(&b))
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(b.String()), 0o644))
}

// driftEvent is an event of a tenant.
func driftEvent(ts *testscript.TestScript, tenant string, n int) *event.Event {
	d := &event.Drift{Head: int64(n), Vulnerability: fmt.Sprintf("CVE-2026-%d", 1000+n), Cause: "new", Severity: "critical", Scans: []event.DriftScan{{ScanID: fmt.Sprint("scan-", n), ImageRef: "shop/web:1"}}}
	data, err := d.Encode()
	ts.Check(err)
	return &event.Event{ID: fmt.Sprint("drift/", n), Type: event.AdvisoryDrift, Source: "concelier", Tenant: tenant, Time: time.Date(2026, 11, 1, 0, n, 0, 0, time.UTC), Data: data}
}

// happen is "happen DB TENANT FROM TO": events FROM to TO get on the timeline.
func happen(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	root, err := sqlite.Open(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer root.Close()
	t, err := root.Tenant(args[1])
	ts.Check(err)
	from, err := strconv.Atoi(args[2])
	ts.Check(err)
	to, err := strconv.Atoi(args[3])
	ts.Check(err)
	var list []timeline.Event
	for n := from; n <= to; n++ {
		body, err := driftEvent(ts, args[1], n).Encode()
		ts.Check(err)
		e, err := timeline.Read(event.ConcelierDrift, body)
		ts.Check(err)
		list = append(list, *e)
	}
	ts.Check(t.Timeline().Append(ctx, list))
}

// route is "route DB TENANT N": event N is decided about by the settings that stand there,
// and each delivery is tried once, without secrets: it is dead.
func route(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	root, err := sqlite.Open(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer root.Close()
	t, err := root.Tenant(args[1])
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	open := func(tenant string) notify.Opener {
		return channels.Opener(tenant, &channels.Options{Allow: []string{"127.0.0.1"}})
	}
	router := &notify.Router{Stores: func(string) (notify.Routes, error) { return t.Notify(), nil }, Open: open}
	body, err := driftEvent(ts, args[1], n).Encode()
	ts.Check(err)
	ts.Check(router.Handle(ctx, body))
	d := &notify.Deliverer{Queues: func(string) (notify.Queue, error) { return t.Notify(), nil }, Open: open, Holder: "test", Now: time.Now, Backoff: notify.Backoff{Attempts: 1}}
	page, err := t.Notify().Deliveries(ctx, notify.Query{Status: notify.Pending})
	ts.Check(err)
	for _, one := range page.Deliveries {
		if _, err := d.Deliver(ctx, args[1], one.ID); err != nil {
			ts.Fatalf("%v", err)
		}
		ts.Check(os.WriteFile(ts.MkAbs("delivery"), []byte(one.ID), 0o644))
		ts.Setenv("DELIVERY", one.ID)
		ts.Setenv("INCIDENT", one.Incident)
	}
}

// editFile is "edit FILE OLD NEW OTHER": a copy with a text exchanged, which must be there.
func editFile(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not have %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}

// cutLines is "cut FILE N OTHER": a copy without the last N lines.
func cutLines(ts *testscript.TestScript, _ bool, args []string) {
	lines := strings.SplitAfter(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.Join(lines[:len(lines)-n], "")), 0o644))
}

// point is "point IN OUT": a copy with the address of receivers.
func point(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.ReplaceAll(ts.ReadFile(args[0]), "$RECEIVER", ts.Getenv("RECEIVER"))), 0o644))
}
