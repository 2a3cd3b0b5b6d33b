package flows

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	_ "github.com/stella-ops/stella/store/queue/valkeyqueue"
)

// The oracle looks at tables, objects, messages and answers by itself, and compares them with
// what the load was told. It shares no code with what it judges, but for how dead letters are
// read.

// The roles of the database by which it looks.
const (
	roleApp   = "stella_app"
	roleRelay = "stella_relay"
)

// rows runs a query as a role, for the tenant.
func (r *killRun) rows(role string, row func(*sql.Rows) error, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db, err := r.open()
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT set_config('role', $1, true), set_config('app.tenant', 'default', true)", role); err != nil {
		return err
	}
	list, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer list.Close()
	for list.Next() {
		if err := row(list); err != nil {
			return err
		}
	}
	return list.Err()
}

func (r *killRun) open() (*sql.DB, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db == nil {
		db, err := sql.Open("pgx", r.database.App)
		if err != nil {
			return nil, err
		}
		r.db = db
		r.Cleanup(func() { db.Close() })
	}
	return r.db, nil
}

func (r *killRun) count(role, query string, args ...any) (n int, err error) {
	err = r.rows(role, func(rows *sql.Rows) error { return rows.Scan(&n) }, query, args...)
	return n, err
}

// undone are what there is none of in the end.
var undone = []struct{ what, role, query string }{
	{"scans that have not ended", roleApp, `SELECT count(*) FROM scanner.scan_jobs WHERE tenant_id = 'default' AND status IN ('pending', 'running', 'evaluating')`},
	{"events that were not published", roleRelay, `SELECT count(*) FROM transport.outbox WHERE state = 0 AND publishes = 0`},
	{"events that are not on the timeline", roleApp, `SELECT count(*) FROM transport.outbox o WHERE o.tenant_id = 'default' AND o.topic IN ('scanner:events', 'concelier:drift', 'policy:events', 'notify:events')
		AND NOT EXISTS (SELECT 1 FROM timeline.rows r WHERE r.tenant_id = o.tenant_id AND r.topic = o.topic AND r.event_id = o.event_id)`},
	{"evaluations that have not ended", roleApp, `SELECT count(*) FROM scheduler.evaluations WHERE tenant_id = 'default' AND state IN ('pending', 'running')`},
	{"completed scans without the newest advisories", roleApp, `SELECT count(*) FROM scanner.scan_jobs j WHERE j.tenant_id = 'default' AND j.status = 'completed'
		AND NOT EXISTS (SELECT 1 FROM scanner.vulnerabilities v WHERE v.tenant_id = j.tenant_id AND v.scan_id = j.job_id AND v.vulnerability = 'CVE-2024-20002')`},
	{"completed scans that production has no verdict about", roleApp, `SELECT count(*) FROM scanner.scan_jobs j WHERE j.tenant_id = 'default' AND j.status = 'completed'
		AND NOT EXISTS (SELECT 1 FROM policy.current c WHERE c.tenant_id = j.tenant_id AND c.scan_id = j.job_id AND c.environment = 'production' AND c.key <> '')`},
	{"verdicts that are due", roleApp, `SELECT count(*) FROM policy.due WHERE tenant_id = 'default' AND due_us <= (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`},
	{"exports that were not asked for", roleApp, `SELECT count(*) FROM scanner.scan_jobs j WHERE j.tenant_id = 'default' AND j.status = 'completed'
		AND (SELECT count(*) FROM attest.exports e WHERE e.tenant_id = j.tenant_id AND e.scan_id = j.job_id) <> 2`},
	{"exports that were not made", roleApp, `SELECT count(*) FROM attest.exports WHERE tenant_id = 'default' AND state <> 'completed'`},
	{"statements that are not logged", roleApp, `SELECT count(*) FROM attest.wanted w WHERE w.tenant_id = 'default'
		AND NOT EXISTS (SELECT 1 FROM attest.proofs p WHERE p.tenant_id = w.tenant_id AND p.attestation = w.attestation AND p.kind = w.kind)`},
	{"completed scans that nobody is told of", roleApp, `SELECT count(*) FROM scanner.scan_jobs j WHERE j.tenant_id = 'default' AND j.status = 'completed'
		AND NOT EXISTS (SELECT 1 FROM notify.item_scans i WHERE i.tenant_id = j.tenant_id AND i.scan_id = j.job_id)`},
	{"messages that were not delivered", roleApp, `SELECT count(*) FROM notify.notification_deliveries WHERE tenant_id = 'default' AND status <> 'delivered'`},
}

// drain waits until nothing is to be done any more.
func (r *killRun) drain(limit time.Duration) {
	began, last := time.Now(), ""
	for end := began.Add(limit); ; time.Sleep(100 * time.Millisecond) {
		var left []string
		for _, u := range undone {
			if n, err := r.count(u.role, u.query); err != nil || n > 0 {
				left = append(left, fmt.Sprintf("%d %s (%v)", n, u.what, err))
			}
		}
		if len(left) == 0 {
			r.Logf("%v after the load all was done, last %s", time.Since(began).Round(time.Millisecond), last)
			return
		}
		last = strings.Join(left, ", ")
		if time.Now().After(end) {
			r.Errorf("%v after the last fault there are %s", limit, last)
			r.explain()
			r.stacks()
			return
		}
	}
}

// explain logs what hangs, for who has to find out why.
func (r *killRun) explain() {
	for _, query := range []string{
		`SELECT job_id || ' ' || status || ' attempt ' || attempt || ' epoch ' || lease_epoch || ' ' || reason || ' ' || causes FROM scanner.scan_jobs WHERE tenant_id = 'default' AND status <> 'completed' LIMIT 10`,
		`SELECT scan_id || ' ' || format || ' ' || state || ' version ' || version || ' attempt ' || attempt || ' ' || reason FROM attest.exports WHERE tenant_id = 'default' AND state <> 'completed' LIMIT 10`,
		`SELECT id || ' ' || status || ' attempts ' || attempts || ' parked ' || parked || ' ' || reason FROM notify.notification_deliveries WHERE tenant_id = 'default' AND status <> 'delivered' LIMIT 10`,
		`SELECT scan_id || ' ' || head || ' ' || state || ' attempt ' || attempt || ' ' || reason FROM scheduler.evaluations WHERE tenant_id = 'default' AND state <> 'done' LIMIT 10`,
		`SELECT topic || ' ' || event_id || ' state ' || state || ' publishes ' || publishes FROM transport.outbox o WHERE o.tenant_id = 'default' AND o.topic <> 'scanner:jobs'
			AND NOT EXISTS (SELECT 1 FROM transport.inbox i WHERE i.tenant_id = o.tenant_id AND i.event_id = o.event_id) LIMIT 20`,
	} {
		if err := r.rows(roleApp, func(rows *sql.Rows) error {
			var text string
			err := rows.Scan(&text)
			r.Log(text)
			return err
		}, query); err != nil {
			r.Log(err)
		}
	}
}

// stacks keeps what the processes do, where -artifacts says so.
func (r *killRun) stacks() {
	for _, p := range r.site.processes {
		resp, err := http.Get("http://" + p.manage + "/debug/pprof/goroutine?debug=2")
		if err != nil {
			r.Log(err)
			continue
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			err = os.WriteFile(filepath.Join(r.ArtifactDir(), p.name+".txt"), text, 0o600)
		}
		if err != nil {
			r.Log(err)
		}
	}
}

// killedScan is a row of scanner.scan_jobs.
type killedScan struct {
	id, image, status, reason, sbom string
	epoch                           int64
	key                             string
}

// check compares what is there with what was promised.
func (r *killRun) check() {
	scans := r.checkJobs()
	r.checkAnswers(scans)
	r.checkEvents(scans)
	r.checkObjects()
	r.checkUnique()
	r.checkMessages(scans)
	r.checkBundles(scans)
	r.noDead()
}

// look runs a query that must not fail.
func (r *killRun) look(row func(*sql.Rows) error, query string, args ...any) {
	r.Helper()
	if err := r.rows(roleApp, row, query, args...); err != nil {
		r.Error(err)
	}
}

// checkJobs wants a job for each key that was acknowledged, no other job, and each to have
// ended as it should.
func (r *killRun) checkJobs() map[string]*killedScan {
	scans := map[string]*killedScan{}
	r.look(func(rows *sql.Rows) error {
		var s killedScan
		err := rows.Scan(&s.id, &s.image, &s.status, &s.reason, &s.sbom, &s.epoch)
		scans[s.id] = &s
		return err
	}, `SELECT job_id, image_ref, status, reason, sbom_digest, lease_epoch FROM scanner.scan_jobs WHERE tenant_id = 'default'`)
	byKey := map[string]string{}
	for _, k := range r.load.tickets {
		s := scans[k.id]
		if s == nil {
			r.Errorf("%s was acknowledged as %s, which is lost", k.key, k.id)
			continue
		}
		if s.key != "" {
			r.Errorf("%s is the answer to %s and to %s", k.id, s.key, k.key)
		}
		s.key = k.key
		byKey[k.key] = k.id
		switch {
		case !strings.HasSuffix(s.image, k.image):
			r.Errorf("%s asked for %s and got %s", k.key, k.image, s.image)
		case s.status == "completed" && !k.cancelled, s.status == "cancelled" && s.reason == "no longer wanted":
		default:
			r.Errorf("%s (%s, cancelled: %v) ended as %s: %s", k.id, k.key, k.cancelled, s.status, s.reason)
		}
	}
	for id, s := range scans {
		if s.key == "" {
			r.Errorf("nobody was told of %s, which is %s: a key has two jobs", id, s.status)
		}
	}
	r.look(func(rows *sql.Rows) error {
		var key, id string
		err := rows.Scan(&key, &id)
		if byKey[key] != id {
			r.Errorf("key %s was answered with %s and is kept as %s", key, byKey[key], id)
		}
		return err
	}, `SELECT key, job_id FROM scanner.scan_keys WHERE tenant_id = 'default'`)
	return scans
}

// checkAnswers asks for everything from outside.
func (r *killRun) checkAnswers(scans map[string]*killedScan) {
	sboms := map[string]map[string]bool{} // by image
	for _, k := range r.load.tickets {
		s := scans[k.id]
		if s == nil {
			continue
		}
		r.load.again(k)
		job := r.ask("/api/v1/scans/" + k.id)
		if job["status"] != s.status {
			r.Errorf("%s is %v by its API and %s in its row", k.id, job["status"], s.status)
		}
		if s.status != "completed" {
			continue
		}
		if sboms[k.image] == nil {
			sboms[k.image] = map[string]bool{}
		}
		sboms[k.image][s.sbom] = true
		want := map[string]string{"app:1": "CVE-2024-10001,CVE-2024-20002", "other:1": "CVE-2024-20002"}[k.image]
		if got := r.findings(k.id); got != want {
			r.Errorf("findings of %s, which is %s: %s, want %s", k.id, k.image, got, want)
		}
		r.checkExports(k.id)
		for _, d := range list(r.ask("/api/v1/scans/"+k.id+"/documents"), "documents") {
			if _, text := r.load.ask("GET", fmt.Sprintf("/api/v1/scans/%s/documents/%s", k.id, d["format"]), nil, []int{http.StatusOK}); digestOf(text) != d["digest"] {
				r.Errorf("the document %v of %s has digest %s: want %s", d["format"], k.id, digestOf(text), d["digest"])
			}
		}
	}
	for image, digests := range sboms {
		if len(digests) != 1 {
			r.Errorf("the SBOMs of %s differ: %v", image, digests)
		}
	}
}

// ask reads what is there.
func (r *killRun) ask(path string) map[string]any {
	_, text := r.load.ask("GET", path, nil, []int{http.StatusOK})
	out := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		r.Errorf("GET %s: %v: %.300s", path, err, text)
	}
	return out
}

// list is a member that is a list of objects.
func list(from map[string]any, name string) []map[string]any {
	members, _ := from[name].([]any)
	var out []map[string]any
	for _, m := range members {
		o, _ := m.(map[string]any)
		out = append(out, o)
	}
	return out
}

func (r *killRun) findings(id string) string {
	var names []string
	for _, f := range list(r.ask("/api/v1/scans/"+id+"/findings"), "findings") {
		names = append(names, fmt.Sprint(f["vulnerability"]))
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// checkExports wants both exports of a scan to be made of what is wanted, and their bytes to
// be those that are noted.
func (r *killRun) checkExports(id string) {
	exports := list(r.ask("/api/v1/scans/"+id+"/exports"), "exports")
	if len(exports) != 2 {
		r.Errorf("%s has %d exports", id, len(exports))
	}
	for _, e := range exports {
		made, _ := e["made"].(map[string]any)
		missing, _ := made["missing"].([]any)
		if e["state"] != "completed" || made["key"] != e["key"] || len(missing) > 0 {
			r.Errorf("an export of %s: %v", id, e)
			continue
		}
		object, _ := made["bundle"].(map[string]any)
		if object == nil || e["format"] == "evidence" {
			object, _ = made["document"].(map[string]any)
		}
		_, text := r.load.ask("GET", fmt.Sprintf("/api/v1/scans/%s/export?format=%s", id, e["format"]), nil, []int{http.StatusOK})
		if got := digestOf(text); got != object["digest"] {
			r.Errorf("the export of %s as %s has digest %s: want that of %v", id, e["format"], got, object)
		}
		r.notePlaces(text)
	}
}

// notePlaces wants a statement to have one place in the log, and a place one statement.
func (r *killRun) notePlaces(bundles []byte) {
	for line := range strings.Lines(string(bundles)) {
		var b struct {
			Material struct {
				Entries []struct {
					Index string `json:"logIndex"`
				} `json:"tlogEntries"`
			} `json:"verificationMaterial"`
			Envelope struct {
				Payload string `json:"payload"`
			} `json:"dsseEnvelope"`
		}
		if err := json.Unmarshal([]byte(line), &b); err != nil || b.Envelope.Payload == "" || len(b.Material.Entries) != 1 {
			r.Errorf("a bundle: %v: %.300s", err, line)
			continue
		}
		place, payload := "place "+b.Material.Entries[0].Index, "statement "+b.Envelope.Payload
		if before := r.places[place]; before != "" && before != payload {
			r.Errorf("two statements have %s in the log", place)
		}
		if before := r.places[payload]; before != "" && before != place {
			r.Errorf("a statement has %s and %s in the log: %.200s", place, before, payload)
		}
		r.places[place], r.places[payload] = payload, place
	}
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// checkEvents wants every event of every scan on the timeline once, no event of anything
// else, and no gap.
func (r *killRun) checkEvents(scans map[string]*killedScan) {
	count := map[string]int{}
	next, last := "", 0.0
	for {
		page := r.ask("/api/v1/timeline/events?limit=1000" + next)
		for _, e := range list(page, "events") {
			if seq, _ := e["seq"].(float64); seq != last+1 {
				r.Errorf("row %v of the timeline follows %v", seq, last)
			}
			last, _ = e["seq"].(float64)
			if e["topic"] == event.ScannerEvents {
				count[fmt.Sprint(e["id"])]++
			}
		}
		if page["next"] == nil {
			break
		}
		next = fmt.Sprintf("&after=%.0f", page["next"])
	}
	want := map[string]bool{}
	for id, s := range scans {
		want[id+"/queued"], want[id+"/"+s.status] = true, true
		if s.sbom != "" {
			want[id+"/sbom"] = true
		}
		for e := int64(1); e <= s.epoch; e++ {
			want[fmt.Sprintf("%s/started/%d", id, e)] = true
		}
	}
	for id := range want {
		if count[id] != 1 {
			r.Errorf("%s is on the timeline %d times", id, count[id])
		}
	}
	for id := range count {
		if !want[id] {
			r.Errorf("%s is on the timeline and should not have happened", id)
		}
	}
	if gaps := list(r.ask("/api/v1/timeline/gaps"), "gaps"); len(gaps) > 0 {
		r.Errorf("the timeline has gaps: %v", gaps)
	}
}

// checkObjects wants every object that a row points to, with its digest.
func (r *killRun) checkObjects() {
	want := map[string]string{}
	r.look(func(rows *sql.Rows) error {
		var digest, whose string
		err := rows.Scan(&digest, &whose)
		want[digest] = whose
		return err
	}, `SELECT digest, 'an object' FROM scanner.blobs WHERE tenant_id = 'default' UNION SELECT digest, 'a document of ' || scan_id FROM scanner.sbom_documents WHERE tenant_id = 'default'`)
	if len(want) == 0 {
		r.Error("there are no objects")
	}
	u, err := url.Parse(r.s3.URL)
	if err != nil {
		r.Fatal(err)
	}
	password, _ := u.User.Password()
	c := s3.New(s3.Options{
		BaseEndpoint: aws.String(u.Query().Get("endpoint")), Region: u.Query().Get("region"), UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: u.User.Username(), SecretAccessKey: password}, nil
		}),
	})
	for digest, whose := range want {
		sum := strings.TrimPrefix(digest, "sha256:")
		got, err := c.GetObject(r.Context(), &s3.GetObjectInput{Bucket: aws.String(u.Host), Key: aws.String("default/sha256/" + sum[:2] + "/" + sum)})
		if err != nil {
			r.Errorf("%s, %s: %v", digest, whose, err)
			continue
		}
		text, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || digestOf(text) != digest {
			r.Errorf("%s, %s, has other bytes: %v", digest, whose, err)
		}
	}
	n, err := r.count(roleApp, `SELECT count(*) FROM scanner.scan_jobs j WHERE j.tenant_id = 'default' AND j.sbom_digest <> ''
		AND (SELECT count(*) FROM scanner.sbom_documents d WHERE d.tenant_id = j.tenant_id AND d.scan_id = j.job_id) <> 2`)
	if err != nil || n > 0 {
		r.Errorf("%d scans have not two documents: %v", n, err)
	}
}

// checkUnique wants nothing to have happened twice.
func (r *killRun) checkUnique() {
	for what, query := range map[string]string{
		"verdicts have two digests": `SELECT count(*) FROM (SELECT key FROM policy.verdicts WHERE tenant_id = 'default' GROUP BY key HAVING count(DISTINCT digest) > 1) d`,
		"decisions have no verdict": `SELECT count(*) FROM policy.decisions d WHERE d.tenant_id = 'default' AND NOT EXISTS (SELECT 1 FROM policy.verdicts v WHERE v.tenant_id = d.tenant_id AND v.key = d.key)`,
		"verdicts hold that follow from something older": `SELECT count(*) FROM policy.current c JOIN policy.verdicts v ON v.tenant_id = c.tenant_id AND v.key = c.key WHERE c.tenant_id = 'default' AND c.environment = 'production'
			AND convert_from(v.body, 'UTF8')::json #>> '{inputs,advisories}' <> (SELECT r.snapshot FROM scanner.reports r WHERE r.tenant_id = c.tenant_id ORDER BY r.evaluated_us DESC LIMIT 1)`,
		"statements were signed twice":              `SELECT count(*) FROM (SELECT payload FROM attest.attestations WHERE tenant_id = 'default' GROUP BY payload, key_id HAVING count(*) > 1) d`,
		"scans were told of more than once":         `SELECT count(*) FROM (SELECT event_id FROM notify.items WHERE tenant_id = 'default' GROUP BY event_id HAVING count(*) > 1) d`,
		"messages were noted as delivered twice":    `SELECT count(*) FROM (SELECT delivery_id FROM notify.attempts WHERE tenant_id = 'default' AND outcome = 'delivered' GROUP BY delivery_id HAVING count(*) > 1) d`,
		"reports are of the same evaluation":        `SELECT count(*) FROM (SELECT scan_id FROM scanner.reports WHERE tenant_id = 'default' GROUP BY scan_id, snapshot HAVING count(*) > 1) d`,
		"attempts are open of what was delivered":   `SELECT count(*) FROM notify.attempts WHERE tenant_id = 'default' AND outcome = 'open'`,
		"rows of other tenants are in the outbox":   `SELECT count(*) FROM transport.outbox WHERE tenant_id NOT IN ('default', '')`,
		"events were consumed that never were sent": `SELECT count(*) FROM transport.inbox i WHERE i.tenant_id = 'default' AND NOT EXISTS (SELECT 1 FROM transport.outbox o WHERE o.tenant_id = i.tenant_id AND o.event_id = i.event_id)`,
	} {
		if n, err := r.count(roleApp, query); err != nil || n > 0 {
			r.Errorf("%d %s: %v", n, what, err)
		}
	}
}

// checkMessages wants each completed scan to have been announced under one id, and what came
// twice to say so.
func (r *killRun) checkMessages(scans map[string]*killedScan) {
	r.hook.mu.Lock()
	defer r.hook.mu.Unlock()
	first := map[string]message{}
	told := map[string]map[string]bool{} // ids by scan
	twice := 0
	for _, m := range r.hook.got {
		before, again := first[m.id]
		switch {
		case !again && m.warned:
			r.Logf("%s says that it may be a duplicate; the first one did not arrive", m.id)
		case again && !m.warned:
			r.Errorf("%s came again and did not say so", m.id)
		case again && string(before.body) != string(m.body):
			r.Errorf("%s came again with other bytes", m.id)
		}
		if again {
			twice++
			continue
		}
		first[m.id] = m
		var body struct {
			Data struct {
				Notices []struct {
					Event string `json:"event"`
					Scan  string `json:"scan_id"`
				} `json:"notices"`
			} `json:"data"`
		}
		if err := json.Unmarshal(m.body, &body); err != nil || len(body.Data.Notices) == 0 {
			r.Errorf("%s: %v: %.300s", m.id, err, m.body)
		}
		for _, n := range body.Data.Notices {
			if told[n.Scan] == nil {
				told[n.Scan] = map[string]bool{}
			}
			told[n.Scan][m.id] = true
		}
	}
	for id, s := range scans {
		if got := len(told[id]); s.status == "completed" && got != 1 || s.status != "completed" && got != 0 {
			r.Errorf("%s, which is %s, was announced by %d messages", id, s.status, got)
		}
	}
	r.Logf("%d messages, %d of them once more", len(first), twice)
}

// checkBundles verifies what was exported as somebody else would, one scan of each image.
func (r *killRun) checkBundles(scans map[string]*killedScan) {
	_, root := r.load.ask("GET", "/api/v1/trust-root", nil, []int{http.StatusOK})
	trust := r.site.write("root.json", root)
	seen := map[string]bool{}
	for id, s := range scans {
		if s.status != "completed" || seen[s.image] {
			continue
		}
		seen[s.image] = true
		_, text := r.load.ask("GET", "/api/v1/scans/"+id+"/export?format=spdx", nil, []int{http.StatusOK})
		file := r.site.write("bundle.jsonl", text)
		if out, err := exec.Command(stella(r), "verify", file, "--trust-root", trust, "--offline", "--logged").CombinedOutput(); err != nil {
			r.Errorf("verify the export of %s: %v: %s", id, err, out)
		}
	}
	if len(seen) != len(images) {
		r.Errorf("of %d images only %d were scanned", len(images), len(seen))
	}
}

// noDead wants no message to have been given up.
func (r *killRun) noDead() {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	q, err := queue.Open(ctx, r.queueURL)
	if err != nil {
		r.Errorf("look for dead letters: %v", err)
		return
	}
	defer q.Close()
	for _, topic := range []string{event.ScannerJobs, event.ScannerEvents, event.ConcelierDeltas, event.ConcelierDrift, event.ExcititorDeltas, event.SchedulerEvaluations, event.PolicyEvents,
		event.ExportJobs, event.AttestorSubmissions, event.NotifyDeliveries, event.NotifyEvents} {
		letters, err := q.Dead(ctx, topic, 10)
		if err != nil {
			r.Errorf("dead letters of %s: %v", topic, err)
		}
		for _, l := range letters {
			r.Errorf("dead letter of %s for %s: %s after %d attempts: %q", topic, l.Group, l.ID, l.Attempts, l.Causes)
		}
	}
}
