// Scheduler is the process of Scheduler, which also keeps the house. It wires scan/schedule and store.Root.Collect.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("scheduler")) }
