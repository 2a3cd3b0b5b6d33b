package loops

import (
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	_ "github.com/stella-ops/stella/store/queue/valkeyqueue"
	_ "github.com/stella-ops/stella/store/sqlite"
)

func TestMain(m *testing.M) { servers.Main(m) }
