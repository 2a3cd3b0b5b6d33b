// Signer is the process of Signer. It wires attest.Signer by attest/attesthttp.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("signer")) }
