package policyhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/policyhttp"
	"github.com/stella-ops/stella/store"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// Example serves the policies of a store, keeps one, and puts it in force.
func Example() {
	if err := serve(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// release 1 is in force in "production" since activation 1
	// a text that is no policy is refused: true
}

func serve(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "stella-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "stella.db"))
	if err != nil {
		return err
	}
	defer root.Close()
	server := httptest.NewServer(&policyhttp.Handler{
		Stores: func(tenant string) (policyhttp.Store, error) {
			t, err := root.Tenant(tenant)
			if err != nil {
				return nil, err
			}
			return t.Policy(), nil
		},
		Parse: func(name string, text []byte) (*policy.Policy, error) {
			p, _, err := policyfile.Parse(name, text)
			return p, err
		},
		Compile: func(p *policy.Policy) (*policy.Engine, error) {
			return policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
		},
		Identify: func(r *http.Request) (policyhttp.Identity, error) { // a service checks a token here
			return policyhttp.Identity{Tenant: "acme", Subject: "ann", Author: true}, nil
		},
	})
	defer server.Close()

	client := &policyhttp.Client{URL: server.URL}
	kept, _, err := client.Add(ctx, []byte("id: release\nversion: 1\nthreshold: {block: high}\n"))
	if err != nil {
		return err
	}
	a, err := client.Activate(ctx, policy.Activation{Environment: "production", Policy: policy.Named{ID: kept.ID, Version: kept.Version}})
	if err != nil {
		return err
	}
	fmt.Printf("%s %d is in force in %q since activation %d\n", a.Policy.ID, a.Policy.Version, a.Environment, a.Number)
	_, _, err = client.Add(ctx, []byte("{id: a, version: 1, threshold: {bloc: high}}")) // the error says where, and what was probably meant
	fmt.Println("a text that is no policy is refused:", errors.Is(err, policyhttp.ErrInvalid))
	return nil
}
