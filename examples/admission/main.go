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

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "admission:", err)
		stop()
		os.Exit(1)
	}
}

// serve answers reviews until ctx is done.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("admission", flag.ContinueOnError)
	listen := flags.String("listen", ":8443", "the address to listen on")
	cert := flags.String("cert", "tls.crt", "the certificate, a PEM `file`")
	key := flags.String("key", "tls.key", "its key, a PEM `file`")
	trust := flags.String("trust", "trust.json", "whom to believe: a `file` that \"stella attest trust\" wrote")
	policy := flags.String("policy", "", "the `digest` of the policy that must have decided; empty takes any, which only suits keys that decide by one policy")
	environment := flags.String("environment", "", "what it must be decided for, such as production")
	age := flags.Duration("max-age", 7*24*time.Hour, "refuse older verdicts: what is known changes")
	bundles := flags.String("bundles", "registry", "where bundles are: \"registry\", or a `folder`")
	platform := flags.String("platform", "linux/amd64", "with -bundles registry: the platform of the nodes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*trust)
	if err != nil {
		return err
	}
	root, err := attest.DecodeRoot(text)
	if err != nil {
		return fmt.Errorf("%s: %w", *trust, err)
	}
	h := &Handler{
		Verifier:    attest.Verifier{Trust: *root.Trust(nil)},
		Requirement: requirement(*policy, *environment, *age),
		Bundles:     folder(*bundles),
		Now:         time.Now,
	}
	if *bundles == "registry" {
		h.Bundles = registry(*platform)
	}
	server := &http.Server{Addr: *listen, Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	context.AfterFunc(ctx, func() { server.Shutdown(context.Background()) })
	if err := server.ListenAndServeTLS(*cert, *key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// requirement is what an image needs: a verdict that lets it be used, by somebody who is
// trusted, not older than age. The newest one of a policy counts, so an image that passed
// last week and is blocked today stays out.
func requirement(policy, environment string, age time.Duration) attest.Requirement {
	d := &attest.Decision{Environment: environment, MaxAge: age, Standing: true}
	if policy != "" {
		d.Policies = []string{policy}
	}
	return attest.Requirement{Name: "verdict", Predicates: []string{intoto.PredicateVerdict}, Decision: d}
}
