package issuer_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/openapitest"
	"github.com/stella-ops/stella/services/auth/issuer"
)

const documentFile = "../../../docs/openapi/authority.yaml"

// allRoutes are those of a server whose issuer has no path.
func (g *rig) allRoutes() [][2]string {
	list := [][2]string{
		{"POST", "/token"}, {"POST", "/par"}, {"POST", "/device_authorization"}, {"POST", "/introspect"}, {"POST", "/revoke"}, {"POST", "/register"},
		{"GET", "/authorize"}, {"POST", "/authorize"}, {"GET", "/device"}, {"POST", "/device"}, {"GET", "/jwks"},
		{"GET", "/.well-known/oauth-authorization-server"}, {"GET", "/.well-known/openid-configuration"},
	}
	for _, r := range g.server.Routes() {
		list = append(list, [2]string{r[0], strings.TrimPrefix(r[1], path)})
	}
	return list
}

// TestAnswersMatchDocument holds what travels to the document.
func TestAnswersMatchDocument(t *testing.T) {
	g := newRig(t)
	administer(t, g)
	code, verifier := g.code()
	m := g.granted(g.proven("/token", redeem(code, verifier)))
	g.post("/introspect", g.as("gateway", "token", text(m, "access_token")))
	g.post("/introspect", g.as("gateway", "token", "x"))
	g.post("/revoke", form("client_id", issuer.Console, "token", text(m, "refresh_token")))
	_, digest := challenge()
	g.proven("/par", asking(issuer.Console, "https://console.example/callback", digest))
	g.proven("/par", url.Values{})
	g.open("/authorize", asking(issuer.Console, "https://console.example/callback", digest, "prompt", "none"))
	g.open("/authorize", nil)
	g.submit("/authorize", nil)
	device := members(g.post("/device_authorization", form("client_id", issuer.CLI)))
	w := g.open("/device", form("user_code", text(device, "user_code")))
	f := form("page", pageOf(w), "action", "login", "user_code", text(device, "user_code"), "tenant", "acme", "login", "ann", "password", "x")
	w = g.submit("/device", f)
	f.Set("page", pageOf(w))
	f.Set("password", password)
	g.submit("/device", f)
	page := form("page", pageOf(g.open("/authorize", asking(issuer.Console, "https://console.example/callback", digest))), "action", "login", "tenant", "acme", "login", "ann", "password", "x")
	g.submit("/authorize", page)
	g.post("/token", url.Values{})
	g.post("/token", form("client_id", "nobody"))
	for _, endpoint := range []string{path + "/jwks", path + "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server" + path} {
		g.api("GET", endpoint, "", "")
	}
	g.api("GET", api+"/users/nobody", admin, "")
	g.api("GET", api+"/users", "", "")
	g.api("POST", api+"/users", admin, `{"login":"x","scopes":["root"]}`)

	mux := http.NewServeMux()
	for _, r := range g.allRoutes() {
		mux.HandleFunc(r[0]+" "+r[1], http.NotFound)
	}
	var list []openapitest.Exchange
	for n, x := range g.seen {
		p := strings.Replace(strings.TrimPrefix(x.path, path), "oauth-authorization-server"+path, "oauth-authorization-server", 1)
		r := must(http.NewRequest(x.method, "http://auth.example"+p, nil))
		_, pattern := mux.Handler(r)
		_, p, _ = strings.Cut(pattern, " ")
		e := openapitest.Exchange{Name: fmt.Sprint(n, " ", x.method, " ", x.path), Method: x.method, Path: p, Status: x.status, Header: x.header, Body: x.body}
		if x.contentType == "application/json" {
			e.Request = x.request
		}
		list = append(list, e)
	}
	openapitest.Open(t, documentFile).Check(t, list)
}

// TestRoutesAreDocumented: the server has what the document has, and nothing else.
func TestRoutesAreDocumented(t *testing.T) {
	openapitest.Open(t, documentFile).CheckRoutes(t, newRig(t).allRoutes())
}

// TestModulePage: the page for people names every route and type of problem.
func TestModulePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/modules/authority.md")
	if err != nil {
		t.Fatal(err)
	}
	openapitest.Open(t, documentFile).CheckPage(t, string(page))
}
