package sqlite_test

import (
	"testing"

	"github.com/stella-ops/stella/store/storetest"
)

func BenchmarkPolicy(b *testing.B) { storetest.BenchmarkPolicy(b, open(b)) }
