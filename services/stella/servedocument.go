package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// storedScheme names the document of a scan of a server where commands read an SBOM:
// scan:ID, or scan:ID/FORMAT for one that the server keeps besides its own.
const storedScheme = "scan:"

const storedHelp = `FILE is a document, "-" is standard input, and scan:ID is the document of a scan of
--server (scan:ID/FORMAT one that it keeps in another format).`

// openSBOM opens a document of a file, of standard input for "-", or of a scan of a server.
func (p *program) openSBOM(ctx context.Context, f *serverFlags, name string) (io.ReadCloser, error) {
	id, stored := strings.CutPrefix(name, storedScheme)
	if !stored {
		return p.openFile(name)
	}
	r, err := p.connect(ctx, f)
	if err != nil {
		return nil, err
	}
	text, err := r.stored(ctx, id)
	if err != nil {
		return nil, r.explain(fmt.Errorf("%s at %s: %w", clean(name), r.server, err))
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

// stored gives the document of a scan, ID or ID/FORMAT, compared with its digest.
func (r *service) stored(ctx context.Context, name string) ([]byte, error) {
	id, wanted, other := strings.Cut(name, "/")
	if !other {
		wanted = scan.Neutral
	}
	if id == "" || wanted == "" {
		return nil, usageError("which document? Want scan:ID or scan:ID/FORMAT, with an ID of \"stella scans list\"")
	}
	list, err := r.scans.Documents(ctx, id)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(s scan.Stored) bool { return s.Format == wanted })
	if i < 0 {
		var there []string
		for _, s := range list {
			there = append(there, s.Format)
		}
		return nil, fmt.Errorf("it has no document in the format %s: there are %s: %w", clean(wanted), clean(strings.Join(there, ", ")), fault.NotFound)
	}
	return r.scans.Content(ctx, id, &list[i], maxDocument)
}

// readStored reads a document as readSBOM does, or that of a scan of a server.
func (p *program) readStored(ctx context.Context, f *serverFlags, name string) (*sbom.Document, error) {
	if !strings.HasPrefix(name, storedScheme) {
		d, _, err := p.readSBOM(name)
		return d, err
	}
	r, err := p.openSBOM(ctx, f, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d, _, err := format.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", clean(name), err)
	}
	return d, nil
}
