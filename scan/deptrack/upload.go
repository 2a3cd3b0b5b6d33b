package deptrack

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/internal/edge"
)

// submission is an upload. Members that are not here, such as those of parents, are left
// alone.
type submission struct {
	Project    string `json:"project"`
	Name       string `json:"projectName"`
	Version    string `json:"projectVersion"`
	AutoCreate bool   `json:"autoCreate"`
	Tags       []tag  `json:"projectTags"`
	BOM        string `json:"bom"` // base64
	content    []byte
}

type tag struct {
	Name string `json:"name"`
}

type uploaded struct {
	Token   string `json:"token"`
	Project string `json:"projectUuid"`
}

func (h *Handler) upload(c *call) error {
	s, err := readUpload(c.r)
	if err != nil {
		return err
	}
	if err := h.Check(bytes.NewReader(s.content)); err != nil {
		return wrongBOM(err)
	}
	q, err := c.request(s)
	if err != nil {
		return err
	}
	objects, err := h.Uploads(c.who.Tenant)
	if err != nil {
		return httpjson.Opened(c.who.Tenant, err)
	}
	job, _, err := edge.SubmitSBOM(c.r.Context(), c.scans, objects, *q, s.content, "")
	if err != nil {
		return edge.Limited(c.w.Header(), err)
	}
	return c.answer(uploaded{scan.UploadToken(c.who.Tenant, job.ID), scan.ProjectID(c.who.Tenant, *q.Project)})
}

// wrongBOM makes what is wrong with an SBOM the client's fault, as the API has it: 400.
func wrongBOM(err error) error {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Unsupported:
		return &httpjson.Error{Status: http.StatusBadRequest, Err: fmt.Errorf("bom: %.2000s: %w", err.Error(), fault.Invalid)}
	}
	return err
}

// request says what is submitted.
func (c *call) request(s *submission) (*scan.Request, error) {
	p := &scan.ProjectName{Name: strings.TrimSpace(s.Name), Version: strings.TrimSpace(s.Version)}
	gone := fmt.Errorf("the project could not be found: %w", fault.NotFound)
	switch {
	case s.Project != "":
		id := strings.ToLower(s.Project)
		if !uuidForm.MatchString(id) {
			return nil, httpjson.BadRequest("project %.80q is not a UUID", s.Project)
		}
		known, err := c.scans.Project(c.r.Context(), id)
		if errors.Is(err, fault.NotFound) {
			return nil, gone
		}
		if err != nil {
			return nil, err
		}
		p = &known.ProjectName
	case p.Name == "":
		return nil, httpjson.BadRequest("want project, or projectName with projectVersion")
	case !s.AutoCreate:
		if _, err := c.scans.Project(c.r.Context(), scan.ProjectID(c.who.Tenant, *p)); errors.Is(err, fault.NotFound) {
			return nil, gone
		} else if err != nil {
			return nil, err
		}
	}
	q := &scan.Request{Image: p.Display(), Project: p, Owner: c.who.Subject, Labels: map[string]string{"project": p.Name}}
	if p.Version != "" {
		q.Labels["project.version"] = p.Version
	}
	if len(s.Tags) > MaxTags {
		return nil, httpjson.BadRequest("projectTags: %d, at most %d", len(s.Tags), MaxTags)
	}
	for _, t := range s.Tags {
		if name := strings.TrimSpace(t.Name); name != "" {
			q.Labels["tag/"+name] = "true"
		}
	}
	check := *q
	check.SBOM = &scan.Object{Digest: "sha256:" + strings.Repeat("0", 64), Size: 1} // of the rest
	if err := check.Normalize(); err != nil {
		return nil, httpjson.QueryFault(err)
	}
	return q, nil
}

// readUpload reads an upload in either form, with the bytes of its SBOM.
func readUpload(r *http.Request) (*submission, error) {
	base, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	s := new(submission)
	switch {
	case err == nil && base == "application/json":
		err = s.readJSON(r)
	case err == nil && base == "multipart/form-data" && params["boundary"] != "":
		if r.ContentLength > MaxBody {
			return nil, &fault.LimitError{What: "bytes of a form", Where: "request", Max: MaxBody, Seen: r.ContentLength}
		}
		err = s.readForm(multipart.NewReader(io.LimitReader(r.Body, MaxBody), params["boundary"]))
	default:
		err = &httpjson.Error{Status: http.StatusUnsupportedMediaType, Err: fmt.Errorf("media type %.80q: want application/json or multipart/form-data: %w", r.Header.Get("Content-Type"), fault.Unsupported)}
	}
	if err != nil {
		return nil, err
	}
	s.content = bytes.TrimPrefix(s.content, []byte("\xef\xbb\xbf"))
	if len(s.content) == 0 {
		return nil, httpjson.BadRequest("bom: missing or empty")
	}
	if len(s.content) > scan.MaxUpload {
		return nil, &fault.LimitError{What: "bytes of an SBOM", Where: "request", Max: scan.MaxUpload, Seen: int64(len(s.content))}
	}
	return s, nil
}

func (s *submission) readJSON(r *http.Request) error {
	body, err := httpjson.ReadBytes(r, "an upload", MaxBody)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, s); err != nil {
		var shape *json.SemanticError
		var syntax *jsontext.SyntacticError
		switch {
		case errors.As(err, &shape):
			return httpjson.BadRequest("body: not of the expected shape at %.200q", string(shape.JSONPointer))
		case errors.As(err, &syntax):
			return httpjson.BadRequest("body: no JSON at byte %d", syntax.ByteOffset)
		}
		return httpjson.BadRequest("body: no JSON")
	}
	text := strings.Map(func(c rune) rune { // some encoders break lines
		if c == '\r' || c == '\n' {
			return -1
		}
		return c
	}, s.BOM)
	if s.content, err = base64.StdEncoding.DecodeString(text); err != nil {
		return httpjson.BadRequest("bom: not base64 (RFC 4648, section 4)")
	}
	s.BOM = ""
	return nil
}

// readForm reads a form. Fields that are not known are left alone, repeated ones refused.
func (s *submission) readForm(form *multipart.Reader) error {
	seen := map[string]bool{}
	for n := 0; ; n++ {
		part, err := form.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return httpjson.BadRequest("form: part %d cannot be read, or the form ends early", n+1)
		}
		if n == MaxParts {
			return httpjson.BadRequest("form: over %d parts", MaxParts)
		}
		name, limit := part.FormName(), int64(MaxField)
		if name == "bom" {
			limit = scan.MaxUpload
		}
		if name == "" || seen[name] {
			return httpjson.BadRequest("form: part %d has no name, or that of another: %.80q", n+1, name)
		}
		seen[name] = true
		value, err := io.ReadAll(io.LimitReader(part, limit+1))
		switch {
		case err != nil:
			return httpjson.BadRequest("form: %.80q ends early", name)
		case int64(len(value)) > limit:
			return &fault.LimitError{What: "bytes of a field of a form", Where: fmt.Sprintf("%.80q", name), Max: limit}
		}
		s.set(name, value)
	}
}

func (s *submission) set(name string, value []byte) {
	switch name {
	case "bom":
		s.content = value
	case "project":
		s.Project = string(value)
	case "projectName":
		s.Name = string(value)
	case "projectVersion":
		s.Version = string(value)
	case "autoCreate":
		s.AutoCreate = strings.EqualFold(strings.TrimSpace(string(value)), "true")
	case "projectTags":
		for name := range strings.SplitSeq(string(value), ",") {
			s.Tags = append(s.Tags, tag{name})
		}
	}
}

type processing struct {
	Processing bool `json:"processing"`
}

// token says whether an upload is still worked on. One that nobody knows is not: so the
// API has it, and so other tenants' tokens are like none.
func (h *Handler) token(c *call) error {
	id, err := c.id("token")
	if err != nil {
		return httpjson.BadRequest("token %.80q is not a UUID", c.r.PathValue("uuid"))
	}
	scanID, err := c.scans.Upload(c.r.Context(), id)
	if errors.Is(err, fault.NotFound) {
		return c.answer(processing{})
	}
	if err != nil {
		return err
	}
	job, err := c.scans.Job(c.r.Context(), scanID)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	return c.answer(processing{err == nil && !job.State.Terminal()})
}
