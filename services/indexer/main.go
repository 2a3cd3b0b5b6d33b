// Indexer is the process of the Timeline Indexer. It wires notify/timeline by notify/notifyhttp.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("timeline")) }
