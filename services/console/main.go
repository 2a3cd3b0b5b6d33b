// Console is the process of the pages for browsers. It wires services/internal/console, which asks the gateway in the name of who looks.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("console")) }
