package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/scan/sbom/validate"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// maxValidated bounds a document that is validated, which is held in memory as a tree.
const maxValidated = 256 << 20

const validateHelp = `Hold documents against the JSON schemas that CycloneDX (1.2 to 1.7) and SPDX (2.2, 2.3,
3.0.1) publish, and against what schemas cannot say: identifiers that occur twice,
references to nothing, packages that contain themselves, licences that are no SPDX
expressions. Other formats are read strictly and checked for consistency.

` + storedHelp + `

Exit codes: 0 all are valid; 1 one is not, or cannot be read; 64 wrong arguments.`

func (p *program) sbomValidate() *cobra.Command {
	var outputs []string
	var server serverFlags
	cmd := &cobra.Command{
		Use:     "validate FILE...",
		Short:   "Hold documents against the published schemas and what these cannot say; exit 1 if anything is wrong",
		Long:    validateHelp,
		Example: "  stella sbom validate sbom.cdx.json vendor.spdx.json\n  stella sbom validate scan:scan-01JE4Z/spdx-json --server https://stella.example -o json",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := parseOutputs(outputs, render.Table)
			if err != nil {
				return err
			}
			bad := 0
			answers := []validated{}
			for _, file := range args {
				a, err := p.validateFile(cmd.Context(), &server, file)
				if err != nil {
					return err
				}
				if !a.Report.Valid() {
					bad++
				}
				answers = append(answers, a)
			}
			err = p.say(out, &render.Answer{Value: answers, Table: func(w io.Writer) error { return printValidated(w, answers) }})
			if err != nil {
				return err
			}
			if bad > 0 {
				return &codeError{exitError, fmt.Errorf("%d of %d documents are not valid", bad, len(args))}
			}
			return nil
		},
	}
	outputFlag(cmd, &outputs)
	server.register(cmd.Flags())
	return cmd
}

// validated is the answer about one file.
type validated struct {
	File   string           `json:"file"`
	Report *validate.Report `json:"report"`
}

// validateFile judges one file; one that cannot be read has a problem.
func (p *program) validateFile(ctx context.Context, server *serverFlags, file string) (validated, error) {
	data, err := p.storedBounded(ctx, server, file, maxValidated)
	var coded *codeError
	if errors.As(err, &coded) {
		return validated{}, err
	}
	if err != nil {
		return validated{file, &validate.Report{Problems: []validate.Problem{{Rule: validate.RuleSyntax, What: err.Error()}}}}, nil
	}
	r, err := validate.Validate(data)
	return validated{file, r}, err
}

// readBounded reads a file, or standard input for "-", of at most max bytes.
func (p *program) readBounded(file string, max int64) ([]byte, error) {
	r, err := p.openFile(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return bounded(r, max)
}

// storedBounded reads what openSBOM opens, of at most max bytes.
func (p *program) storedBounded(ctx context.Context, server *serverFlags, name string, max int64) ([]byte, error) {
	r, err := p.openSBOM(ctx, server, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return bounded(r, max)
}

func bounded(r io.Reader, max int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("it is larger than %d bytes", max)
	}
	return data, nil
}

func printValidated(w io.Writer, answers []validated) error {
	var b strings.Builder
	for i := range answers {
		answers[i].print(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (a *validated) print(w *strings.Builder) {
	r, file := a.Report, clean(a.File)
	for _, problem := range r.Problems {
		where := ""
		if problem.Pointer != "" {
			where = clean(problem.Pointer) + ": "
		}
		fmt.Fprintf(w, "%s: %s%s (%s)\n", file, where, clean(problem.What), clean(problem.Rule))
	}
	switch {
	case r.More > 0:
		fmt.Fprintf(w, "%s: and %d more\n", file, r.More)
	case !r.Valid():
	case r.Document == nil: // a version that is not read
		fmt.Fprintf(w, "%s: %s: valid\n", file, clean(r.Format))
	default:
		fmt.Fprintf(w, "%s: %s, %d packages, %d relationships: consistent\n", file, clean(r.Format), len(r.Document.Packages), len(r.Document.Relationships))
	}
}
