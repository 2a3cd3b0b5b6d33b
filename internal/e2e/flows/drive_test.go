package flows

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// caller is a program with tokens and proofs of its own.
type caller struct {
	*site
	http *http.Client
}

// program logs in as a confidential client.
func (s *site) program(id string, key crypto.Signer, scopes ...string) *caller {
	s.Helper()
	bound, err := dpop.Generate("ES256")
	if err != nil {
		s.Fatal(err)
	}
	server, err := client.Metadata(s.Context(), s.gateway, nil)
	if err != nil {
		s.Fatal(err)
	}
	c := &client.Client{Server: server, ID: id, Key: bound, Auth: client.PrivateKey{Key: key}}
	return &caller{s, &http.Client{Transport: &client.Transport{Service: s.gateway, Source: c.Credentials(scopes...), Key: bound}, Timeout: time.Minute}}
}

// do sends a request, wants a status, and reads the answer.
func (c *caller) do(method, path string, body any, want int) map[string]any {
	c.Helper()
	status, header, text := c.send(method, path, "application/json", body)
	if status != want {
		c.Fatalf("%s %s: %d, want %d: %s (%v)", method, path, status, want, text, header)
	}
	out := map[string]any{}
	if len(bytes.TrimSpace(text)) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &out); err != nil {
			c.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return out
}

func (c *caller) send(method, path, contentType string, body any, headers ...string) (int, http.Header, []byte) {
	c.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		in = bytes.NewReader(b)
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			c.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.gateway+path, in)
	if err != nil {
		c.Fatal(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, resp.Header, text
}

// submit asks for a scan and returns its id.
func (c *caller) submit(image string) string {
	c.Helper()
	out := c.do("POST", "/api/v1/scans", map[string]any{"image_ref": c.registry + "/" + image, "formats": []string{"spdx-json"}}, http.StatusAccepted)
	if out["status"] != "queued" {
		c.Errorf("a new scan is %v", out["status"])
	}
	id, _ := out["job_id"].(string)
	return id
}

// completed waits until a scan is.
func (c *caller) completed(id string) map[string]any {
	c.Helper()
	var job map[string]any
	c.until("scan "+id+" is completed", time.Minute, func() bool {
		job = c.do("GET", "/api/v1/scans/"+id, nil, http.StatusOK)
		switch job["status"] {
		case "failed", "dead", "cancelled":
			c.Fatalf("scan %s: %v", id, job)
		}
		return job["status"] == "completed"
	})
	return job
}

// vulnerabilities are those of a scan as the newest report has them, joined by commas.
func (c *caller) vulnerabilities(id string) string {
	c.Helper()
	out := c.do("GET", "/api/v1/scans/"+id+"/findings", nil, http.StatusOK)
	list, _ := out["findings"].([]any)
	var names []string
	for _, f := range list {
		m, _ := f.(map[string]any)
		names = append(names, fmt.Sprint(m["vulnerability"]))
	}
	return strings.Join(names, ",")
}

// tool runs the command line as a person would.
func (s *site) tool(home string, args ...string) (string, error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, stella(s), args...)
	cmd.Env = append(environ(), "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home+"/cache", "HOME="+home, "NO_COLOR=1")
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var devicePage = regexp.MustCompile(`(https?://\S+/device)\S*`)
var deviceCode = regexp.MustCompile(`\b[A-Z0-9]{4}-[A-Z0-9]{4}\b`)
var pageToken = regexp.MustCompile(`name="page" value="([^"]+)"`)

// login is "stella login": a person opens the page that it names, enters the code, the name
// and the password, and allows it.
func (s *site) login(home, tenant, login, password string) {
	s.Helper()
	cmd := exec.Command(stella(s), "login", "--server", s.gateway, "--tenant", tenant)
	cmd.Env = append(environ(), "XDG_CONFIG_HOME="+home, "HOME="+home, "NO_COLOR=1")
	said := &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	defer cmd.Process.Kill()
	var page, code string
	s.until("login says where to go", 30*time.Second, func() bool {
		text := said.String()
		page, code = first(devicePage.FindStringSubmatch(text)), deviceCode.FindString(text)
		return page != "" && code != ""
	})
	s.person(page, url.Values{"action": {"login"}, "user_code": {code}, "tenant": {tenant}, "login": {login}, "password": {password}})
	if err := cmd.Wait(); err != nil {
		s.Fatalf("stella login: %v: %s", err, said)
	}
}

func first(match []string) string {
	if len(match) < 2 {
		return ""
	}
	return match[1]
}

// person fills in a page and allows what the next one asks.
func (s *site) person(page string, form url.Values) {
	s.Helper()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	get := func(resp *http.Response, err error) string {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			s.Fatalf("%s: %s %v: %s", page, resp.Status, err, text)
		}
		return string(text)
	}
	text := get(browser.Get(page))
	for range 2 {
		form.Set("page", first(pageToken.FindStringSubmatch(text)))
		r, err := http.NewRequest("POST", page, strings.NewReader(form.Encode()))
		if err != nil {
			s.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", s.gateway)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		text = get(browser.Do(r))
		form = url.Values{"action": {"allow"}}
	}
	if strings.Contains(text, `value="allow"`) {
		s.Fatalf("the page asks again: %s", text)
	}
}
