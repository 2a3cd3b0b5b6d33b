package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/stella-ops/stella/scan/scanhttp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Args[1:], os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "registrywebhook:", err)
		stop()
		os.Exit(1)
	}
}

// serve takes webhooks until ctx is done.
func serve(ctx context.Context, args []string, env func(string) string) error {
	flags := flag.NewFlagSet("registrywebhook", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "the `address` to listen on, behind what ends TLS")
	registry := flags.String("registry", "", "the registry's `host`, as workers reach it")
	scanner := flags.String("scanner", "", "the `address` of the service")
	if err := flags.Parse(args); err != nil {
		return err
	}
	secret, token := env("WEBHOOK_SECRET"), env("STELLA_TOKEN")
	switch {
	case *registry == "" || *scanner == "":
		return errors.New("-registry and -scanner are needed")
	case secret == "":
		return errors.New("WEBHOOK_SECRET is empty: anybody could have anything scanned")
	}
	client := &scanhttp.Client{URL: *scanner, Token: func(context.Context) (string, error) { return token, nil }}
	h := &Handler{Scans: client, Registry: *registry, Secret: secret, Report: func(err error) { fmt.Fprintln(os.Stderr, "registrywebhook:", err) }}
	server := &http.Server{Addr: *listen, Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	context.AfterFunc(ctx, func() { server.Shutdown(context.Background()) })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
