package flows

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

var (
	killSeed  = flag.Uint64("seed", 1, "seed of TestKill: who is killed, and when")
	killCount = flag.Int("kills", -1, "kills of TestKill; 0 is each kind of process and each engine once; without it 200 with STELLA_LONG=1, else none")
)

// The amounts of TestKill. Short runs kill each kind of process and each engine once.
const (
	longKills  = 200
	submitters = 3
	undoneEach = 6                      // scans that a submitter has under way at most
	pace       = 150 * time.Millisecond // between its requests for scans
	drainLimit = 90 * time.Second       // until all is done after the last fault
	claimLimit = 45 * time.Second       // until a message comes back whose reader was killed
)

// TestKill kills the processes and the engines of an installation under load, one at a time,
// and starts them again. What was acknowledged is not lost, and nothing has happened twice.
func TestKill(t *testing.T) {
	r := &killRun{T: t, rand: rand.New(rand.NewPCG(*killSeed, 8)), hit: map[string]int{}, slow: map[string][2]time.Duration{}, places: map[string]string{}, began: time.Now()}
	t.Logf("again: go test ./internal/e2e/flows -run '^TestKill$' -seed %d", *killSeed)
	if *killCount < 0 && os.Getenv("STELLA_LONG") == "1" {
		*killCount = longKills
	}
	if *killCount < 0 {
		t.Skip("it takes a minute and more, and its drain depends on how fast the machine is: run it with -kills 0, or STELLA_LONG=1 for 200")
	}
	t.Setenv("STELLA_MANAGEMENT_PPROF", "true")
	if *killCount == 0 { // else it takes as long as it does where nothing is set
		t.Setenv("STELLA_WORKER_LEASE", "5s")
		t.Setenv("STELLA_NOTIFIER_LEASE", "10s")
	}
	r.postgres, r.valkey, r.s3 = servers.StartPostgres(t), servers.StartValkey(t), servers.StartS3(t)
	r.database = servers.PrepareStore(t, r.postgres.URL)
	r.queueURL = r.valkey.URL + "?prefix=kill"
	var password string
	r.site, password = spread(t, engines{store: r.database.App, queue: r.queueURL, cache: r.queueURL, bucket: r.s3.URL})
	r.ci = r.site.ci(r.site.admin("default", password), everything...)
	r.hook = listenHook(t)
	r.prepare()
	r.load = startLoad(t, r.site, r.ci)
	t.Cleanup(r.load.stop)
	r.load.until(2 * submitters)
	ready := time.Since(r.began)

	r.kills()
	r.load.stop()
	last := time.Now()
	r.drain(drainLimit)
	drained := time.Since(last)
	r.recovering.Wait()
	r.check()
	r.report(ready, drained)
}

// killRun is one run.
type killRun struct {
	*testing.T
	site     *site
	ci       *caller
	load     *load
	hook     *hook
	rand     *rand.Rand
	database servers.StoreDatabase
	queueURL string
	began    time.Time

	postgres, valkey, s3 *servers.Server

	recovering sync.WaitGroup
	mu         sync.Mutex
	back, done []time.Duration // until who was killed is ready, and until all is done that was asked for before
	hit        map[string]int
	slow       map[string][2]time.Duration // by who was killed, the longest of both
	places     map[string]string           // in the log by statement, and statements by place
	db         *sql.DB
}

// prepare waits for the first advisories, and says what the tenant wants.
func (r *killRun) prepare() {
	f := &flow{T: r.T, site: r.site, ci: r.ci}
	f.first()
	const policy = "id: release\nversion: 1\nrules:\n  - id: known\n    match: {fix: available}\n    action: block\n    because: a repaired version is there\n"
	if status, _, text := r.ci.send("POST", "/api/v1/policies", "application/yaml", policy); status != http.StatusCreated {
		r.Fatalf("keep a policy: %d: %s", status, text)
	}
	r.ci.do("POST", "/api/v1/policies/release/versions/1/activate", map[string]any{"environment": "production", "reason": "the first one"}, http.StatusOK)
	r.ci.put("/api/v1/notify/endpoints/hook", map[string]any{"type": "webhook", "url": r.hook.url, "secrets": map[string]string{"signing": "file:hook"}})
	r.ci.put("/api/v1/notify/rules/each", map[string]any{"to": []any{map[string]any{"endpoint": "hook"}}, "group_by": "none", "burst": 1000, "match": map[string]any{"types": []string{"scan.completed"}}})
}

// victim is who can be killed.
type victim struct {
	name   string
	kill   func()
	revive func()
}

// victims are all processes and engines, and the queue that loses what it has while it runs.
func (r *killRun) victims() []victim {
	var out []victim
	for _, p := range r.site.processes {
		out = append(out, victim{p.name, func() { r.killProcess(p) }, func() { r.reviveProcess(p) }})
	}
	for name, s := range map[string]*servers.Server{"postgres": r.postgres, "s3": r.s3} {
		out = append(out, victim{name, func() { s.Kill(r.T) }, func() { s.Restart(r.T) }})
	}
	out = append(out,
		victim{"valkey", func() { r.valkey.Kill(r.T) }, func() { r.valkey.Restart(r.T) }},
		victim{"flush", r.flush, func() {}})
	slices.SortFunc(out, func(a, b victim) int { return strings.Compare(a.name, b.name) })
	return out
}

func (r *killRun) killProcess(p *process) {
	select {
	case <-p.done:
		r.Fatalf("%s ended by itself:\n%s", p.name, r.site.logs[p.name])
	default:
	}
	p.cmd.Process.Kill()
	<-p.done
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		r.Errorf("%s was to be killed, and ended as %v", p.name, p.cmd.ProcessState)
	}
}

func (r *killRun) reviveProcess(p *process) {
	r.site.env = p.cmd.Env // some have secrets there
	r.site.run(p)
	r.site.env = nil
	r.site.ready(p)
}

// plan says who is killed in which order: everybody once first, in short runs one worker for
// all.
func (r *killRun) plan() []victim {
	all := r.victims()
	r.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if *killCount == 0 {
		worker := false
		return slices.DeleteFunc(all, func(v victim) bool {
			again := worker && strings.HasPrefix(v.name, "worker-")
			worker = worker || strings.HasPrefix(v.name, "worker-")
			return again
		})
	}
	out := slices.Clone(all)
	for len(out) < *killCount {
		out = append(out, all[r.rand.IntN(len(all))])
	}
	return out
}

func (r *killRun) kills() {
	plan := r.plan()
	for i, v := range plan {
		r.sleep(100, 900)
		if i == len(plan)/2 {
			r.delta()
		}
		if v.name == "valkey" || v.name == "flush" {
			r.noDead() // what was given up would be lost
		}
		flying, at := r.load.flying(), time.Now()
		v.kill()
		if flying {
			r.hit[v.name]++
		} else {
			r.Errorf("kill %d: nothing was under way when %s was killed", i, v.name)
		}
		r.sleep(0, 600)
		begun := time.Now()
		v.revive()
		back := time.Since(begun)
		r.mu.Lock()
		r.back = append(r.back, back)
		r.slow[v.name] = [2]time.Duration{max(r.slow[v.name][0], back), r.slow[v.name][1]}
		r.mu.Unlock()
		r.recovering.Go(func() { r.recovered(v.name, at) })
		if *killCount > 0 {
			r.load.until(2) // the installation works again
		}
	}
}

// sleep waits between two numbers of milliseconds.
func (r *killRun) sleep(from, to int) {
	time.Sleep(time.Duration(from+r.rand.IntN(to-from)) * time.Millisecond)
}

// delta is flow 2 under load: advisories change.
func (r *killRun) delta() {
	r.site.publish(`{"pkg":{"name":"bolt","secfixes":{"1.9-r3":["CVE-2024-10001"]}}},{"pkg":{"name":"nut","secfixes":{"2.0-r1":["CVE-2024-20002"]}}}`)
	r.load.ask("POST", "/api/v1/advisories/sources/wolfi/sync", nil, []int{http.StatusAccepted})
}

// recovered notes how long it takes until all has ended that was asked for until a time.
func (r *killRun) recovered(who string, at time.Time) {
	before := at.UnixMicro()
	for {
		n, err := r.count(roleApp, `SELECT count(*) FROM scanner.scan_jobs WHERE tenant_id = 'default' AND created_us <= $1 AND status IN ('pending', 'running', 'evaluating')`, before)
		took := time.Since(at)
		if err == nil && n == 0 {
			r.mu.Lock()
			r.done = append(r.done, took)
			r.slow[who] = [2]time.Duration{r.slow[who][0], max(r.slow[who][1], took)}
			r.mu.Unlock()
			return
		}
		if took > claimLimit*2 {
			r.Errorf("%v after %s was killed %d scans have not ended that were asked for before: %v", took, who, n, err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// flush has the queue lose what it has.
func (r *killRun) flush() {
	u, err := url.Parse(r.valkey.URL)
	if err != nil {
		r.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Close()
	password, _ := u.User.Password()
	fmt.Fprintf(conn, "AUTH default %s\r\nFLUSHALL\r\n", password)
	in := bufio.NewReader(conn)
	for range 2 {
		if line, err := in.ReadString('\n'); err != nil || strings.TrimSpace(line) != "+OK" {
			r.Fatalf("FLUSHALL: %q, %v", line, err)
		}
	}
}

func (r *killRun) report(ready, drained time.Duration) {
	l := r.load
	kills := 0
	for _, n := range r.hit {
		kills += n
	}
	slices.Sort(r.back)
	slices.Sort(r.done)
	middle := func(d []time.Duration, percent int) time.Duration {
		return d[min(len(d)*percent/100, len(d)-1)].Round(time.Millisecond)
	}
	r.Logf("%d kills %v; %d requests for scans, %d requests in all, %d of them failed and were repeated", kills, r.hit, len(l.tickets), l.requests.Load(), l.failures.Load())
	r.Logf("ready again after %v (half), %v (all); what was asked for before a kill was done %v (half), %v (99%%) after it; the rest %v after the load; ready to begin after %v, all in %v",
		middle(r.back, 50), middle(r.back, 100), middle(r.done, 50), middle(r.done, 99), drained.Round(time.Millisecond), ready.Round(time.Millisecond), time.Since(r.began).Round(time.Millisecond))
	r.Logf("the longest of both: %v", r.slow)
	unsigned, err := r.count(roleApp, `SELECT count(*) FROM scanner.scan_jobs WHERE tenant_id = 'default' AND unsigned <> 0`)
	r.Logf("%d scans were completed while nobody signed (%v)", unsigned, err)
	if l.failures.Load() == 0 {
		r.Errorf("no request felt any of %d kills", kills)
	}
}

// ticket is what was asked for under a key.
type ticket struct {
	key, image, id string
	cancelled      bool // somebody asked for that, and it was granted
	repeated       int
	ended          bool
}

// load are clients at work: each repeats what was not answered, under the same key.
type load struct {
	t       *testing.T
	site    *site
	ci      *caller
	ctx     context.Context
	cancel  context.CancelFunc
	ending  atomic.Bool
	running sync.WaitGroup

	inFlight, requests, failures, ended atomic.Int64

	mu      sync.Mutex
	tickets []*ticket
}

func startLoad(t *testing.T, s *site, ci *caller) *load {
	l := &load{t: t, site: s, ci: ci}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for n := range submitters {
		l.running.Go(func() { l.submitter(n) })
	}
	return l
}

// stop has the clients finish what they do.
func (l *load) stop() {
	l.ending.Store(true)
	late := time.AfterFunc(2*time.Minute, l.cancel)
	l.running.Wait()
	late.Stop()
}

// until waits until so many more scans have ended.
func (l *load) until(n int64) {
	l.t.Helper()
	want := l.ended.Load() + n
	for end := time.Now().Add(claimLimit * 2); l.ended.Load() < want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("of %d scans %d have ended", n, l.ended.Load()-want+n)
		}
	}
}

// flying reports whether requests are under way, as they soon are.
func (l *load) flying() bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if l.inFlight.Load() > 0 {
			return true
		}
	}
	return false
}

func (l *load) submitter(n int) {
	names := []string{"app:1", "other:1"}
	var open []*ticket
	for i := 0; !l.ending.Load() && l.ctx.Err() == nil; i++ {
		k := &ticket{key: fmt.Sprintf("kill-%d-%d", n, i), image: names[(n+i)%len(names)]}
		k.id = l.submit(k)
		if k.id == "" {
			return
		}
		l.mu.Lock()
		l.tickets = append(l.tickets, k)
		l.mu.Unlock()
		if i%9 == 4 {
			l.abandon(k)
		}
		if i%5 == 2 {
			l.again(k)
		}
		open = append(open, k)
		for first := true; first || len(open) >= undoneEach && !l.ending.Load() && l.ctx.Err() == nil; first = false {
			time.Sleep(pace)
			open = slices.DeleteFunc(open, l.look)
		}
	}
}

// submit asks for a scan.
func (l *load) submit(k *ticket) string {
	_, text := l.ask("POST", "/api/v1/scans", map[string]any{"image_ref": l.site.registry + "/" + k.image, "formats": []string{"spdx-json"}}, []int{http.StatusAccepted}, "Idempotency-Key", k.key)
	var got struct {
		ID string `json:"job_id"`
	}
	if l.ctx.Err() == nil && (json.Unmarshal(text, &got) != nil || got.ID == "") {
		l.t.Errorf("%s is answered with %.300s", k.key, text)
	}
	return got.ID
}

// again asks once more under the same key.
func (l *load) again(k *ticket) {
	if id := l.submit(k); id != k.id && l.ctx.Err() == nil {
		l.t.Errorf("key %s is %s, and now %s", k.key, k.id, id)
	}
	k.repeated++
}

func (l *load) abandon(k *ticket) {
	status, _ := l.ask("POST", "/api/v1/scans/"+k.id+"/cancel", map[string]any{"reason": "no longer wanted"}, []int{http.StatusOK, http.StatusConflict})
	k.cancelled = status == http.StatusOK
}

// look reads how a scan stands and, where it has been completed, what it brought. It reports
// whether it has ended.
func (l *load) look(k *ticket) bool {
	_, text := l.ask("GET", "/api/v1/scans/"+k.id, nil, []int{http.StatusOK})
	var job struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(text, &job) != nil {
		return l.ctx.Err() != nil
	}
	switch job.Status {
	case "queued", "running", "evaluating":
		return false
	case "completed":
		l.ask("GET", "/api/v1/scans/"+k.id+"/findings", nil, []int{http.StatusOK})
		// 404 is for what nobody has asked for yet, which is soon after the scan.
		if status, _ := l.ask("GET", "/api/v1/scans/"+k.id+"/export?format=evidence", nil, []int{http.StatusOK, http.StatusAccepted, http.StatusNotFound}); status != http.StatusOK && l.ctx.Err() == nil {
			return false
		}
		l.ask("GET", "/api/v1/scans/"+k.id+"/exports", nil, []int{http.StatusOK})
	}
	if !k.ended {
		k.ended = true
		l.ended.Add(1)
	}
	return true
}

// ask sends a request until it is answered, which 5xx, 429 and a lost connection are not.
// Everything else but what is wanted is an error of the installation.
func (l *load) ask(method, path string, body any, want []int, headers ...string) (int, []byte) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		status, text, err := l.once(method, path, body, headers...)
		l.requests.Add(1)
		switch {
		case l.ctx.Err() != nil:
			l.t.Errorf("%s %s: no answer until the end: %d, %v: %.300s", method, path, status, err, text)
			return 0, nil
		case err != nil || status >= 500 || status == http.StatusTooManyRequests:
			l.failures.Add(1)
			time.Sleep(wait)
			continue
		case !slices.Contains(want, status):
			l.t.Errorf("%s %s %v: %d: %.500s", method, path, headers, status, text)
		}
		return status, text
	}
}

func (l *load) once(method, path string, body any, headers ...string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(l.ctx, 10*time.Second)
	defer cancel()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, l.site.gateway+path, in)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	l.inFlight.Add(1)
	defer l.inFlight.Add(-1)
	resp, err := l.ci.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// hook is a webhook that takes everything, and notes what said that it may be a duplicate.
type hook struct {
	url string
	mu  sync.Mutex
	got []message
}

type message struct {
	id     string
	warned bool
	body   []byte
}

func listenHook(t *testing.T) *hook {
	h := &hook{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil { // who sent it was killed meanwhile
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, message{r.Header.Get("Webhook-Id"), r.Header.Get("Stella-Possible-Duplicate") == "true", body})
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}
