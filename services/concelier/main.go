// Concelier is the process of Concelier, which knows advisories. It wires advisory/advisoryhttp, advisory/ingest and advisory/drift.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("concelier")) }
