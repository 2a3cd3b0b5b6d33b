package advisoryhttp

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// options are those of a request about matching.
func (h *Handler) options(c *call) (o advisory.Options, err error) {
	o.At = h.now()
	for key, to := range map[string]*bool{"match_owned": &o.MatchOwned, "cpe": &o.CPE} {
		switch c.query.Get(key) {
		case "", "false":
		case "true":
			*to = true
		default:
			return o, httpjson.BadRequest("query: %s is true or false", key)
		}
	}
	return o, nil
}

// match matches an SBOM in any format that is known.
func (h *Handler) match(c *call) error {
	opts, err := h.options(c)
	if err != nil {
		return err
	}
	doc, err := h.readSBOM(c.r)
	if err != nil {
		return err
	}
	v, done, err := h.view(c)
	if err != nil {
		return err
	}
	defer done()
	report, err := advisory.Matcher{View: v, Options: opts}.Match(c.r.Context(), doc)
	if err != nil {
		return httpjson.Kept(err)
	}
	return c.answer(report)
}

func (h *Handler) readSBOM(r *http.Request) (*sbom.Document, error) {
	text, err := httpjson.ReadBytes(r, "an SBOM", MaxDocument)
	if err != nil {
		return nil, err
	}
	if h.Decode != nil {
		return h.Decode(text)
	}
	doc, _, err := format.Decode(bytes.NewReader(text))
	return doc, err
}

// explain answers why the package that a package URL names is affected or not.
func (h *Handler) explain(c *call) error {
	opts, err := h.options(c)
	if err != nil {
		return err
	}
	var q Question
	if err := httpjson.Read(c.r, MaxBody, &q); err != nil {
		return err
	}
	if !isText(q.PURL, maxURL) || !isText(q.Vulnerability, maxName) {
		return fmt.Errorf("explain %.80q for %.80q: want a vulnerability of at most %d bytes and a package URL of at most %d, without control characters: %w", q.Vulnerability, q.PURL, maxName, maxURL, fault.Invalid)
	}
	doc, err := advisory.PackageDocument(q.PURL)
	if err != nil {
		return err
	}
	v, done, err := h.view(c)
	if err != nil {
		return err
	}
	defer done()
	x, err := advisory.Matcher{View: v, Options: opts}.Explain(c.r.Context(), doc, doc.Packages[0].ID, q.Vulnerability)
	if err != nil {
		return httpjson.Kept(err)
	}
	return c.answer(x)
}
