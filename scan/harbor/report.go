package harbor

import (
	"cmp"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/internal/edge"
)

func (h *Handler) report(c *call) error {
	id := c.r.PathValue("scan_request_id")
	missing := fmt.Errorf("scan request %.80q: %w", id, fault.NotFound)
	if !strings.HasPrefix(id, "scan-") || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return missing
	}
	wanted, err := negotiate(c.r.Header.Values("Accept"))
	if err != nil {
		return err
	}
	form := c.r.URL.Query().Get("sbom_media_type")
	if wanted == typeSBOM && formats[form] == "" || wanted != typeSBOM && form != "" {
		return httpjson.BadRequest("query: sbom_media_type %.80q: with an SBOM report want %s, with others none", form, strings.Join(sboms, " or "))
	}
	store, err := h.Store(c.who.Tenant)
	if err != nil {
		return httpjson.Opened(c.who.Tenant, err)
	}
	job, err := store.Job(c.r.Context(), id)
	if errors.Is(err, fault.NotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	switch {
	case !job.State.Terminal():
		h.later(c)
		return nil
	case job.State != scan.Completed || job.Summary == nil:
		return failed("the scan is %s: %s", job.State, cmp.Or(job.Reason, "no reason was given"))
	}
	text, err := store.Manifest(c.r.Context(), id)
	if err != nil {
		return err
	}
	m, err := scan.DecodeManifest(text)
	if err != nil {
		return httpjson.Kept(err)
	}
	r := report{GeneratedAt: job.Summary.At.UTC().Format(time.RFC3339Nano), Scanner: h.Scanner,
		Artifact: artifact{Repository: m.Labels[labelRepository], Digest: m.Labels[labelDigest], Tag: m.Labels[labelTag], MediaType: m.Labels[labelMediaType]}}
	if wanted == typeSBOM {
		return h.sbom(c, store, job, r, form)
	}
	return h.vulnerabilities(c, store, job, r, wanted)
}

// failed is an error that Harbor shows beside the artifact, and stops asking at.
func failed(format string, args ...any) error {
	return &httpjson.Error{Status: http.StatusInternalServerError, Err: fmt.Errorf(format+": %w", append(args, fault.Conflict)...)}
}

// later asks Harbor to come again. The address is relative: it holds under every prefix.
func (h *Handler) later(c *call) {
	location := "report"
	if c.r.URL.RawQuery != "" {
		location += "?" + c.r.URL.Query().Encode()
	}
	header := c.w.Header()
	header.Set("Location", location)
	header.Set("Refresh-After", fmt.Sprint(int64((cmp.Or(h.Refresh, DefaultRefresh)+time.Second-1)/time.Second)))
	header.Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusFound)
}

// negotiate chooses the report that Accept asks for first; the current one of
// vulnerabilities where it takes any.
func negotiate(accept []string) (string, error) {
	all := strings.Join(accept, ",")
	if strings.TrimSpace(all) == "" {
		return typeVulns, nil
	}
	for want := range strings.SplitSeq(all, ",") {
		base, _, err := mime.ParseMediaType(want)
		if err != nil {
			continue
		}
		if base == "*/*" || base == "application/*" {
			return typeVulns, nil
		}
		for _, have := range []string{typeVulns, typeVulnsOld, typeSBOM} {
			if sameType(have, want) {
				return have, nil
			}
		}
	}
	return "", &httpjson.Error{Status: http.StatusNotImplemented, Err: fmt.Errorf("no report is written as %.300q, only as %s: %w", all, strings.Join([]string{typeVulns, typeVulnsOld, typeSBOM}, ", "), fault.Unsupported)}
}

func (h *Handler) vulnerabilities(c *call, store scan.Store, job *scan.Job, r report, mediaType string) error {
	found, err := store.Findings(c.r.Context(), job.ID)
	if errors.Is(err, fault.NotFound) {
		return failed("the packages were not compared with advisories: there was no data")
	}
	if err != nil {
		return err
	}
	out := vulnReport{report: r, Vulnerabilities: items(found.Findings)}
	switch {
	case len(out.Vulnerabilities) > 0:
		worst := slices.MaxFunc(out.Vulnerabilities, func(a, b item) int { return cmp.Compare(rank(a.Severity), rank(b.Severity)) })
		out.Severity = worst.Severity
	case job.Summary.Blocked: // nothing was found, and not all was looked at
		out.Severity = severities[0]
	}
	return answer(c.w, http.StatusOK, mediaType, out)
}

func (h *Handler) sbom(c *call, store scan.Store, job *scan.Job, r report, form string) error {
	kept, err := store.Documents(c.r.Context(), job.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(kept, func(s scan.Stored) bool { return s.Format == formats[form] })
	if i < 0 {
		return failed("no SBOM of this scan is kept as %s", form)
	}
	documents, err := h.Documents(c.who.Tenant)
	if err != nil {
		return httpjson.Opened(c.who.Tenant, err)
	}
	text, err := edge.Content(c.r.Context(), documents, &kept[i], MaxReport)
	if errors.Is(err, fault.Limit) {
		return failed("the SBOM has %d bytes, over %d", kept[i].Ref.Size, MaxReport)
	}
	if err != nil {
		return err
	}
	out := sbomReport{report: r, MediaType: form, SBOM: jsontext.Value(text)}
	if job.Summary.Gaps > 0 {
		out.Attributes = map[string]any{"stella": map[string]any{"gaps": job.Summary.Gaps, "not_assessed": job.Summary.Blocked}}
	}
	return answer(c.w, http.StatusOK, typeSBOM, out)
}
