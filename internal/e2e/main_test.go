package e2e

import (
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }
