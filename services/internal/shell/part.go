package shell

import (
	"context"
	"net/http"
)

// Part is what one system brings to a process: an API, loops, or both.
type Part struct {
	// Name is the system's, as in "scanner"; it is the audience of envelopes.
	Name string
	// Handler serves its API. What arrives there has an identity in its context. Nil: it
	// has none.
	Handler http.Handler
	// Loops run until their context is done. One that returns an error before that ends
	// the process.
	Loops []Loop
	// Ready says what keeps it from working, nil where nothing does. Nil means always.
	Ready func(ctx context.Context) error
	// Close frees what it holds, after the loops have ended. Nil means nothing.
	Close func() error
}

// Loop is work that goes on.
type Loop struct {
	Name string // for logs and metrics, such as "relay"
	Run  func(ctx context.Context) error
}
