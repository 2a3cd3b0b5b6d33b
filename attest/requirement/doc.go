// Package requirement reads requirements: which statements there must be about an
// image, by whom, and what a verdict among them must say. They are a file that people
// write:
//
//	requirements:
//	  - name: contents
//	    types: [spdxjson, cyclonedx]     # one of them; names of kinds, or URIs
//	    signers:                         # one of them; none means whom the trust root names
//	      - 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//	      - "sigstore:https://issuer.example|ci@example.com"
//	    threshold: 2                     # distinct keys under the same statement
//	    logged: true                     # a log's proof
//	    stamped: true                    # a timestamp of an authority
//	    max_age: 30d                     # since that timestamp
//	  - name: release
//	    verdict:                         # types is verdict then
//	      outcomes: [pass, warn]
//	      policies: ["sha256:…"]         # digests of policies
//	      environment: production
//	      max_age: 24h                   # since what it is as of
//	      standing: true                 # time alone has not changed it
//
// A member that is not known is refused with its line: what it restricts would not be
// honoured. requirements.schema.json beside this file says the same for editors.
package requirement

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// The limits of a document.
const (
	MaxDocument     = 1 << 20 // bytes
	MaxRequirements = 256
	MaxItems        = 256     // of one list
	MaxText         = 4 << 10 // bytes of one value
	MaxThreshold    = 64
	MaxProblems     = 20 // that are told at once
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid error = fault.Invalid
	ErrLimit   error = fault.Limit
)

// Problem is one thing that is wrong with a document.
type Problem struct {
	Line    int    // from 1; 0 where the place is not known
	Path    string // such as "requirements[1].verdict.outcomes"; "" for the document
	Message string
}

// DocumentError says everything that is wrong with a document. It matches ErrInvalid
// under errors.Is.
type DocumentError struct {
	Name     string
	Problems []Problem // by line; at least one
}

// Error gives each problem a line of its own, "name:line: path: …".
func (e *DocumentError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.Name
		if p.Line > 0 {
			lines[i] += fmt.Sprintf(":%d", p.Line)
		}
		if p.Path != "" {
			lines[i] += ": " + p.Path
		}
		lines[i] += ": " + p.Message
	}
	return strings.Join(lines, "\n")
}

// Is reports whether target is ErrInvalid.
func (e *DocumentError) Is(target error) bool { return target == fault.Invalid }
