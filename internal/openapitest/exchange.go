package openapitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Exchange is a request with its real answer.
type Exchange struct {
	Name   string
	Method string
	Path   string // of the operation, "/a/{b}"; "" for a path that no operation has
	// Request is the body of the request, Body that of the answer.
	Request []byte
	Status  int
	Header  http.Header
	Body    []byte
}

// Check is CheckEach, and every answer below 400 that the document has must be
// among the exchanges.
func (d *Document) Check(t testing.TB, list []Exchange) {
	t.Helper()
	seen := d.CheckEach(t, list)
	for _, operation := range d.Operations() {
		method, path, _ := strings.Cut(operation, " ")
		method = strings.ToLower(method)
		responses, _ := d.At("paths", path, method, "responses")
		for status := range responses.(map[string]any) {
			if key := method + " " + path + " " + status; status < "400" && !seen[key] {
				t.Errorf("no exchange shows %s", key)
			}
		}
	}
}

// CheckEach validates exchanges: bodies of requests that succeeded, and all
// answers with their statuses and required headers. HEAD is held to what GET says;
// methods that a path does not have, and paths that no operation has, are left
// alone. It returns what was seen, as "get /a/{b} 200".
func (d *Document) CheckEach(t testing.TB, list []Exchange) (seen map[string]bool) {
	t.Helper()
	seen = map[string]bool{}
	for i := range list {
		x := &list[i]
		if x.Status == http.StatusMethodNotAllowed || x.Path == "" {
			continue
		}
		method := strings.ToLower(strings.Replace(x.Method, http.MethodHead, http.MethodGet, 1))
		if status := d.exchange(t, x, method); status != "" {
			seen[method+" "+x.Path+" "+status] = true
		}
	}
	return seen
}

// exchange checks one, and returns its status where the document has it.
func (d *Document) exchange(t testing.TB, x *Exchange, method string) (status string) {
	t.Helper()
	operation, ok := d.At("paths", x.Path, method)
	if !ok {
		t.Errorf("%s: no operation %s %s", x.Name, method, x.Path)
		return ""
	}
	if x.Status < 300 && len(x.Request) > 0 {
		if schema, ok := d.within(operation, "requestBody", "content", "application/json", "schema"); ok {
			d.check(t, x.Name+": the request", schema, x.Request)
		} else {
			t.Errorf("%s: %s %s has no body that is JSON", x.Name, method, x.Path)
		}
	}
	status = fmt.Sprint(x.Status)
	response, ok := d.within(operation, "responses", status)
	if !ok {
		t.Errorf("%s: %s %s does not say that it answers %d", x.Name, method, x.Path, x.Status)
		return ""
	}
	if headers, ok := d.within(response, "headers"); ok {
		for name := range headers.(map[string]any) {
			if required, _ := d.within(headers, name, "required"); required == true && x.Header.Get(name) == "" {
				t.Errorf("%s: no header %s", x.Name, name)
			}
		}
	}
	contentType := x.Header.Get("Content-Type")
	schema, ok := d.within(response, "content", contentType, "schema")
	if _, any := d.within(response, "content", "*/*"); !ok && !any && len(x.Body) > 0 {
		t.Errorf("%s: answers %d with %s, which is not described", x.Name, x.Status, contentType)
	}
	if ok && len(x.Body) > 0 && strings.HasSuffix(contentType, "json") {
		d.check(t, x.Name, schema, x.Body)
	}
	return status
}

// CheckRoutes compares the document with the routes of a handler, each as method
// and path: neither has one that the other has not.
func (d *Document) CheckRoutes(t testing.TB, routes [][2]string) {
	t.Helper()
	documented := d.Operations()
	for _, r := range routes {
		if !slices.Contains(documented, r[0]+" "+r[1]) {
			t.Errorf("the document lacks %s %s", r[0], r[1])
		}
	}
	for _, operation := range documented {
		if !slices.ContainsFunc(routes, func(r [2]string) bool { return r[0]+" "+r[1] == operation }) {
			t.Errorf("nothing serves %s", operation)
		}
	}
}

// CheckPage holds the page for people to the document: a row of a table begins
// with each operation, and one with each type of problem.
func (d *Document) CheckPage(t testing.TB, page string) {
	t.Helper()
	for _, operation := range d.Operations() {
		if line := "| `" + operation; !strings.Contains(page, line+"`") && !strings.Contains(page, line+"?") {
			t.Errorf("no line of the page is about %s", operation)
		}
	}
	types, _ := d.At("components", "schemas", "Problem", "properties", "type", "enum")
	names, _ := types.([]any)
	if len(names) == 0 {
		t.Error("the document lists no types of problems")
	}
	for _, name := range names {
		if !strings.Contains(page, "| `"+strings.TrimPrefix(fmt.Sprint(name), "urn:stella:problem:")+"` |") {
			t.Errorf("the page does not explain %s", name)
		}
	}
}
