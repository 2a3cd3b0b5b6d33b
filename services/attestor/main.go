// Attestor is the process of Attestor, with the transparency log. It wires attest.Attestor by attest/attesthttp, and attest/tlog.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("attestor")) }
