package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/attesthttp"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/services/auth"
)

// maxShown bounds what a page shows of a document, in bytes; the download has all of it.
const maxShown = 200_000

// shelf is a place where documents are kept by their digests.
type shelf struct {
	name, scope   string // of who may read there
	service, root string
	query         url.Values
	accept        string
	// inside says that a digest may be that of what an envelope holds, so that bytes are not
	// compared with it.
	inside bool
}

// shelves are all, in the order in which they are looked through.
var shelves = []shelf{
	{name: "a document of advisories", scope: auth.AdvisoryRead, service: "advisories", root: "/api/v1/advisories/documents/"},
	{name: "a VEX document of yours", scope: auth.VEXRead, service: "VEX", root: "/api/v1/vex/documents/", inside: true},
	{name: "a public VEX document", scope: auth.VEXRead, service: "VEX", root: "/api/v1/vex/documents/", query: url.Values{"scope": {"public"}}, inside: true},
	{name: "an attestation", scope: auth.AttestRead, service: "service of proof", root: "/api/v1/attestations/", accept: attesthttp.TypeEnvelope},
	{name: "the manifest of a snapshot of advisories", scope: auth.AdvisoryRead, service: "advisories", root: "/api/v1/advisories/snapshots/"},
}

// documentView is a document that something rests on.
type documentView struct {
	Digest  string
	What    string // "" where nobody has it
	Text    string
	Bytes   int64
	Cut     bool // Text is the beginning
	Laid    bool // Text was indented for reading
	Binary  bool
	Unasked []string // shelves that could not be asked
}

// documentPage shows what has a digest, as a text.
func documentPage(v *visit) error {
	d := &documentView{Digest: v.r.PathValue("digest")}
	status := http.StatusOK
	text, at, err := v.look(d.Digest, maxShown, func(name string) { d.Unasked = append(d.Unasked, name) })
	switch {
	case errors.Is(err, fault.NotFound):
		status = http.StatusNotFound
	case err != nil:
		return err
	default:
		d.What, d.Bytes, d.Cut = at.name, int64(len(text)), len(text) > maxShown
		d.fill(text)
	}
	return v.show(status, "document", "Document "+shortDigest(d.Digest), d)
}

// fill makes bytes a text that can be read.
func (d *documentView) fill(text []byte) {
	if d.Cut {
		d.Text = clip(string(text), maxShown)
		text = []byte(d.Text)
	}
	if !utf8.Valid(text) {
		d.Text, d.Binary = "", true
		return
	}
	if whole := jsontext.Value(text); !d.Cut && whole.IsValid() {
		laid := whole.Clone()
		if laid.Indent(jsontext.WithIndent("  ")) == nil && len(laid) <= 2*maxShown {
			d.Laid, text = string(laid) != string(text), laid
		}
	}
	d.Text = string(text)
}

// documentContent gives out what has a digest, as it is kept.
func documentContent(v *visit) error {
	digest := v.r.PathValue("digest")
	text, at, err := v.look(digest, maxDocument, func(string) {})
	if err != nil {
		return err
	}
	if len(text) > maxDocument {
		return &fault.LimitError{What: "bytes of a document", Where: digest, Max: maxDocument}
	}
	if got := sum.Of(text); got != digest && !at.inside {
		return &fault.MismatchError{What: "document", Want: digest, Got: got}
	}
	return v.download(short12(digest)+".txt", text)
}

// look reads what has a digest, and one byte more than most at most: from the first of the
// shelves that has it, of those that the person may read. An error wraps [fault.NotFound]
// where none has it; away is told of those that could not be asked.
func (v *visit) look(digest string, most int64, away func(name string)) ([]byte, *shelf, error) {
	if !sum.Is(digest) {
		return nil, nil, &pageError{http.StatusNotFound, "There is no such page: this is no digest."}
	}
	for i := range shelves {
		s := &shelves[i]
		if !v.Can(s.scope) {
			continue
		}
		text, err := v.api.take(v.ctx(), s, digest, most)
		switch {
		case err == nil:
			return text, s, nil
		case errors.Is(err, fault.NotFound), errors.Is(err, fault.Forbidden), errors.Is(err, fault.Unsupported):
		case errors.Is(err, fault.Unauthenticated):
			return nil, nil, err
		default:
			v.c.report(err)
			away(s.name)
		}
	}
	return nil, nil, fmt.Errorf("document %s: %w", digest, fault.NotFound)
}

// take reads from one shelf.
func (a *api) take(ctx context.Context, s *shelf, digest string, most int64) (text []byte, err error) {
	q := httpjson.Call{What: "read document " + digest, Method: http.MethodGet, Path: digest, Query: s.query, Want: http.StatusOK, Again: true, Header: map[string]string{"Accept": "*/*"}}
	if s.accept != "" {
		q.Header["Accept"] = s.accept
	}
	err = a.caller(s.service, s.root).Do(ctx, q, func(resp *http.Response) error {
		if text, err = io.ReadAll(io.LimitReader(resp.Body, most+1)); err != nil {
			return fmt.Errorf("%w: %w", err, fault.Unavailable)
		}
		return nil
	})
	return text, err
}
