package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/services/stella/internal/render"
)

// onlyHere is the annotation of flags that mean something on this machine alone.
const onlyHere = "stella.only-here"

// eitherFlags are --server of a command that works on this machine and at a server.
type eitherFlags struct{ serverFlags }

// register registers the flags. All that fs has before are those of this machine alone,
// but for shared.
func (f *eitherFlags) register(fs *pflag.FlagSet, shared ...string) {
	fs.VisitAll(func(flag *pflag.Flag) {
		if !slices.Contains(shared, flag.Name) {
			_ = fs.SetAnnotation(flag.Name, onlyHere, nil) // the flag is there
		}
	})
	f.serverFlags.register(fs)
	fs.Lookup("server").Usage = "ask this server, such as https://stella.example (default: STELLA_SERVER, where no flag of this machine alone is given; --server= works here)"
}

// asked reports whether a server is asked: where --server names one, or STELLA_SERVER does
// and neither --server= nor a flag that means something here alone is given.
func (f *eitherFlags) asked(env func(string) string, fs *pflag.FlagSet) (bool, error) {
	var here, there []string
	fs.Visit(func(flag *pflag.Flag) {
		if _, is := flag.Annotations[onlyHere]; is {
			here = append(here, "--"+flag.Name)
		}
		if flag.Name == "ca-cert" || flag.Name == "insecure-http" {
			there = append(there, "--"+flag.Name)
		}
	})
	switch named := f.url != ""; {
	case named && len(here) > 0:
		return false, usageError("%s: of this machine, and not of a server, which has data and settings of its own (--server= works here)", strings.Join(here, ", "))
	case named:
		return true, nil
	case env(serverVariable) != "" && !fs.Changed("server") && len(here) == 0:
		return true, nil
	case len(there) > 0:
		return false, usageError("%s: of a server: give --server URL", strings.Join(there, ", "))
	}
	return false, nil
}

// at asks a server and says what it answered.
func (p *program) at(ctx context.Context, f *serverFlags, out render.Outputs, do func(*service) (*render.Answer, error)) error {
	r, err := p.connect(ctx, f)
	if err != nil {
		return err
	}
	a, err := do(r)
	if err != nil {
		return r.explain(err)
	}
	return p.say(out, a)
}

// elsewhere asks a server where the command line says so, and reports whether it did or
// could not.
func (p *program) elsewhere(cmd *cobra.Command, f *eitherFlags, out render.Outputs, do func(context.Context, *service) (*render.Answer, error)) (bool, error) {
	remote, err := f.asked(p.env, cmd.Flags())
	if err != nil || !remote {
		return err != nil, err
	}
	ctx := cmd.Context()
	return true, p.at(ctx, &f.serverFlags, out, func(r *service) (*render.Answer, error) { return do(ctx, r) })
}

// line is a table of one line, or some.
func line(format string, args ...any) func(io.Writer) error {
	return func(w io.Writer) error { _, err := fmt.Fprintf(w, format+"\n", args...); return err }
}
