package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// remoteFlags are the flags of a scan by a server.
type remoteFlags struct {
	serverFlags
	detach   bool
	cancel   bool
	labels   map[string]string
	priority int
}

func (f *remoteFlags) register(fs *pflag.FlagSet) {
	f.serverFlags.register(fs)
	fs.Lookup("server").Usage = "have this server scan the image of a registry, such as https://stella.example (default: STELLA_SERVER)"
	fs.BoolVar(&f.detach, "detach", false, "with --server: print the id of the scan and do not wait for it")
	fs.BoolVar(&f.cancel, "cancel-on-interrupt", false, "with --server: cancel the scan when this command is interrupted or its --timeout is over")
	fs.StringToStringVar(&f.labels, "label", nil, "with --server: a label of the scan, KEY=VALUE, which rules of notifications match; may be repeated")
	fs.IntVar(&f.priority, "priority", scan.DefaultPriority, fmt.Sprintf("with --server: %d to %d; a higher one is scanned first", scan.MinPriority, scan.MaxPriority))
}

// remoteOnly are flags that mean nothing without a server, and both those of a scan here
// that mean something with one.
var (
	remoteOnly = []string{"ca-cert", "insecure-http", "detach", "cancel-on-interrupt", "label", "priority"}
	both       = []string{
		"server", "platform", "timeout", "environment", "show-suppressed", "output", "sbom-format", "pretty", "quiet", "no-progress", "no-source",
		"fail-on", "fail-on-gap", "severity", "ignore-unfixed", "exit-code",
	}
)

// remotely says whether a server is to scan: where --server names one, or STELLA_SERVER
// does and --server is not given empty. What is not in a registry a server cannot read: such
// a source is scanned here where the variable alone names a server.
func (f *remoteFlags) remotely(env func(string) string, ref string, fs *pflag.FlagSet) (bool, error) {
	asked := f.url != ""
	_, notRemote := image.ParseRemote(ref)
	if !asked && !fs.Changed("server") && env(serverVariable) != "" {
		asked = notRemote == nil
	}
	var wrong []string
	fs.Visit(func(flag *pflag.Flag) {
		if asked && !slices.Contains(both, flag.Name) && !slices.Contains(remoteOnly, flag.Name) || !asked && slices.Contains(remoteOnly, flag.Name) {
			wrong = append(wrong, "--"+flag.Name)
		}
	})
	switch {
	case asked && notRemote != nil:
		return false, usageError("%s: a server scans images of registries: %s", clean(ref), clean(notRemote.Error()))
	case asked && len(wrong) > 0:
		return false, usageError("%s: of scans on this machine, and not by a server, which has data, policies and exceptions of its own (--server= scans here)", strings.Join(wrong, ", "))
	case len(wrong) > 0:
		return false, usageError("%s: of scans by a server: give --server URL", strings.Join(wrong, ", "))
	}
	return asked, nil
}

// scanAt has a server scan, waits for it, and concludes as a scan here does.
func (p *program) scanAt(ctx context.Context, ref string, f *scanFlags, g *gate, outputs render.Outputs) error {
	r, err := p.connect(ctx, &f.remote.serverFlags)
	if err != nil {
		return err
	}
	q := scan.Request{Image: ref, Platform: f.source.platform, Labels: f.remote.labels, Priority: &f.remote.priority}
	for _, o := range outputs {
		if o.Format != scan.Neutral && format.CanEncode(o.Format) {
			q.Formats = append(q.Formats, o.Format)
		}
	}
	if err := q.Normalize(); err != nil {
		return &codeError{exitUsage, err}
	}
	job, _, err := r.scans.Submit(ctx, q, "")
	if err != nil {
		return r.explain(err)
	}
	if f.remote.detach {
		_, err := fmt.Fprintln(p.stdout, job.ID)
		return err
	}
	if job, err = p.await(ctx, r, job, f); err != nil {
		return err
	}
	if job.State != scan.Completed {
		return ended(r, job)
	}
	res, err := p.fetch(ctx, r, job, f, needsVerdict(outputs))
	if err != nil {
		return r.explain(fmt.Errorf("scan %s at %s: %w", job.ID, r.server, err))
	}
	res.Reference = ref
	res.Report, res.showExcused = g.filter(res.Report), f.decide.showExcused
	if err := p.writeRemote(ctx, r, job, outputs, res, f); err != nil {
		return r.explain(err)
	}
	if err := res.exit(); err != nil {
		return err
	}
	return g.decide(res.result)
}

// ended is the error of a scan that has no results.
func ended(r *service, job *scan.Job) error {
	why := job.Reason
	if why == "" && len(job.Causes) > 0 {
		why = job.Causes[len(job.Causes)-1]
	}
	if why != "" {
		why = ": " + clean(why)
	}
	return fmt.Errorf("scan %s of %s at %s is %s%s", job.ID, clean(job.Image), r.server, job.State, why)
}

// The bounds of the wait between two questions how a scan stands.
const (
	minPoll = 50 * time.Millisecond
	maxPoll = 3 * time.Second
)

// await waits until a scan has ended, and tells of its states meanwhile.
func (p *program) await(ctx context.Context, r *service, job *scan.Job, f *scanFlags) (*scan.Job, error) {
	line := p.stateLine(f.output.quiet || f.output.noProgress)
	defer line.end()
	line.step(job)
	for pause := minPoll; !job.State.Terminal(); pause = min(pause*3/2, maxPoll) {
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			line.end()
			return nil, p.left(ctx, r, job, f)
		case <-t.C:
		}
		next, err := r.scans.Job(ctx, job.ID)
		if err != nil {
			if ctx.Err() != nil {
				line.end()
				return nil, p.left(ctx, r, job, f)
			}
			return nil, r.explain(fmt.Errorf("scan %s at %s goes on; how it stands is not to be had: %w", job.ID, r.server, err))
		}
		if next.State != job.State {
			pause = minPoll
		}
		job = next
		line.step(job)
	}
	return job, nil
}

// cancelTimeout bounds the cancelling of a scan after an interrupt.
const cancelTimeout = 10 * time.Second

// left says what becomes of a scan that nobody waits for any more.
func (p *program) left(ctx context.Context, r *service, job *scan.Job, f *scanFlags) error {
	cause := context.Cause(ctx)
	if !f.remote.cancel {
		return fmt.Errorf("%w: scan %s goes on at %s: \"stella scans show %s --server %s\" says how it stands", cause, job.ID, r.server, job.ID, r.server)
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer stop()
	now, err := r.scans.Cancel(ctx, job.ID, "the submitter was interrupted")
	if err != nil {
		return r.explain(fmt.Errorf("%w: scan %s is not cancelled: %w", cause, job.ID, err))
	}
	return fmt.Errorf("%w: scan %s is %s", cause, job.ID, now.State)
}

// stateLine tells how a scan stands: in one line of a terminal, else in a line for each
// state.
type stateLine struct {
	w        io.Writer // nil where nobody is told
	terminal bool
	states   []string
}

func (p *program) stateLine(quiet bool) *stateLine {
	if quiet {
		return &stateLine{}
	}
	file, ok := p.stderr.(*os.File)
	return &stateLine{w: p.stderr, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

func (l *stateLine) step(job *scan.Job) {
	state := string(job.State)
	if l.w == nil || len(l.states) > 0 && l.states[len(l.states)-1] == state {
		return
	}
	l.states = append(l.states, state)
	if l.terminal {
		fmt.Fprintf(l.w, "\r%s: %s", job.ID, strings.Join(l.states, " → "))
		return
	}
	fmt.Fprintf(l.w, "%s: %s\n", job.ID, state)
}

// end ends the line. It may be called again.
func (l *stateLine) end() {
	if l.terminal && len(l.states) > 0 {
		fmt.Fprintln(l.w)
	}
	l.states, l.terminal = nil, false
}

// writeRemote writes the outputs of a scan by a server: its own documents as they are, and
// everything else as a scan here writes it.
func (p *program) writeRemote(ctx context.Context, r *service, job *scan.Job, outputs render.Outputs, res *remoteResult, f *scanFlags) error {
	verbatim := !f.output.indent && !f.output.noSource
	answer := p.scanAnswer(res.result, f.output.indent)
	answer.Other = func(w io.Writer, name string) error {
		if kept := res.kept(name); verbatim && kept != nil {
			text, err := r.scans.Content(ctx, job.ID, kept, maxDocument)
			if err != nil {
				return err
			}
			_, err = w.Write(text)
			return err
		}
		return p.encode(w, name, res.result, f.output.indent)
	}
	return p.say(outputs, answer)
}
