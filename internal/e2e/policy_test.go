package e2e

import (
	"testing"

	"github.com/stella-ops/stella/store/storetest"
)

// TestPolicy runs the suite of policy stores on PostgreSQL.
func TestPolicy(t *testing.T) { storetest.TestPolicy(t, openPostgres) }
