package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// A program asks a service as itself: the token is fetched with the first request, kept,
// and proved to be the program's own with each.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(serve)) // in its place: https://stella.example
	defer server.Close()

	ctx := context.Background()
	authority, err := client.Discover(ctx, server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := dpop.Generate("") // what tokens are bound to
	if err != nil {
		fmt.Println(err)
		return
	}
	own, err := dpop.Generate("") // what the server knows the program by; kept in a file
	if err != nil {
		fmt.Println(err)
		return
	}
	c := &client.Client{Server: authority, ID: "ci", Key: key, Auth: client.PrivateKey{Key: own.Signer()}}
	program := http.Client{Transport: &client.Transport{Service: server.URL, Source: c.Credentials("scanner:scan"), Key: key}}

	for range 2 {
		resp, err := program.Get(server.URL + "/api/v1/scans")
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.Status, string(text))
	}
	// Output:
	// a token for ci
	// 200 OK []
	// 200 OK []
}

// serve stands for an authorization server and a service.
func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	at := "http://" + r.Host
	switch {
	case r.URL.Path == "/.well-known/oauth-authorization-server":
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, at, at+"/token")
	case r.URL.Path == "/token":
		fmt.Println("a token for", r.FormValue("client_id"))
		io.WriteString(w, `{"access_token":"secret","token_type":"DPoP","expires_in":180}`)
	case r.URL.Path != "/api/v1/scans":
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("Authorization") != "DPoP secret" || r.Header.Get("DPoP") == "":
		w.WriteHeader(http.StatusUnauthorized)
	default:
		io.WriteString(w, "[]")
	}
}
