package sqlite_test

import (
	"testing"

	"github.com/stella-ops/stella/store/storetest"
)

func TestPolicy(t *testing.T) { storetest.TestPolicy(t, open) }
