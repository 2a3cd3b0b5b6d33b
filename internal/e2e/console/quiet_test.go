package console

import (
	"io"
	"log"
)

// quiet is for servers whose requests nobody wants to read.
var quiet = log.New(io.Discard, "", 0)
