package console_test

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stella-ops/stella/services/auth"
)

// field reads the value of a field of a form.
func (p *person) field(text, name string) string {
	p.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(text)
	if found == nil {
		p.Fatalf("there is no field %s:\n%s", name, text)
	}
	return html.UnescapeString(found[1])
}

// area reads the text of a form.
func (p *person) area(text, name string) string {
	p.Helper()
	found := regexp.MustCompile(`(?s)<textarea id="[^"]*" name="` + name + `"[^>]*>\n(.*?)</textarea>`).FindStringSubmatch(text)
	if found == nil {
		p.Fatalf("there is no text %s:\n%s", name, text)
	}
	return html.UnescapeString(found[1])
}

// receiver takes webhooks, or refuses them.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	refuse bool
	url    string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		text, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.refuse {
			http.Error(w, "no", http.StatusRequestEntityTooLarge) // which no further attempt helps
			return
		}
		r.bodies = append(r.bodies, string(text))
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *receiver) refuses(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = yes
}

// became waits until a delivery's page has a state.
func (p *person) became(path, state string) string {
	p.Helper()
	var text string
	p.until(path+" is "+state, func() bool {
		text = p.has(path)
		return strings.Contains(text, `">`+state+`</span>`)
	})
	return text
}

// TestNotifications sets endpoints and rules, sees what they would tell, and that they do.
func TestNotifications(t *testing.T) {
	s := newSite(t, "")
	r := newReceiver(t)
	p := s.admin()
	p.has("/console/notifications", "There is no endpoint")
	for _, k := range []string{"endpoints", "rules", "templates", "maintenance", "inhibitions"} {
		p.has("/console/notifications/"+k, "There are none.", "New ")
	}
	endpoints := "/console/notifications/endpoints"
	good := "type: webhook\nurl: " + r.url + "/hook\nsecrets:\n  signing: file:hook\n"
	t.Run("wrong", func(t *testing.T) {
		for name, c := range map[string]struct {
			id, text string
			status   int
			want     string
		}{
			"no secret": {"ops", "type: webhook\nurl: " + r.url + "\n", http.StatusUnprocessableEntity, "signing"},
			"member":    {"ops", good + "colour: red\n", http.StatusUnprocessableEntity, "colour"},
			"no YAML":   {"ops", "a: [b", http.StatusUnprocessableEntity, "neither JSON nor YAML"},
			"no JSON":   {"ops", `{"type": `, http.StatusUnprocessableEntity, "no JSON"},
			"documents": {"ops", good + "---\n" + good, http.StatusUnprocessableEntity, "more than one document"},
			"no id":     {"", good, http.StatusUnprocessableEntity, "Give an id"},
			"no text":   {"ops", " ", http.StatusUnprocessableEntity, "there is no text"},
			"secret":    {"ops", "type: webhook\nurl: " + r.url + "\nsecrets: {signing: hunter2hunter2}\n", http.StatusUnprocessableEntity, "signing"},
		} {
			text := p.refused(endpoints, url.Values{"id": {c.id}, "text": {c.text}}, c.status, c.want, `aria-invalid="true"`)
			if got := p.area(text, "text"); got != c.text {
				t.Errorf("%s: the text was %q and is %q", name, c.text, got)
			}
			if got := p.field(text, "id"); got != c.id {
				t.Errorf("%s: the id was %q and is %q", name, c.id, got)
			}
		}
		p.has(endpoints, "There are none.")
		if status, _, _ := p.get("/console/notifications/none"); status != http.StatusNotFound {
			t.Errorf("a kind that is none: %d", status)
		}
	})
	p.took(endpoints, url.Values{"id": {"ops"}, "text": {good}}, "It is kept.")
	p.refused(endpoints, url.Values{"id": {"ops"}, "text": {good}}, http.StatusConflict, "Somebody else changed it")
	page := p.has(endpoints+"/ops", "By webhook at "+r.url, "file:hook", "by <bdi>admin (", "change 1")
	if got := p.area(page, "text"); !strings.Contains(got, `"signing": "file:hook"`) {
		t.Errorf("the form has %s", got)
	}
	t.Run("change", func(t *testing.T) {
		p.took(endpoints+"/ops", url.Values{"number": {"1"}, "text": {strings.Replace(p.area(page, "text"), "{", `{"name": "Operators", `, 1)}}, "change 2")
		mine := strings.Replace(good, "type:", "name: mine\ntype:", 1)
		text := p.refused(endpoints+"/ops", url.Values{"number": {"1"}, "text": {mine}}, http.StatusConflict, "Somebody else changed it")
		if got := p.area(text, "text"); got != mine {
			t.Errorf("the text became %q", got)
		}
		p.refused(endpoints+"/ops", url.Values{"text": {mine}}, http.StatusBadRequest, "load the page again")
	})
	t.Run("test", func(t *testing.T) {
		at := p.took(endpoints+"/ops/test", nil, "A test message is on its way.")
		text := p.became(at.Path, "delivered")
		for _, want := range []string{"This is a test of the endpoint ops", "<td>delivered", "com.stella.notification.test"} {
			if !strings.Contains(text, want) {
				t.Errorf("the delivery has no %q:\n%s", want, text)
			}
		}
		r.mu.Lock()
		body := r.bodies[0]
		r.mu.Unlock()
		status, text, _ := p.get(at.Path + "/payload")
		if status != http.StatusOK || text != body {
			t.Errorf("the payload is %d %s, and was %s", status, text, body)
		}
		p.has(endpoints+"/ops", "nothing failed lately")
	})
	t.Run("dead and again", func(t *testing.T) {
		r.refuses(true)
		at := p.took(endpoints+"/ops/test", nil, "on its way")
		text := p.became(at.Path, "dead")
		if !strings.Contains(text, "<td>refused") || !strings.Contains(text, ">413<") {
			t.Errorf("the delivery says\n%s", text)
		}
		p.has("/console/notifications", "What could not be delivered", "1 dead")
		p.has("/console/notifications/deliveries?status=dead&endpoint=ops", at.Path)
		p.lacks("/console/notifications/deliveries?status=delivered", at.Path)
		r.refuses(false)
		p.took(at.Path+"/replay", nil, "It is sent again.")
		p.became(at.Path, "delivered")
		p.refused(at.Path+"/replay", nil, http.StatusConflict)
	})
	s.rules(t, p)
}

// rules sets rules with names that somebody else chose, and follows what they lead to.
func (s *site) rules(t *testing.T, p *person) {
	rules := "/console/notifications/rules"
	for i, name := range hostile {
		p.took(rules, url.Values{"id": {"bad-" + string(rune('a'+i))}, "text": {"name: " + quoted(name) + "\ndisabled: true\nmatch: {images: [" + quoted(name) + "]}\nto: [{endpoint: ops}]\n"}}, "It is kept.")
		p.tame(rules + "/bad-" + string(rune('a'+i)))
	}
	p.tame(rules)
	p.tame("/console/notifications")
	p.took(rules, url.Values{"id": {"all"}, "text": {"name: All scans\nto: [{endpoint: ops}]\nescalation: [{after: 15m, to: [{endpoint: ops}]}]\nquiet: {from: '22:00', to: '22:01', days: [sun], except: critical}\n"}}, "nobody takes note within 15m")
	p.took(rules, url.Values{"id": {"other"}, "text": {"name: Others\nmatch: {images: ['nothing.example/*']}\nto: [{endpoint: ops}]\n"}}, "images nothing.example/*")
	at := p.scanned(s.push("app:1", "P:bolt\nV:1.8-r0\nA:x86_64\n\n"))
	id := strings.TrimPrefix(at, "/console/scans/")

	t.Run("preview", func(t *testing.T) {
		preview := "/console/notifications/preview"
		p.has(preview+"?scan="+id, `value="`+id+`" selected`)
		_, text, _ := p.post(preview, url.Values{"scan": {id}})
		for _, want := range []string{"1 of 6 would tell of it", "All scans", "the event is scan.completed", "Against it", "com.stella.notification.alert"} {
			if !strings.Contains(text, want) {
				t.Errorf("the preview has no %q:\n%s", want, text)
			}
		}
		_, text, _ = p.post(preview, url.Values{"scan": {id}, "rule": {"id: tried\nname: Tried <b>\nto: [{endpoint: ops}]\n"}})
		if !strings.Contains(text, "2 of 7 would tell of it") || !strings.Contains(text, "Tried &lt;b&gt;") {
			t.Errorf("with one more rule:\n%s", text)
		}
		event := "id: scan-x/failed\ntype: scan.failed\nsource: scanner\njob_id: scan-x\nimage_ref: '<script>alert(1)</script>'\nstatus: failed\n"
		status, text, _ := p.post(preview, url.Values{"event": {event}})
		if status != http.StatusOK || !strings.Contains(text, "would tell of it") || strings.Contains(text, "<script>alert") {
			t.Errorf("a text of an event: %d\n%s", status, text)
		}
		for form, want := range map[string]string{"": "Choose a scan", "event=%7B": "event", "event=type:+none": "wrong", "scan=" + id + "&rule=colour:+red": "colour", "scan=" + id + "&rule=to:+[{endpoint:+none}]": "none"} {
			q, _ := url.ParseQuery(form)
			if status, text, _ := p.post(preview, q); status < 400 || status > 499 || !strings.Contains(text, `role="alert"`) || !strings.Contains(text, want) {
				t.Errorf("%q: %d\n%s", form, status, text)
			}
		}
		p.refused(preview, url.Values{"scan": {"scan-none"}}, http.StatusNotFound, "Nothing is known of this scan")
	})
	t.Run("incident", func(t *testing.T) {
		link := regexp.MustCompile(`/console/notifications/deliveries/dlv-[0-9a-f]+`)
		p.until("a delivery about the scan", func() bool {
			return link.MatchString(p.has("/console/notifications/deliveries?scan_id=" + id + "&rule=all&status=delivered"))
		})
		path := link.FindString(p.has("/console/notifications/deliveries?scan_id=" + id + "&rule=all"))
		text := p.has(path, "app:1", "submitted by <bdi>admin (")
		incident := regexp.MustCompile(`/console/notifications/incidents/[^"]+`).FindString(text)
		p.has(incident, "nobody took note yet", "app:1")
		p.took(incident+"/acknowledge", url.Values{"note": {hostile[0]}}, "You took note of it.")
		p.has(incident, "taken</span>", "by <bdi>admin (")
		p.tame(incident)
	})
	t.Run("rights", func(t *testing.T) {
		q := s.someone("reader", auth.ScannerRead, auth.NotifyViewer)
		q.lacks("/console/notifications/endpoints", "<textarea", "New endpoint", "admin (")
		q.lacks("/console/notifications/endpoints/ops", "<textarea", "Delete", "Send a test")
		q.refused("/console/notifications/endpoints", url.Values{"id": {"x"}, "text": {"type: webhook\n"}}, http.StatusForbidden, "You have no right to this")
		q.refused("/console/notifications/endpoints/ops", url.Values{"number": {"2"}, "do": {"delete"}}, http.StatusForbidden)
		q.refused("/console/notifications/endpoints/ops/test", nil, http.StatusForbidden)
		q.has("/console/notifications/preview", "what would reach you")
		sent := regexp.MustCompile(`/console/notifications/deliveries/dlv-[0-9a-f]+`).FindString(q.has("/console/notifications/deliveries?rule=all"))
		q.lacks(sent, "As it was sent", "admin (")
		if status, _, _ := q.get(sent + "/payload"); status != http.StatusForbidden {
			t.Errorf("a message for somebody without the right: %d", status)
		}
		n := s.someone("stranger", auth.ScannerRead)
		n.has("/console/notifications", "You have no right to read this.")
		if status, text, _ := n.get("/console/notifications/rules"); status != http.StatusForbidden || !strings.Contains(text, "You have no right") {
			t.Errorf("a stranger: %d\n%s", status, text)
		}
		n.lacks("/console/", ">Notifications<")
	})
	t.Run("delete", func(t *testing.T) {
		text := p.refused("/console/notifications/endpoints/ops", url.Values{"number": {"2"}, "do": {"delete"}}, http.StatusConflict, "This was not kept")
		if !strings.Contains(p.area(text, "text"), "webhook") {
			t.Errorf("the form lost its text:\n%s", text)
		}
		p.took(rules+"/other", url.Values{"number": {"1"}, "do": {"delete"}}, "It is deleted.")
		p.lacks(rules, ">other<")
	})
}

// quoted writes a text as a string of JSON.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x202e:
			b.WriteString(`\u` + "0000"[:4-len(hexOf(r))] + hexOf(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

func hexOf(r rune) string {
	const digits = "0123456789abcdef"
	if r < 16 {
		return digits[r : r+1]
	}
	return hexOf(r/16) + digits[r%16:r%16+1]
}

// TestTimeline reads what happened, row by row and whole.
func TestTimeline(t *testing.T) {
	s := newSite(t, "")
	p := s.admin()
	p.has("/console/timeline", "Nothing happened yet")
	at := p.scanned(s.push("app:1", "P:bolt\nV:1.8-r0\nA:x86_64\n\n"))
	id := strings.TrimPrefix(at, "/console/scans/")
	p.until("the scan is on the timeline", func() bool {
		return strings.Contains(p.has("/console/timeline?type=scan.completed"), id)
	})
	p.has("/console/timeline", "scan.queued", "app:1", at, "owner <bdi>admin (")
	p.has("/console/timeline?kind=scan&value="+id, "scan.queued", "scan.completed")
	p.lacks("/console/timeline?kind=scan&value="+id+"&type=scan.queued", "<td>scan.completed")
	p.has("/console/timeline?kind=scan&value=scan-none", "There are none.")
	p.has("/console/timeline?till=2020-01-01", "There are none.")
	p.has("/console/timeline?from=2020-01-01T10:00", "scan.completed")
	for query, want := range map[string]string{"from=yesterday": "A time is written as", "value=x": "About what?", "kind=none&value=x": "About what?", "after=x": "no such page", "from=2026-01-02&till=2026-01-01": "role=\"alert\""} {
		if status, text, _ := p.get("/console/timeline?" + query); query != "from=2026-01-02&till=2026-01-01" && (status != http.StatusBadRequest || !strings.Contains(text, want)) {
			t.Errorf("%s: %d\n%s", query, status, text)
		}
	}
	for _, bad := range hostile {
		p.tame("/console/timeline?kind=image&value=" + url.QueryEscape(bad))
	}
	first := p.has("/console/timeline/1", "Row 1: scan.queued", "Hash of the row", `href="/console/timeline/2"`, at)
	if strings.Contains(first, `href="/console/timeline/0"`) {
		t.Error("there is a row before the first")
	}
	for _, path := range []string{"0", "x", "99999", "-1"} {
		if status, _, _ := p.get("/console/timeline/" + path); status != http.StatusNotFound {
			t.Errorf("row %s: %d", path, status)
		}
	}
	p.has("/console/timeline/chain", "Last row", "None: all that was announced has its row.", "stella timeline verify")
	resp, err := p.http.Get(s.url + "/console/timeline/export")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(lines[0], `{"first":1,`) || !strings.HasPrefix(lines[len(lines)-1], `{"end":`) || len(lines) < 5 {
		t.Errorf("the export is %d\n%s", resp.StatusCode, text)
	}
	if h := resp.Header; h.Get("Content-Type") != "application/octet-stream" || h.Get("Content-Disposition") != `attachment; filename="timeline.ndjson"` || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the export has %v", h)
	}
	q := s.someone("reader", auth.ScannerRead)
	for _, path := range []string{"/console/timeline", "/console/timeline/1", "/console/timeline/export"} {
		if status, text, _ := q.get(path); status != http.StatusForbidden || !strings.Contains(text, "You have no right") {
			t.Errorf("%s: %d\n%s", path, status, text)
		}
	}
}

// TestSchedules makes one, runs it, changes it and deletes it.
func TestSchedules(t *testing.T) {
	s := newSite(t, "")
	p := s.admin()
	p.scanned(s.push("app:1", "P:bolt\nV:1.8-r0\nA:x86_64\n\n"))
	list := "/console/schedules"
	form := func(more ...string) url.Values {
		f := url.Values{"id": {"night"}, "kind": {"rescan"}, "cron": {"0 3 * * *"}, "zone": {"Europe/Berlin"}, "images": {"*app*\r\n"}, "labels": {""}}
		for i := 0; i < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		return f
	}
	for _, c := range [][3]string{
		{"cron", "0 99 * * *", "99"}, {"cron", "", "cron"}, {"zone", "Mars/Base", "Mars/Base"}, {"id", "../x", "letters, digits"}, {"kind", "dance", "dance"}, {"labels", "team", "NAME=VALUE"},
		{"labels", "a=1\na=2", "each name once"}, {"jitter", "soon", "seconds"}, {"jitter", "99999999", "jitter"}, {"priority", "high", "0 to 9"}, {"priority", "44", "priority"},
	} {
		text := p.refused(list, form(c[0], c[1]), http.StatusUnprocessableEntity, c[2], `role="alert"`)
		if c[0] != "kind" && c[0] != "labels" && p.field(text, c[0]) != c[1] {
			t.Errorf("%s was %q and is %q", c[0], c[1], p.field(text, c[0]))
		}
	}
	for _, bad := range hostile {
		text := p.refused(list, form("id", bad, "images", bad), http.StatusUnprocessableEntity)
		if strings.Contains(text, "<script>alert") || strings.Contains(text, "<img src=x") {
			t.Errorf("%q is markup:\n%s", bad, text)
		}
	}
	p.has(list, "There is no schedule.")
	p.took(list, form("labels", ""), "It is kept.")
	p.refused(list, form(), http.StatusConflict, "Somebody else changed it")
	one := list + "/night"
	page := p.has(one, "rescan: scan again", "Europe/Berlin", "by <bdi>admin (", "There is none yet.", "*app*")
	p.has(list, "night", "*app*")

	key := p.field(page, "key")
	at := p.took(one+"/run", url.Values{"key": {key}}, "The run has begun.")
	if again := p.took(one+"/run", url.Values{"key": {key}}, "The run has begun."); again.Path != at.Path {
		t.Errorf("a form that was sent twice is two runs: %s and %s", at.Path, again.Path)
	}
	text := p.became(at.Path, "done")
	if !strings.Contains(text, "1: 1 submitted, 0 skipped, 0 failed") || !strings.Contains(text, "request of <bdi>admin (") {
		t.Errorf("the run says\n%s", text)
	}
	p.has(one, at.Path)

	version := p.field(page, "version")
	p.took(one, form("version", version, "disabled", "1", "priority", "7"), "disabled</span>")
	text = p.refused(one, form("version", version, "cron", "5 5 * * *"), http.StatusConflict, "Somebody else changed it")
	if got := p.field(text, "cron"); got != "5 5 * * *" {
		t.Errorf("the form became %q", got)
	}
	q := s.someone("reader", auth.ScannerRead, auth.SchedulerRead)
	q.lacks(list, "<form method=\"post\" action=\"/console/schedules\"", "admin (")
	q.lacks(one, "Run now", "Delete this schedule", "<textarea")
	q.refused(list, form("id", "mine"), http.StatusForbidden, "You have no right")
	q.refused(one+"/run", url.Values{"key": {"k"}}, http.StatusForbidden)
	q.refused(one+"/delete", url.Values{"version": {version}}, http.StatusForbidden)
	p.refused(one+"/delete", url.Values{"version": {version}}, http.StatusConflict)
	p.refused(one+"/delete", nil, http.StatusBadRequest)
	p.took(one+"/delete", url.Values{"version": {p.field(p.has(one), "version")}}, "It is deleted.")
	if status, _, _ := p.get(one); status != http.StatusNotFound {
		t.Errorf("what is deleted: %d", status)
	}
}
