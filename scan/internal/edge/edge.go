// Package edge holds what the HTTP faces of scans share.
package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/blob"
)

// Limited makes of a quota that is used up a status 429, with the header Retry-After
// where it is known when it is free again. Other errors stay what they are.
func Limited(h http.Header, err error) error {
	var q *scan.QuotaError
	if !errors.As(err, &q) {
		return err
	}
	after := time.Minute // when others end
	if q.After > 0 {
		after = q.After
	}
	h.Set("Retry-After", fmt.Sprint(int64((after+time.Second-1)/time.Second)))
	return &httpjson.Error{Status: http.StatusTooManyRequests, Err: errors.Unwrap(q)}
}

// SubmitSBOM keeps the bytes of an SBOM and submits a scan of it. A collection of objects
// that runs at the same time may have found the bytes free before: then they are put again.
func SubmitSBOM(ctx context.Context, store scan.Store, objects scan.Uploads, r scan.Request, content []byte, key string) (job *scan.Job, repeated bool, err error) {
	for try := 0; ; try++ {
		ref, err := objects.Put(ctx, bytes.NewReader(content))
		if err != nil {
			return nil, false, fmt.Errorf("keep the SBOM: %w", err)
		}
		r.SBOM = scan.ObjectOf(ref)
		if job, repeated, err = store.Submit(ctx, r, key); err != nil {
			if try == 0 && errors.Is(err, fault.Conflict) {
				continue
			}
			return nil, false, err
		}
		if _, err = objects.Stat(ctx, ref); !errors.Is(err, fault.NotFound) {
			return job, repeated, nil // where it cannot be asked, the worker will see
		}
		if _, err = objects.Put(ctx, bytes.NewReader(content)); err != nil {
			return nil, false, fmt.Errorf("keep the SBOM: %w", err)
		}
		return job, repeated, nil
	}
}

// Documents opens kept documents. A blob.Bucket is one.
type Documents interface {
	Open(ctx context.Context, ref blob.Ref) (io.ReadCloser, error)
}

// Content reads the verified bytes of a document, of at most limit bytes: those of its row,
// else those of its object. Damage is an error without a kind: what a scan refers to is
// always kept.
func Content(ctx context.Context, from Documents, s *scan.Stored, limit int64) ([]byte, error) {
	if s.Ref.Size > limit {
		return nil, &fault.LimitError{What: "bytes of a document", Where: s.Format, Max: limit, Seen: s.Ref.Size}
	}
	if s.Content != nil && int64(len(s.Content)) == s.Ref.Size && sum.Of(s.Content) == s.Ref.Digest {
		return s.Content, nil
	}
	r, err := from.Open(ctx, s.Ref)
	if err == nil {
		var b []byte
		b, err = io.ReadAll(io.LimitReader(r, limit+1))
		if e := r.Close(); err == nil {
			err = e
		}
		if err == nil {
			return b, nil
		}
	}
	if errors.Is(err, fault.Unavailable) || ctx.Err() != nil {
		return nil, fmt.Errorf("document %s: %w", s.Format, err)
	}
	return nil, fmt.Errorf("document %s: its bytes are damaged or lost where they are kept: %v", s.Format, err)
}
