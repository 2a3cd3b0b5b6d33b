package schedulehttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/scan/schedule"
	"github.com/stella-ops/stella/scan/schedulehttp"
	"github.com/stella-ops/stella/store/sqlite"
)

// A service in this process, and a client that has tags watched every night.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "stella")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	root, err := sqlite.Open(ctx, filepath.Join(dir, "stella.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	server := httptest.NewServer(&schedulehttp.Handler{
		Plans: func(tenant string) (schedule.Plans, error) {
			t, err := root.Tenant(tenant)
			if err != nil {
				return nil, err
			}
			return t.Schedules(), nil
		},
		Identify: func(*http.Request) (schedulehttp.Identity, error) { // as a token says
			return schedulehttp.Identity{Tenant: "acme", Subject: "ann", Operator: true}, nil
		},
	})
	defer server.Close()

	client := &schedulehttp.Client{URL: server.URL}
	plan := &schedule.Plan{ID: "tags", Cron: "0 2 * * *", Zone: "Europe/Berlin", Kind: schedule.Watch, Selection: schedule.Selection{Images: []string{"registry.example/*"}}}
	if err := client.Set(ctx, plan, 0, ""); err != nil {
		fmt.Println(err)
		return
	}
	run, _, err := client.Request(ctx, "tags", "first", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.By, run.State, run.Plan.Kind)
	// Output: ann running watch
}
