package harbor

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/internal/edge"
)

// The labels of scans that Harbor asked for: a report names the artifact as the request
// did, and rules of notifications may match them.
const (
	labelRepository = "harbor.repository"
	labelDigest     = "harbor.digest"
	labelTag        = "harbor.tag"
	labelMediaType  = "harbor.mime_type"
)

func (h *Handler) accept(c *call) error {
	if err := checkType(c.r.Header.Get("Content-Type")); err != nil {
		return err
	}
	body, err := httpjson.ReadBytes(c.r, "a scan request", MaxBody)
	if err != nil {
		return err
	}
	q, err := parse(body, h.PlainHTTP)
	if err != nil {
		return err
	}
	q.Owner = c.who.Subject
	store, err := h.Store(c.who.Tenant)
	if err != nil {
		return httpjson.Opened(c.who.Tenant, err)
	}
	job, _, err := store.Submit(c.r.Context(), *q, "")
	if err != nil {
		return edge.Limited(c.w.Header(), err)
	}
	return answer(c.w, http.StatusAccepted, typeScanResponse, scanResponse{job.ID})
}

// checkType takes every version of the request, and plain JSON.
func checkType(t string) error {
	base, _, err := mime.ParseMediaType(t)
	if err == nil && (base == "application/vnd.scanner.adapter.scan.request+json" || base == "application/json") {
		return nil
	}
	return &httpjson.Error{Status: http.StatusUnsupportedMediaType, Err: fmt.Errorf("media type %.80q: want application/vnd.scanner.adapter.scan.request+json: %w", t, fault.Unsupported)}
}

// parse reads a scan request. What is no JSON of that shape is 400, a value that will not
// do 422, and what this scanner has no capability for 501. No error repeats the
// authorization.
func parse(body []byte, plainHTTP bool) (*scan.Request, error) {
	var s scanRequest
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, httpjson.BadRequest("scan request: no JSON of the expected shape at %s", place(err))
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("scan request: "+format+": %w", append(args, fault.Invalid)...)
	}
	u, err := url.Parse(s.Registry.URL)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.User != nil, u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return nil, bad("registry.url: want https://HOST or http://HOST, without user and path")
	case u.Scheme == "http" && !plainHTTP:
		return nil, bad("registry.url: the registry %.200q is spoken to without encryption, which is not allowed here", u.Host)
	}
	a := s.Artifact
	if a.Repository == "" || strings.ContainsAny(a.Repository, "@: ") {
		return nil, bad("artifact.repository %.200q is not the name of a repository", a.Repository)
	}
	if a.MediaType != "" && !slices.Contains(consumed, a.MediaType) {
		return nil, &httpjson.Error{Status: http.StatusNotImplemented, Err: fmt.Errorf("scan request: artifacts of the type %.200q are not scanned, only %s: %w", a.MediaType, strings.Join(consumed, ", "), fault.Unsupported)}
	}
	if err := checkEnabled(s.Enabled); err != nil {
		return nil, err
	}
	r, err := image.ParseReference(u.Host + "/" + a.Repository + "@" + a.Digest)
	if err != nil {
		return nil, err
	}
	if r.Digest == "" || r.Digest != a.Digest {
		return nil, bad("artifact.digest %.100q is not a digest", a.Digest)
	}
	q := &scan.Request{
		Image: "docker://" + u.Host + "/" + a.Repository + "@" + a.Digest, Formats: []string{formats[sboms[0]], formats[sboms[1]]}, PlainHTTP: u.Scheme == "http",
		Authorization: scan.Secret(s.Registry.Authorization), Labels: map[string]string{labelRepository: a.Repository, labelDigest: a.Digest},
	}
	if a.Tag != "" {
		q.Labels[labelTag] = a.Tag
	}
	if a.MediaType != "" {
		q.Labels[labelMediaType] = a.MediaType
	}
	if s.Registry.Authorization != "" {
		if _, err := image.Authorization(s.Registry.Authorization); err != nil {
			return nil, err
		}
	}
	return q, q.Normalize()
}

// checkEnabled says whether the capabilities that are asked for are there. All reports are
// made of one scan, whichever are asked for.
func checkEnabled(list []enabled) error {
	if len(list) > 16 {
		return &fault.LimitError{What: "capabilities", Where: "scan request", Max: 16, Seen: int64(len(list))}
	}
	for _, e := range list {
		produced := []string{typeVulns, typeVulnsOld}
		switch e.Type {
		case "vulnerability":
		case "sbom":
			produced = []string{typeSBOM}
			if e.Parameters != nil {
				for _, t := range e.Parameters.SBOM {
					if formats[t] == "" {
						return fmt.Errorf("scan request: no SBOM is written as %.100q, only as %s: %w", t, strings.Join(sboms, ", "), fault.Invalid)
					}
				}
			}
		default:
			return fmt.Errorf("scan request: capability %.80q: there are vulnerability and sbom: %w", e.Type, fault.Invalid)
		}
		for _, t := range e.Produces {
			if !slices.ContainsFunc(produced, func(p string) bool { return sameType(p, t) }) {
				return &httpjson.Error{Status: http.StatusNotImplemented, Err: fmt.Errorf("scan request: %s gives no %.200q, only %s: %w", e.Type, t, strings.Join(produced, ", "), fault.Unsupported)}
			}
		}
	}
	return nil
}

// sameType compares media types with their parameters.
func sameType(a, b string) bool {
	ta, pa, err1 := mime.ParseMediaType(a)
	tb, pb, err2 := mime.ParseMediaType(b)
	delete(pb, "q")
	return err1 == nil && err2 == nil && ta == tb && pa["version"] == pb["version"] && pb["charset"] == ""
}

// place says where JSON is wrong, without what is there.
func place(err error) string {
	switch e := err.(type) {
	case *json.SemanticError:
		return fmt.Sprintf("%.200q", string(e.JSONPointer))
	case *jsontext.SyntacticError:
		return fmt.Sprintf("byte %d", e.ByteOffset)
	}
	return "its end"
}
