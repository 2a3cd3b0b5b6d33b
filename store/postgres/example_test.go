package postgres_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/store/postgres"
)

// The owner of the database sets it up once; the application logs in as somebody
// else. This one has no server to talk to.
func Example() {
	ctx := context.Background()
	if err := postgres.Migrate(ctx, "postgres://owner@127.0.0.1:1/stella", "stella"); err != nil {
		fmt.Println("set up: no server")
	}
	_, err := postgres.Open(ctx, "postgres://stella:secret@127.0.0.1:1/stella?pool=3")
	fmt.Println(err)
	// Output:
	// set up: no server
	// open store postgres://stella@127.0.0.1:1/stella: query key "pool" of the URL: there are application_name, connect_timeout, host, max_conns, port, sslcert, sslkey, sslmode, sslrootcert, target_session_attrs: invalid input
}
