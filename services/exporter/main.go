// Exporter is the process of the Export Center. It wires attest/export by attest/attesthttp.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("exporter")) }
