package flows

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// targets has the installation connect to where it must not: at once, or when it comes to it.
func (h *hostile) targets() {
	hosts := []string{"169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "10.0.0.1", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "0.0.0.0", "metadata.google.internal"}
	var scans []string
	for _, host := range hosts {
		for _, scheme := range []string{"http", "https"} {
			body := map[string]any{"type": "webhook", "url": scheme + "://" + host + "/latest/meta-data", "secrets": map[string]string{"signing": "file:hook"}}
			status, header, text := h.ours.send("PUT", "/api/v1/notify/endpoints/beta", "application/json", body, "If-None-Match", "*")
			h.refusal("an endpoint at "+scheme+"://"+host, status, header, text)
		}
		status, header, text := h.ours.send("PUT", "/api/v1/export-settings", "application/json", map[string]any{"mode": "sign", "formats": []string{"spdx"}, "targets": []any{map[string]any{"name": "beta", "url": "file:///tmp/" + host}}}, "If-Match", `"0"`)
		h.refusal("exports to a folder", status, header, text)
		status, header, text = h.ours.send("POST", "/api/v1/scans", "application/json", map[string]any{"image_ref": host + "/latest/meta-data:1"})
		if status != http.StatusAccepted {
			h.refusal("a scan of "+host, status, header, text)
			continue
		}
		var job map[string]any
		json.Unmarshal(text, &job)
		scans = append(scans, dig(job, "job_id"))
	}
	for _, address := range []string{"file:///etc/passwd", "gopher://127.0.0.1:6379/x", "unix:///run/x.sock", "https://user:secret@hook.example/", "https://hook.example:22/", "https://hook.example/#x", "http://hook.example/", "https://", "https://a b/", "//hook.example", "https://xn--\u0000.example/"} {
		body := map[string]any{"type": "webhook", "url": address, "secrets": map[string]string{"signing": "file:hook"}}
		status, header, text := h.ours.send("PUT", "/api/v1/notify/endpoints/beta", "application/json", body, "If-None-Match", "*")
		if h.refusal("an endpoint at "+address, status, header, text); bytes.Contains(text, []byte("secret@")) {
			h.Errorf("the refusal has the secret: %s", text)
		}
	}
	for _, ref := range []string{"docker://", "file:///etc/passwd", "oci:/etc", "/etc/passwd", "docker-archive:/etc/passwd", "../../etc/passwd", "http://127.0.0.1/x", "registry:\nx", strings.Repeat("x", 5000)} {
		if status, header, text := h.ours.send("POST", "/api/v1/scans", "application/json", map[string]any{"image_ref": ref}); status != http.StatusAccepted {
			h.refusal("a scan of "+ref[:min(len(ref), 30)], status, header, text)
		} else {
			h.Errorf("a scan of %q is taken: %s", ref, text)
		}
	}
	for _, id := range scans {
		var job map[string]any
		h.until("scan "+id+" ends", 30*time.Second, func() bool {
			job = h.ours.do("GET", "/api/v1/scans/"+id, nil, http.StatusOK)
			return job["status"] == "failed" || job["status"] == "dead" || job["status"] == "completed"
		})
		if reason := fmt.Sprint(job["reason"]); job["status"] == "completed" || !strings.Contains(reason, "refused by the service network policy") && !strings.Contains(reason, "there is no host") {
			h.Errorf("a scan of %v: %v", job["image_ref"], job)
		}
	}
}

// keys comes to what is for API keys: by those of the other tenant, and by tokens.
func (h *hostile) keys() {
	key := func(admin *caller) string {
		made := admin.do("POST", "/api/v1/authority/api-keys", map[string]any{"name": "alpha", "scopes": []string{"scanner:read", "scanner:scan"}, "expires": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, http.StatusCreated)
		return dig(made, "secret")
	}
	ours, theirs := key(h.admin), key(h.rival)
	bom := base64.StdEncoding.EncodeToString([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[{"type":"library","name":"alpha-library","version":"1","purl":"pkg:npm/alpha-library@1"}]}`))
	upload, _ := json.Marshal(map[string]any{"projectName": "alpha-shop", "projectVersion": "7", "autoCreate": true, "bom": bom})
	status, _, text := h.anonymous("PUT", "/api/v1/bom", upload, "X-Api-Key", ours, "Content-Type", "application/json")
	var task, project struct{ Token, UUID string }
	if err := json.Unmarshal(text, &task); status != http.StatusOK || err != nil {
		h.Fatalf("PUT /api/v1/bom: %d: %s", status, text)
	}
	_, _, text = h.anonymous("GET", "/api/v1/project/lookup?name=alpha-shop&version=7", nil, "X-Api-Key", ours)
	if err := json.Unmarshal(text, &project); err != nil || project.UUID == "" {
		h.Fatalf("the project: %s", text)
	}
	for _, path := range []string{"/api/v1/project/UUID", "/api/v1/finding/project/UUID", "/api/v1/metrics/project/UUID/current", "/api/v1/bom/token/TOKEN", "/api/v1/event/token/TOKEN", "/harbor/api/v1/scan/SCAN/report", "/api/v1/project/lookup?name=NAME&version=7"} {
		var said []string
		for _, id := range [][]string{{project.UUID, task.Token, h.ids["scan_id"], "alpha-shop"}, {fake(project.UUID), fake(task.Token), fake(h.ids["scan_id"]), "beta-shop"}} {
			real := strings.NewReplacer("UUID", id[0], "TOKEN", id[1], "SCAN", id[2], "NAME", id[3]).Replace(path)
			status, header, text := h.anonymous("GET", real, nil, "X-Api-Key", theirs)
			header.Del("Date")
			header.Del("Stella-Request-Id")
			header.Del("Ratelimit")
			header.Del("Content-Length")
			said = append(said, fmt.Sprint(status, strings.NewReplacer(id[0], "", id[1], "", id[2], "", id[3], "").Replace(string(text)), header))
		}
		if said[0] != said[1] || strings.Contains(said[0], "alpha") {
			h.Errorf("%s by another tenant's key:\n%s\n%s", path, said[0], said[1])
		}
	}
	if status, _, text := h.anonymous("GET", "/api/v1/project", nil, "X-Api-Key", theirs); status != http.StatusOK || bytes.Contains(text, []byte("alpha")) {
		h.Errorf("projects of another tenant: %d: %s", status, text)
	}
	token := strings.TrimPrefix(h.hold(h.ours, "GET", "/api/v1/scans").Header.Get("Authorization"), "DPoP ")
	for _, c := range [][]string{
		{"X-Api-Key", token}, {"Authorization", "Bearer " + token}, {"X-ScannerAdapter-API-Key", token}, {"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("x:"+token))}, {"X-Api-Key", ours[:len(ours)-1] + "x"},
		{"X-Api-Key", ours + "x"}, {"X-Api-Key", ours, "X-Api-Key", theirs}, {"X-Api-Key", "stella__"}, {"X-Api-Key", ""}, {"Authorization", "Bearer"},
	} {
		status, header, text := h.anonymous("GET", "/api/v1/project", nil, c...)
		if h.refusal("a key that is none", status, header, text); status != http.StatusUnauthorized {
			h.Errorf("%.60q: %d: %s", c, status, text)
		}
	}
	for _, scheme := range []string{"DPoP ", "Bearer "} { // keys are for their own routes
		if status, header, text := h.anonymous("GET", "/api/v1/scans", nil, "Authorization", scheme+ours, "X-Api-Key", ours); status != http.StatusUnauthorized {
			h.Errorf("an API key at another route: %d %v %s", status, header, text)
		}
	}
}

// jsonRoutes are some of each system that take JSON.
func (h *hostile) jsonRoutes() [][2]string {
	return [][2]string{
		{"POST", "/api/v1/scans"}, {"POST", "/api/v1/scans/" + h.ids["scan_id"] + "/cancel"}, {"POST", "/api/v1/scans/" + h.ids["scan_id"] + "/exports"}, {"PUT", "/api/v1/export-settings"},
		{"POST", "/api/v1/policies/alpha-policy/versions/1/activate"}, {"POST", "/api/v1/exceptions"}, {"PUT", "/api/v1/notify/endpoints/alpha-hook"}, {"PUT", "/api/v1/notify/rules/alpha-rule"}, {"POST", "/api/v1/notify/preview"},
		{"PUT", "/api/v1/scheduler/schedules/alpha-schedule"}, {"PUT", "/api/v1/vex/trust"}, {"POST", "/api/v1/vex/documents?name=x.json"}, {"POST", "/api/v1/advisories/explain"}, {"POST", "/api/v1/sign"}, {"POST", "/api/v1/attest"}, {"POST", "/api/v1/attestations/verify"},
		{"POST", "/api/v1/authority/users"}, {"PUT", "/api/v1/authority/clients/" + h.ids["client_id"]}, {"POST", "/register"},
	}
}

// bodies sends bodies that are none.
func (h *hostile) bodies() {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 20<<20))
	z.Close()
	const plain = "application/json"
	sent := 0
	for _, r := range h.jsonRoutes() {
		for name, b := range map[string]struct{ kind, encoding, body string }{
			"no type":             {"", "", `{"x":1}`},
			"text":                {"text/plain", "", `{"x":1}`},
			"a form":              {"application/x-www-form-urlencoded", "", `x=1`},
			"parts":               {"multipart/form-data; boundary=x", "", strings.Repeat("--x\r\n\r\n\r\n", 10_000) + "--x--"},
			"another charset":     {"application/json; charset=utf-16", "", `{"x":1}`},
			"UTF-7":               {"application/json; charset=utf-7", "", `{"x":1}`},
			"no media type":       {"application/json; charset", "", `{"x":1}`},
			"compressed":          {plain, "gzip", bomb.String()},
			"an unknown coding":   {plain, "x", `{"x":1}`},
			"nothing":             {plain, "", ""},
			"spaces":              {plain, "", strings.Repeat(" ", 1<<20)},
			"null":                {plain, "", "null"},
			"a list":              {plain, "", "[]"},
			"a number":            {plain, "", "1e999"},
			"NaN":                 {plain, "", `{"x":NaN}`},
			"names twice":         {plain, "", `{"reason":"a","reason":"b","scopes":[],"scopes":[]}`},
			"names by an escape":  {plain, "", `{"reason":"a","\u0072eason":"b"}`},
			"another case":        {plain, "", `{"Reason":"a","IMAGE_REF":"x"}`},
			"unknown":             {plain, "", `{"__proto__":{"admin":true}}`},
			"lists 10⁵ deep":      {plain, "", strings.Repeat("[", 100_000)},
			"objects 10⁵ deep":    {plain, "", strings.Repeat(`{"x":`, 100_000)},
			"a huge integer":      {plain, "", `{"formats":9223372036854775808,"x":99999999999999999999999999999999999999}`},
			"half a surrogate":    {plain, "", `{"reason":"\ud800","image_ref":"\udc00"}`},
			"no UTF-8":            {plain, "", "{\"reason\":\"\xff\xfe\",\"image_ref\":\"\xc0\xaf\"}"},
			"a zero byte":         {plain, "", "{\"reason\":\"\x00\"}"},
			"a byte order mark":   {plain, "", "\ufeff{}"},
			"something after it":  {plain, "", `{} {}`},
			"a comma more":        {plain, "", `{"x":1,}`},
			"half":                {plain, "", `{"reason":"`},
			"a comment":           {plain, "", `{/* x */}`},
			"over a million keys": {plain, "", `{"x":1` + strings.Repeat(`,"y":1`, 200_000) + `}`},
		} {
			sent++
			c := h.ours
			if strings.Contains(r[1], "authority") || r[1] == "/register" {
				c = h.admin
			}
			what := r[0] + " " + r[1] + " with " + name
			headers := []string{"If-Match", `"1"`}
			if b.kind == "" {
				headers = append(headers, "Content-Type", "")
			}
			if b.encoding != "" {
				headers = append(headers, "Content-Encoding", b.encoding)
			}
			status, header, text := c.send(r[0], r[1], b.kind, b.body, headers...)
			if r[1] == "/register" { // which answers as RFC 7591 has it
				if status < 400 || status > 499 || !bytes.Contains(text, []byte("error")) && !bytes.Contains(text, []byte("problem")) {
					h.Errorf("%s: %d %s", what, status, text)
				}
				continue
			}
			h.refusal(what, status, header, text)
		}
	}
	if sent < 500 {
		h.Errorf("only %d bodies", sent)
	}
}

// queries sends queries and cursors that nobody gave out.
func (h *hostile) queries() {
	lists := []string{"/api/v1/scans", "/api/v1/exceptions", "/api/v1/policies", "/api/v1/attestations", "/api/v1/notify/deliveries", "/api/v1/notify/rules", "/api/v1/timeline/events", "/api/v1/scheduler/schedules", "/api/v1/vex/statements",
		"/api/v1/scans/" + h.ids["scan_id"] + "/verdicts", "/api/v1/authority/users", "/api/v1/authority/journal", "/api/v1/advisories"}
	many := strings.Repeat("a=1&", 1500)
	for _, list := range lists {
		c := h.ours
		if strings.Contains(list, "authority") {
			c = h.admin
		}
		for _, query := range []string{"limit=-1", "limit=0", "limit=99999999999999999999", "limit=1e3", "limit=1&limit=2", "limit=%31%00", "unknown=1", "after=1;after=2", "%00=1", many, "after=" + strings.Repeat("x", 6000)} {
			status, header, text := c.send("GET", list+"?"+query, "", nil)
			h.refusal("GET "+list+"?"+query[:min(len(query), 40)], status, header, text)
		}
		for _, after := range []string{"../../etc/passwd", "' OR 1=1 --", "\x00", "9223372036854775808", "-1", "\u202e", "eyJ0ZW5hbnQiOiJkZWZhdWx0In0=", h.ids["scan_id"] + "\n", "{}"} {
			status, header, text := c.send("GET", list+"?after="+url.QueryEscape(after), "", nil)
			if status >= 300 {
				h.refusal(fmt.Sprintf("GET %s after %q", list, after), status, header, text)
			}
		}
	}
}

// headers sends conditions and ranges that are none.
func (h *hostile) headers() {
	for path, tag := range h.tags {
		if strings.Contains(path, "?") || !strings.Contains(path, "alpha") {
			continue
		}
		for _, match := range []string{"1", `W/"1"`, `"`, `""`, `"1", "2"`, `*`, `"99999999999999999999"`, `"-1"`, strings.Repeat(`"1",`, 2000), `"` + strings.Trim(tag, `"`) + `x"`} {
			status, header, text := h.ours.send("PUT", path, "application/json", map[string]any{}, "If-Match", match)
			h.refusal("PUT "+path+" If-Match "+match[:min(len(match), 30)], status, header, text)
		}
	}
	scan := "/api/v1/scans/" + h.ids["scan_id"]
	for _, path := range []string{scan + "/documents/spdx-json", scan + "/export?format=spdx", "/api/v1/vex/documents/" + h.ids["digest"], scan + "/findings", "/api/v1/timeline/export"} {
		for _, span := range []string{"bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-1", "bytes=9223372036854775807-", "bytes=99999999999999999999-", "items=0-1", "bytes=0-0" + strings.Repeat(",1-1", 1000), "bytes=" + strings.Repeat("0-,", 1500), "bytes=a-b", "bytes"} {
			status, _, text := h.ours.send("GET", path, "", nil, "Range", span)
			if status > 499 || len(text) > 4<<20 {
				h.Errorf("GET %s %.40s: %d, %d bytes: %.300s", path, span, status, len(text), text)
			}
		}
	}
	for _, accept := range []string{"application/x-unknown", "*/*;q=0", strings.Repeat("a/b,", 1000), "text/html"} {
		if status, _, text := h.ours.send("GET", scan, "", nil, "Accept", accept); status > 499 {
			h.Errorf("Accept %.40s: %d %s", accept, status, text)
		}
	}
}

// raw sends what an HTTP client does not.
func (h *hostile) raw() {
	host := strings.TrimPrefix(h.gateway, "http://")
	get := func(target string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
	}
	for name, text := range map[string]string{
		"dots": get("/api/v1/x/../scans"), "two slashes": get("//api/v1/scans"), "encoded dots": get("/api/v1/%2e%2e/v1/scans"), "a zero byte": get("/api/v1/scans/%00"), "an encoded slash": get("/api/v1/scans%2fx"),
		"a semicolon": get("/api/v1/scans;x=1"), "a backslash": get(`/api\v1\scans`), "overlong UTF-8": get("/api/v1/%c0%ae%c0%ae/scans"), "no escape": get("/api/v1/scans/%zz"), "a space": get("/api/v1/scans /x"), "a fragment": get("/api/v1/scans#x"),
		"TRACE": "TRACE /api/v1/scans HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT": "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", "an unknown method": "BREW /api/v1/scans HTTP/1.1\r\nHost: x\r\n\r\n", "no host": "GET /jwks HTTP/1.1\r\n\r\n",
		"two hosts": "GET /jwks HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "a host with a name before it": "GET /jwks HTTP/1.1\r\nHost: a@b\r\n\r\n", "HTTP/0.9": "GET /jwks\r\n\r\n", "another version": "GET /jwks HTTP/3.7\r\nHost: x\r\n\r\n",
		"two lengths": "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "a length and chunks": "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a folded field": "GET /jwks HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", "a field of 1 MB": "GET /jwks HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n", "10⁴ fields": "GET /jwks HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: a\r\n", 10_000) + "\r\n",
		"a method by a header": "GET /token HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\n\r\n", "a path of 1 MB": get("/" + strings.Repeat("a", 1<<20)),
	} {
		status := h.wire(host, text)
		if (status < 400 || status > 499) && status != 501 && status != 505 && status != 0 {
			h.Errorf("%s: %d", name, status)
		}
	}
	if status := h.wire(host, get("/jwks")); status != 200 {
		h.Errorf("what is right: %d", status)
	}
}

// wire sends bytes and returns the status of what comes back; 0 where the connection is
// closed without an answer.
func (h *hostile) wire(host, text string) (status int) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		h.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go io.WriteString(conn, text)
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err == nil {
		fmt.Sscanf(string(answer), "HTTP/1.1 %d", &status)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		h.Errorf("%.60q: no answer", text)
	}
	return status
}
