// Scanner is the process of Scanner.WebService. It wires scan/scanhttp and scan.Completer, and the relay of package store.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("scanner")) }
