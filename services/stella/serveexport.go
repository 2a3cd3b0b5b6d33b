package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// exportAt exports a scan of a server: what the server makes of it, to the places that are
// named here.
func (p *program) exportAt(ctx context.Context, ref string, f *exportCommandFlags, formats []export.Format, outputs render.Outputs) error {
	id, ok := strings.CutPrefix(ref, storedScheme)
	if !ok || id == "" {
		return usageError("a server exports its scans: want scan:ID, with an ID of \"stella scans list\" (--server= scans and exports here)")
	}
	places, err := p.openPlaces(ctx, f)
	if err != nil {
		return err
	}
	r, err := p.connect(ctx, &f.server.serverFlags)
	if err != nil {
		return err
	}
	list, parcel, err := r.exported(ctx, id, formats)
	if err != nil {
		return r.explain(err)
	}
	return p.place(ctx, places, list, parcel, outputs)
}

// exported downloads exports of a scan, and has those made that are not there.
func (r *service) exported(ctx context.Context, id string, formats []export.Format) ([]exported, *export.Parcel, error) {
	job, err := r.scans.Job(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if job.Summary == nil {
		return nil, nil, ended(r, job)
	}
	about := &export.Parcel{Tenant: tenant, ScanID: id, Image: job.Image, SBOM: job.Summary.SBOMDigest, Subject: cmp.Or(job.Summary.ImageDigest, job.Summary.SBOMDigest)}
	var out []exported
	for _, format := range formats {
		o := new(attesthttp.Download)
		if format != export.Evidence {
			o.Accept = format.MediaType()
		}
		text, err := r.download(ctx, id, format, o)
		if err != nil {
			return nil, nil, fmt.Errorf("%s of scan %s: %w", format, clean(id), err)
		}
		out = append(out, exported{Format: format, Name: format.FileName(), Digest: sum.Of(text), Size: int64(len(text)), content: text, mediaType: format.MediaType()})
	}
	return out, about, nil
}
