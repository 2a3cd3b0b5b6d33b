// Authority is the process of the authorization server. It wires services/auth/issuer over store.Accounts.
package main

import (
	"os"

	"github.com/stella-ops/stella/services/internal/app"
)

func main() { os.Exit(app.Main("authority")) }
