package sqlite_test

import (
	"testing"

	"github.com/stella-ops/stella/store/storetest"
)

func BenchmarkNotify(b *testing.B) { storetest.BenchmarkNotify(b, open) }
