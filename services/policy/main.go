// Policy is the process of the Policy Gateway with its engine. It wires policy/policyhttp, policy.Handler and schedule.Evaluator.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("policy")) }
