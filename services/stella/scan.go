package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/filecache"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// scanFlags are the flags of stella scan.
type scanFlags struct {
	source  sourceFlags
	output  outputFlags
	gate    gateFlags
	db      dbFlags
	decide  decideFlags
	secrets secretFlags
	noCache bool
	cache   string
	timeout time.Duration
	jobs    int
	remote  remoteFlags
}

const scanHelp = `Scan an image, a directory or an SBOM, and say what is inside, what is known to
be wrong with it, and what was not assessed.

Sources:
  docker://REF, registry:REF, REF   an image in a registry
  docker-daemon:REF                 an image of the local Docker engine
  docker-archive:FILE[:REF]         a "docker save" archive
  oci-archive:FILE[:REF]            an OCI layout in a tar
  oci:DIR[:REF]                     an OCI layout
  dir:PATH                          a root filesystem or a project folder; dir:/ is this machine
  sbom:FILE                         a CycloneDX, SPDX or syft-json document ("-" reads standard input)

With --policy, --vex or --exceptions it decides as well: "stella policy eval --help".

With --server, or where STELLA_SERVER names one, a server scans an image of a registry,
with its own data and by the policies that are in force there; --server= scans here all
the same. What is written and the exit codes are those of a scan here. When this command
is interrupted the scan goes on: "stella scans --help".

Exit codes: 0 pass, 1 error, 2 a finding reaches --fail-on or the policy blocks, 3
--fail-on or a policy was asked for and something that matters was not assessed, 64
wrong arguments.`

func (p *program) scanCommand() *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:     "scan SOURCE",
		Short:   "Scan an image, a directory or an SBOM",
		Long:    scanHelp,
		Example: "  stella scan dir:/\n  stella scan docker://alpine:latest --sbom-format=spdx\n  stella scan oci:./layout -o table -o cyclonedx-json=sbom.json --fail-on high\n  stella scan docker://alpine:latest --sbom-format=spdx --server https://stella.example",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			remotely, err := f.remote.remotely(p.env, args[0], cmd.Flags())
			if err != nil {
				return err
			}
			return p.scan(cmd.Context(), args[0], &f, remotely)
		},
	}
	f.source.register(cmd.Flags())
	f.output.register(cmd.Flags())
	f.gate.register(cmd.Flags())
	f.db.register(cmd.Flags())
	f.decide.register(cmd.Flags())
	f.secrets.register(cmd.Flags())
	cmd.Flags().BoolVar(&f.noCache, "no-cache", false, "read every layer, keep nothing")
	cmd.Flags().StringVar(&f.cache, "cache-dir", "", "folder of known layers (default: stella in the user's cache folder)")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "give up after this time; 0 means never")
	cmd.Flags().IntVar(&f.jobs, "parallel", 0, "layers read at a time (default: the number of processors)")
	f.remote.register(cmd.Flags())
	return cmd
}

func (p *program) scan(ctx context.Context, ref string, f *scanFlags, remotely bool) error {
	outputs, err := f.output.parse()
	if err != nil {
		return err
	}
	gate, err := f.gate.parse()
	if err != nil {
		return err
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	if remotely {
		return p.scanAt(ctx, ref, f, gate, outputs)
	}
	if name, ok := inRegistry(ref); ok {
		f.decide.vex.image, f.decide.vex.registry = name, f.source.options()
	}
	if err := p.useKit(ctx, &f.db, &f.decide, f.source.offline); err != nil {
		return err
	}
	doc, err := p.document(ctx, ref, f)
	if err != nil {
		return err
	}
	return p.conclude(ctx, ref, doc, &f.decide, &f.db, gate, outputs, f.output.indent)
}

// conclude matches a document, decides where that is asked for, writes the outputs,
// and turns it all into an exit code: the policy's, or else the gate's.
func (p *program) conclude(ctx context.Context, ref string, doc *sbom.Document, f *decideFlags, db *dbFlags, gate *gate, outputs render.Outputs, indent bool) error {
	r := &result{Reference: ref, Document: doc}
	if f.asked() || f.vex.kept(db, p.env) || needsVerdict(outputs) {
		d, found, err := p.decide(ctx, f, db, doc)
		if err != nil {
			return err
		}
		r = newResult(ref, doc, found, d)
	} else {
		report, err := db.match(ctx, p.env, doc)
		if err != nil {
			return err
		}
		r.Report = report
	}
	r.Report, r.showExcused = gate.filter(r.Report), f.showExcused
	if err := p.write(outputs, r, indent); err != nil {
		return err
	}
	if f.policy != "" {
		if err := r.Decided.exit(); err != nil {
			return err
		}
	}
	return gate.decide(r)
}

// result is what a scan has to say.
type result struct {
	Reference string
	Document  *sbom.Document
	Report    *finding.Report
	// Decided is the verdict, nil where nobody asked; Excused are the findings that
	// statements or exceptions take out of the report.
	Decided     *decided
	Excused     []excusedFinding
	showExcused bool
}

// gaps are all gaps: of the document and of the match.
func (r *result) gaps() []sbom.Gap {
	return append(append([]sbom.Gap{}, r.Document.Gaps...), r.Report.Gaps...)
}

// document gives the document of any source.
func (p *program) document(ctx context.Context, ref string, f *scanFlags) (*sbom.Document, error) {
	set, err := p.analyzers(&f.secrets)
	if err != nil {
		return nil, err
	}
	if file, ok := strings.CutPrefix(ref, "sbom:"); ok {
		if f.secrets.on || f.secrets.rules != "" {
			return nil, usageError("secrets are looked for in files, and %s has none: scan what it was made of", clean(ref))
		}
		doc, _, err := p.readSBOM(file)
		return doc, err
	}
	img, err := f.source.open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	s := &scan.Scanner{Analyzers: set, Parallel: f.jobs, Tool: tool()}
	if !f.noCache {
		dir := f.cache
		if dir == "" {
			dir = p.cacheDir("layers")
		}
		if dir != "" {
			cache, err := filecache.Open(dir)
			if err != nil {
				return nil, fmt.Errorf("%w (--no-cache scans without)", err)
			}
			defer cache.Close()
			s.Cache = cache
		}
	}
	bars := p.progress(f.output.quiet || f.output.noProgress, img)
	if bars != nil {
		s.Progress = bars.step
		defer bars.stop()
	}
	res, err := s.Scan(ctx, img)
	if err != nil {
		return nil, err
	}
	if f.output.noSource {
		res.Document.Source = nil
	}
	return res.Document, nil
}
