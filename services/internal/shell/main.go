package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel"

	"github.com/stella-ops/stella/internal/redact"
	"github.com/stella-ops/stella/services/internal/config"
)

// The exit codes of Main.
const (
	ExitOK    = 0
	ExitError = 1
	ExitUsage = 64 // flags or configuration
)

// Main is the main function of a service: it reads the configuration for the systems of
// the program, fills p.Config, and runs. It returns the exit code. The first SIGTERM or
// interrupt stops the process in order, the second ends it.
//
// Beside flags it takes one argument: "config" prints what is configured, "ready" asks
// this service on its management port whether it is ready, for health checks of images
// that have no shell, and "migrate" brings the schema of the store up to date.
func Main(p *Program, systems ...string) int {
	set := pflag.NewFlagSet(p.Name, pflag.ContinueOnError)
	set.SortFlags = false
	flags := config.AddFlags(set)
	set.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: %s [config | ready | migrate] [flags]\n\n%s", p.Name, set.FlagUsages())
	}
	err := set.Parse(os.Args[1:])
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return ExitOK
	case err == nil && set.NArg() > 1:
		err = fmt.Errorf("%d arguments: want config, ready, migrate or none", set.NArg())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		return ExitUsage
	}
	if p.Config, err = config.Load(flags.Input(systems, os.Environ())); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return ExitUsage
	}
	quiet(p)
	ctx, cancel := Signals(context.Background())
	defer cancel()
	switch what := set.Arg(0); what {
	case "":
		err = p.Run(ctx)
	case "config":
		err = p.Config.Print(os.Stdout)
	case "ready":
		err = Ready(ctx, p.Config, os.Stdout)
	case "migrate":
		err = Migrate(ctx, p.Config)
	default:
		fmt.Fprintf(os.Stderr, "%s: argument %q: want config, ready, migrate or none\n", p.Name, what)
		return ExitUsage
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, redacted(p.Config, err))
		return ExitError
	}
	return ExitOK
}

// quiet has the libraries that log by themselves do it in the log of the process.
func quiet(p *Program) {
	log, hide := newLog(os.Stderr, p.Config, p.Name)
	hide(p.Config.Secrets())
	redis.SetLogger(printer{log})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "error", err.Error()) }))
}

type printer struct{ log *slog.Logger }

// Printf is for the client of Valkey.
func (p printer) Printf(ctx context.Context, format string, args ...any) {
	p.log.WarnContext(ctx, "valkey", "error", fmt.Sprintf(format, args...))
}

// Signals returns a context that is done at the first SIGTERM or interrupt. The second has
// its usual effect.
func Signals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Ready asks the process with this configuration, on this machine, whether it is ready.
func Ready(ctx context.Context, c *config.Config, w io.Writer) error {
	host, port, err := net.SplitHostPort(c.Management.Listen)
	if err != nil {
		return errors.New("management.listen is empty")
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, strings.TrimSpace(string(body)))
	if resp.StatusCode != http.StatusOK {
		return errors.New("not ready")
	}
	return nil
}

// redacted takes the secrets of a configuration out of an error.
func redacted(c *config.Config, err error) error { return redact.Error(err, c.Secrets()...) }
