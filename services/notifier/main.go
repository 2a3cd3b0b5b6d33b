// Notifier is the process of Notify. It wires notify.Router, notify.Deliverer and notify/notifyhttp.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("notifier")) }
