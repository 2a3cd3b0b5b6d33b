// Gateway is the process of the door for clients. It wires services/internal/gateway: TLS, tokens and proofs, rights, rates, routes.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("gateway")) }
