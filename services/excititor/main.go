// Excititor is the process of Excititor, which knows what suppliers say. It wires vex/vexhttp and vex/ingest.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("excititor")) }
