package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

const timelineVerifyHelp = `Check an export of a timeline: that each row follows from the one before, that bodies are
what their rows say, and with --checkpoints and --key that the rows are those that
were signed. The file alone is read: neither the database nor this program's other
parts have a say. FILE "-" is standard input.

What no checkpoint covers can be made anew by whoever has the database: how many rows
these are stands in the answer, and --all-covered refuses them.

Whoever deletes the newest checkpoints as well is found by --seen FILE, which remembers
the newest one that was seen. It is written when all is well; the first time there is
nothing to compare with.

Exit codes: 0 all is well, 1 it could not be read, 4 it is not (the name of the reason
and the first bad row come first), 64 wrong arguments.`

// timelineVerifyFlags are the flags of stella timeline verify.
type timelineVerifyFlags struct {
	tenant      string
	checkpoints string
	keys        []string
	threshold   int
	seen        string
	covered     bool
	outputs     []string
}

// timelineVerified is what "stella timeline verify" has to say.
type timelineVerified struct {
	Verified    bool      `json:"verified"`
	Reason      string    `json:"reason,omitempty"`
	Detail      string    `json:"detail,omitempty"`
	Row         int64     `json:"row,omitzero"`  // the first bad one
	Line        int64     `json:"line,omitzero"` // of the export
	Checkpoint  int64     `json:"checkpoint,omitzero"`
	Tenant      string    `json:"tenant"`
	First       int64     `json:"first"`
	Last        int64     `json:"last"`
	Hash        string    `json:"hash"`
	Signed      int64     `json:"signed"` // the last row that a checkpoint covers
	Uncovered   int64     `json:"uncovered"`
	Checkpoints int64     `json:"checkpoints"`
	Newest      int64     `json:"newest,omitzero"` // checkpoint
	Digest      string    `json:"digest,omitempty"`
	At          time.Time `json:"at,omitzero"`
	Bodies      int64     `json:"bodies"`
	Pruned      int64     `json:"pruned"` // up to this row bodies may lack
	Lacking     int64     `json:"lacking,omitzero"`
}

func (p *program) timelineVerify() *cobra.Command {
	var f timelineVerifyFlags
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check an export of a timeline, without the database",
		Long:  timelineVerifyHelp,
		Example: "  stella timeline verify timeline.ndjson --checkpoints checkpoints.jsonl --key timeline.pub --seen seen.json\n" +
			"  stella timeline verify timeline.ndjson",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return p.verifyTimeline(args[0], &f) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.tenant, "tenant", "", "whose timeline it must be (default: the one that the file names)")
	fs.StringVar(&f.checkpoints, "checkpoints", "", "all checkpoints in their order: a file with an envelope on each line, as \"stella timeline checkpoint\" writes it")
	fs.StringArrayVar(&f.keys, "key", nil, "a public key (PEM) that may sign checkpoints; may be repeated")
	fs.IntVar(&f.threshold, "threshold", 1, "how many of the keys must have signed each checkpoint")
	fs.StringVar(&f.seen, "seen", "", "a file that remembers the newest checkpoint that was seen")
	fs.BoolVar(&f.covered, "all-covered", false, "refuse rows that no checkpoint covers")
	outputFlag(cmd, &f.outputs)
	return cmd
}

// seenCheckpoint is what a file remembers.
type seenCheckpoint struct {
	Tenant string `json:"tenant"`
	Number int64  `json:"number"`
	Digest string `json:"digest"`
}

func (p *program) verifyTimeline(file string, f *timelineVerifyFlags) error {
	outputs, err := parseOutputs(f.outputs, render.Table)
	if err != nil {
		return err
	}
	if (f.checkpoints != "") != (len(f.keys) > 0) {
		return usageError("--checkpoints and --key belong together: whose signatures count?")
	}
	if f.checkpoints == "" && (f.seen != "" || f.covered) {
		return usageError("--seen and --all-covered need --checkpoints")
	}
	if len(f.keys) > 0 && (f.threshold < 1 || f.threshold > len(f.keys)) {
		return usageError("--threshold %d: want 1 to %d, the number of keys", f.threshold, len(f.keys))
	}
	if f.checkpoints == "-" && file == "-" {
		return usageError("standard input cannot be both the export and the checkpoints")
	}
	o := &verify.Options{Tenant: f.tenant, Trust: dsse.Trust{Threshold: f.threshold}}
	for _, name := range f.keys {
		k, err := p.readPublicKey(name)
		if err != nil {
			return err
		}
		o.Trust.Keys = append(o.Trust.Keys, k)
	}
	if err := p.readSeen(f, o); err != nil {
		return err
	}
	export, err := p.openFile(file)
	if err != nil {
		return err
	}
	defer export.Close()
	if f.checkpoints != "" {
		stamps, err := p.openCheckpoints(f.checkpoints)
		if err != nil {
			return err
		}
		defer stamps.Close()
		o.Checkpoints = stamps
	}
	return p.judgeTimeline(file, export, o, f, outputs)
}

// judgeTimeline verifies, says what was found, and remembers it.
func (p *program) judgeTimeline(file string, export io.Reader, o *verify.Options, f *timelineVerifyFlags, outputs render.Outputs) error {
	r, err := verify.Verify(export, o)
	var wrong *verify.Error
	if err != nil && !errors.As(err, &wrong) {
		return fmt.Errorf("%s: %w", file, err)
	}
	if wrong == nil && f.covered && r.Uncovered() > 0 {
		wrong = &verify.Error{Reason: "uncovered", Seq: r.Signed + 1, Detail: fmt.Sprintf("no checkpoint covers it and what follows, %d rows", r.Uncovered())}
	}
	out := timelineReport(r, wrong)
	if wrong != nil {
		return p.refuseTimeline(out, outputs)
	}
	if f.seen != "" && r.Newest > 0 {
		text, err := json.Marshal(seenCheckpoint{r.Tenant, r.Newest, r.Digest}, json.Deterministic(true))
		if err != nil {
			return err
		}
		if err := replaceFile(f.seen, append(text, '\n')); err != nil {
			return err
		}
	}
	return p.say(outputs, &render.Answer{Value: out, Table: func(w io.Writer) error { return out.print(w, file) }})
}

func timelineReport(r *verify.Report, wrong *verify.Error) *timelineVerified {
	out := &timelineVerified{
		Verified: wrong == nil, Tenant: r.Tenant, First: r.First, Last: r.Last, Hash: r.Hash.String(), Signed: r.Signed, Uncovered: r.Uncovered(),
		Checkpoints: r.Checkpoints, Newest: r.Newest, Digest: r.Digest, At: r.Time, Bodies: r.Bodies, Pruned: r.Pruned, Lacking: r.Lacking,
	}
	if wrong != nil {
		out.Reason, out.Detail, out.Row, out.Line, out.Checkpoint = string(wrong.Reason), wrong.Detail, wrong.Seq, wrong.Line, wrong.Checkpoint
	}
	return out
}

// refuseTimeline says what is wrong: to programs as JSON, and to people.
func (p *program) refuseTimeline(out *timelineVerified, outputs render.Outputs) error {
	if err := p.say(outputs.Programs(), &render.Answer{Value: out}); err != nil {
		return &codeError{exitVerification, err}
	}
	where := fmt.Sprintf("timeline/%s: row %d", out.Reason, out.Row)
	if out.Line > 0 {
		where += fmt.Sprintf(" (line %d)", out.Line)
	}
	if out.Checkpoint > 0 {
		where += fmt.Sprintf(", checkpoint %d", out.Checkpoint)
	}
	return &codeError{exitVerification, fmt.Errorf("%s: %s", where, out.Detail)}
}

func (v *timelineVerified) print(w io.Writer, file string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: timeline of %s, rows %d to %d, each follows from the one before\n", clean(file), clean(v.Tenant), v.First, v.Last)
	fmt.Fprintf(&b, "head %s\n", v.Hash)
	switch {
	case v.Checkpoints == 0:
		b.WriteString("NOT SIGNED: no checkpoints were given, so whoever has the database could have made all of it anew\n")
	case v.Uncovered > 0:
		fmt.Fprintf(&b, "%d checkpoints, the newest is %d of %s: signed are the rows up to %d\n", v.Checkpoints, v.Newest, v.At.UTC().Format(time.RFC3339), v.Signed)
		fmt.Fprintf(&b, "NOT SIGNED: the last %d rows, which whoever has the database could have made anew\n", v.Uncovered)
	default:
		fmt.Fprintf(&b, "%d checkpoints, the newest is %d of %s: every row is signed\n", v.Checkpoints, v.Newest, v.At.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "%d bodies are what their rows say", v.Bodies)
	if v.Pruned > 0 {
		fmt.Fprintf(&b, "; up to row %d they were deleted, and a row says so", v.Pruned)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// readSeen reads what a file remembers. There is none the first time.
func (p *program) readSeen(f *timelineVerifyFlags, o *verify.Options) error {
	if f.seen == "" {
		return nil
	}
	text, err := p.readFile(f.seen, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		p.note("%s is not there yet: nothing says which checkpoint was seen last, and this one is believed", f.seen)
		return nil
	}
	if err != nil {
		return err
	}
	var s seenCheckpoint
	if err := json.Unmarshal(text, &s, json.RejectUnknownMembers(true)); err != nil || s.Number < 1 || s.Digest == "" || s.Tenant == "" {
		return fmt.Errorf("%s: it does not remember a checkpoint: want what \"stella timeline verify --seen\" wrote", f.seen)
	}
	if o.Tenant != "" && o.Tenant != s.Tenant {
		return usageError("%s remembers the timeline of %q, and --tenant says %q", f.seen, s.Tenant, o.Tenant)
	}
	o.Tenant, o.Seen = s.Tenant, &verify.Seen{Number: s.Number, Digest: s.Digest}
	return nil
}

// openFile opens a file to read, or standard input for "-".
func (p *program) openFile(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.stdin), nil
	}
	return os.Open(name)
}

// openCheckpoints opens a file of checkpoints.
func (p *program) openCheckpoints(name string) (io.ReadCloser, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return nil, usageError("--checkpoints %s is a folder: name the tenant's file in it, %s", name, filepath.Join(name, "TENANT.jsonl"))
	}
	return p.openFile(name)
}
