// Command makecorpus writes the hostile images to a folder, for any scanner to be run on:
//
//	go run ./internal/e2e/hostile/makecorpus -out DIR [-all] [-long] [-serve 127.0.0.1:5000]
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/stella-ops/stella/internal/e2e/hostile"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "makecorpus:", err)
		os.Exit(1)
	}
}

func run() error {
	var o hostile.Options
	out := flag.String("out", "", "the folder, which must not exist")
	serve := flag.String("serve", "", "an address to serve the images at as a registry, until interrupted")
	flag.BoolVar(&o.All, "all", false, "every case, and not one of each class")
	flag.BoolVar(&o.Long, "long", false, "also the cases that take a minute to make")
	flag.Parse()
	if *out == "" && *serve == "" {
		return fmt.Errorf("say -out or -serve")
	}
	if *out != "" {
		list, err := hostile.Write(*out, o)
		if err != nil {
			return err
		}
		classes := map[int]bool{}
		for _, m := range list {
			classes[m.Number] = true
		}
		fmt.Printf("%d images of %d classes\n", len(list), len(classes))
	}
	if *serve == "" {
		return nil
	}
	h, err := hostile.Handler(o)
	if err != nil {
		return err
	}
	s := &http.Server{Addr: *serve, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return s.ListenAndServe()
}
