package scanhttp

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/scan"
)

// Submit asks for a scan. r.Owner is left out: the service knows the owner by the
// token. An SBOM has to be among the tenant's objects already. A request with an
// Authorization, a Project or PlainHTTP is refused with ErrUnsupported. Where key is empty, the attempts of this call share one that is made up.
func (c *Client) Submit(ctx context.Context, r scan.Request, key string) (*scan.Job, bool, error) {
	const what = "submit a scan"
	if !isText(key, scan.MaxKey) {
		return nil, false, fmt.Errorf("%s: idempotency key %.80q: want at most %d printable ASCII characters: %w", what, key, scan.MaxKey, fault.Invalid)
	}
	if r.Authorization != "" || r.PlainHTTP || r.Project != nil {
		return nil, false, fmt.Errorf("%s: what its registry is asked with, and projects, do not travel this way: %w", what, fault.Unsupported)
	}
	made := key == ""
	if made {
		key = "auto-" + rand.Text()
	}
	job, repeated := new(scan.Job), false
	q := httpjson.Call{What: what, Method: http.MethodPost, Path: scansAt, Want: http.StatusAccepted, Again: true,
		Header: map[string]string{KeyHeader: key, "Prefer": wholeJob},
		Body:   submission{Image: r.Image, Platform: r.Platform, Formats: r.Formats, Priority: r.Priority, StoreLayers: r.StoreLayers, Labels: r.Labels}}
	if o := r.SBOM; o != nil {
		q.Body = submission{Image: r.Image, Formats: r.Formats, Priority: r.Priority, Labels: r.Labels, SBOM: &subject{Digest: o.Digest, Size: o.Size, Chunks: o.Chunks}}
	}
	read := into(job, func(j *scan.Job) bool { return isID(j.ID) && j.State.Known() })
	err := c.do(ctx, q, func(resp *http.Response) error {
		repeated = resp.Header.Get(ReplayedHeader) == "true"
		return read(resp)
	})
	if err != nil {
		return nil, false, err
	}
	return job, repeated && !made, nil
}

// get asks for something of one scan.
func (c *Client) get(ctx context.Context, what, id, path string, query url.Values, read func(*http.Response) error) error {
	if err := noScan(what, id); err != nil {
		return err
	}
	return c.do(ctx, httpjson.Call{What: what + " " + id, Method: http.MethodGet, Path: scansAt + "/" + id + path, Query: query, Want: http.StatusOK, Again: true}, read)
}

func isJob(id string) func(*scan.Job) bool {
	return func(j *scan.Job) bool { return j.ID == id && j.State.Known() }
}

// Job returns one job.
func (c *Client) Job(ctx context.Context, id string) (*scan.Job, error) {
	j := new(scan.Job)
	if err := c.get(ctx, "read scan job", id, "", nil, into(j, isJob(id))); err != nil {
		return nil, err
	}
	return j, nil
}

// List returns jobs, the newest first.
func (c *Client) List(ctx context.Context, q scan.Query) (*scan.Page, error) {
	query := url.Values{}
	for key, value := range map[string]string{"state": string(q.State), "image_ref": q.Image, "text": q.Text, "outcome": q.Outcome, "after": q.After} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if q.Latest {
		query.Set("latest", "true")
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	p := new(scan.Page)
	err := c.do(ctx, httpjson.Call{What: "list scans", Method: http.MethodGet, Path: scansAt, Query: query, Want: http.StatusOK, Again: true},
		into(p, func(p *scan.Page) bool { return p.Jobs != nil }))
	if err != nil {
		return nil, err
	}
	return p, nil
}

// States says how many scans are in which state.
func (c *Client) States(ctx context.Context) (*scan.StateCounts, error) {
	n := new(scan.StateCounts)
	err := c.do(ctx, httpjson.Call{What: "count scans", Method: http.MethodGet, Path: statesAt, Want: http.StatusOK, Again: true},
		into(n, func(n *scan.StateCounts) bool { return min(n.Queued, n.Running, n.Evaluating) >= 0 }))
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Manifest returns the canonical JSON of the job's manifest, compared with the
// digest that the service says.
func (c *Client) Manifest(ctx context.Context, id string) ([]byte, error) {
	var out []byte
	err := c.get(ctx, "read the manifest of", id, "/manifest", nil, func(resp *http.Response) error {
		b, err := httpjson.ReadBody(resp, MaxBody)
		if err != nil {
			return err
		}
		if want := resp.Header.Get("ETag"); want != httpjson.Tag(sum.Of(b)) {
			return &fault.MismatchError{What: "manifest", Want: want, Got: httpjson.Tag(sum.Of(b))}
		}
		out = b
		return nil
	})
	return out, err
}

// Cancel ends a job.
func (c *Client) Cancel(ctx context.Context, id, reason string) (*scan.Job, error) {
	const what = "cancel scan job"
	if err := noScan(what, id); err != nil {
		return nil, err
	}
	j := new(scan.Job)
	q := httpjson.Call{What: what + " " + id, Method: http.MethodPost, Path: scansAt + "/" + id + "/cancel", Body: cancellation{reason}, Want: http.StatusOK, Again: true}
	if err := c.do(ctx, q, into(j, isJob(id))); err != nil {
		return nil, err
	}
	return j, nil
}

// Documents returns what is kept of a job's documents, sorted by format, with the
// content that the service keeps inline. It is not compared with its Ref here.
func (c *Client) Documents(ctx context.Context, id string) ([]scan.Stored, error) {
	var list documentList
	err := c.get(ctx, "read the documents of", id, "/documents", url.Values{"content": {"inline"}}, into(&list, func(l *documentList) bool { return l.Documents != nil }))
	if err != nil {
		return nil, err
	}
	var out []scan.Stored
	for _, d := range list.Documents {
		out = append(out, d.kept())
	}
	return out, nil
}

// Content returns the bytes of a document that Documents told of, compared with its Ref:
// those that are inline, or else asked for. It has at most limit bytes: an error wraps
// ErrLimit where it is larger, and ErrMismatch where the bytes are others.
func (c *Client) Content(ctx context.Context, id string, s *scan.Stored, limit int64) ([]byte, error) {
	what := "document " + s.Format + " of scan " + id
	text := s.Content
	if text == nil {
		if err := noScan("read a document of", id); err != nil {
			return nil, err
		}
		if s.Ref.Size > limit {
			return nil, &fault.LimitError{What: "bytes of a document", Where: s.Format + " of scan " + id, Max: limit, Seen: s.Ref.Size}
		}
		q := httpjson.Call{What: "read " + what, Method: http.MethodGet, Path: scansAt + "/" + id + "/documents/" + url.PathEscape(s.Format), Want: http.StatusOK, Again: true,
			Header: map[string]string{"Accept": "*/*"}}
		err := c.do(ctx, q, func(resp *http.Response) (err error) {
			if text, err = io.ReadAll(io.LimitReader(resp.Body, s.Ref.Size+1)); err != nil {
				return fmt.Errorf("%w: %w", err, fault.Unavailable)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if got := sum.Of(text); got != s.Ref.Digest {
		return nil, &fault.MismatchError{What: what, Want: s.Ref.Digest, Got: got}
	}
	return text, nil
}

// Findings returns the report that was stored with the job's results.
func (c *Client) Findings(ctx context.Context, id string) (*finding.Report, error) {
	r := new(finding.Report)
	if err := c.get(ctx, "read the findings of", id, "/findings", nil, into(r, func(r *finding.Report) bool { return r.Findings != nil })); err != nil {
		return nil, err
	}
	return r, nil
}
