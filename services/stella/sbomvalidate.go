package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/stella-ops/stella/scan/sbom/validate"
)

// maxValidated bounds a document that is validated, which is held in memory as a tree.
const maxValidated = 256 << 20

const validateHelp = `Hold documents against the JSON schemas that CycloneDX (1.2 to 1.7) and SPDX (2.2, 2.3,
3.0.1) publish, and against what schemas cannot say: identifiers that occur twice,
references to nothing, packages that contain themselves, licences that are no SPDX
expressions. Other formats are read strictly and checked for consistency.

Exit codes: 0 all are valid; 1 one is not, or cannot be read.`

func (p *program) sbomValidate() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Hold documents against the published schemas and what these cannot say; exit 1 if anything is wrong",
		Long:  validateHelp,
		Args:  usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			bad := 0
			answers := []validated{}
			for _, file := range args {
				a, err := p.validateFile(file)
				if err != nil {
					return err
				}
				if !asJSON {
					p.printValidated(&a)
				}
				if !a.Report.Valid() {
					bad++
				}
				answers = append(answers, a)
			}
			if asJSON {
				if err := p.printJSON(answers); err != nil {
					return err
				}
			}
			if bad > 0 {
				return &codeError{exitError, fmt.Errorf("%d of %d documents are not valid", bad, len(args))}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

// validated is the answer about one file.
type validated struct {
	File   string           `json:"file"`
	Report *validate.Report `json:"report"`
}

// validateFile judges one file; one that cannot be read has a problem.
func (p *program) validateFile(file string) (validated, error) {
	data, err := p.readBounded(file, maxValidated)
	if err != nil {
		return validated{file, &validate.Report{Problems: []validate.Problem{{Rule: validate.RuleSyntax, What: err.Error()}}}}, nil
	}
	r, err := validate.Validate(data)
	return validated{file, r}, err
}

// readBounded reads a file, or standard input for "-", of at most max bytes.
func (p *program) readBounded(file string, max int64) ([]byte, error) {
	var r io.Reader = p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("it is larger than %d bytes", max)
	}
	return data, nil
}

func (p *program) printValidated(a *validated) {
	r, file := a.Report, clean(a.File)
	for _, problem := range r.Problems {
		where := ""
		if problem.Pointer != "" {
			where = clean(problem.Pointer) + ": "
		}
		fmt.Fprintf(p.stdout, "%s: %s%s (%s)\n", file, where, clean(problem.What), clean(problem.Rule))
	}
	switch {
	case r.More > 0:
		fmt.Fprintf(p.stdout, "%s: and %d more\n", file, r.More)
	case !r.Valid():
	case r.Document == nil: // a version that is not read
		fmt.Fprintf(p.stdout, "%s: %s: valid\n", file, clean(r.Format))
	default:
		fmt.Fprintf(p.stdout, "%s: %s, %d packages, %d relationships: consistent\n", file, clean(r.Format), len(r.Document.Packages), len(r.Document.Relationships))
	}
}
