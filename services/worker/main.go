// Worker is the process of Scanner.Worker. It wires scan.Worker with every analyzer and the matcher of package advisory.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("worker")) }
