package attesthttp

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// ExportHandler gives out exports of scans, and takes wishes for them, for many tenants.
// Center, Objects and Identify are required. It is safe for concurrent use and must not
// be copied or changed after its first request.
//
// Errors are problem documents (RFC 9457). What a backend says is not part of them:
// such an answer has a request_id, and Report is told the rest.
type ExportHandler struct {
	Center *export.Center
	// Objects gives the objects of a tenant.
	Objects func(tenant string) (Objects, error)
	// Heal has an export put back whose object is gone or damaged, as a Center's Make
	// does: it gives the same bytes again. It should only note the wish. Nil: nobody is asked.
	Heal func(ctx context.Context, tenant, scanID string, f export.Format) error
	// Allow says whether a tenant may have exports pushed to a place. Its error is told.
	// Nil allows each that has the form of one, but for those in folders of this machine.
	Allow func(ctx context.Context, tenant string, d *export.Destination) error
	// Identify says who sends a request. Nothing else in a request decides on tenant or
	// operator. An error should wrap ErrUnauthenticated or ErrForbidden.
	Identify func(*http.Request) (Identity, error)
	// Report is told of errors that are not for clients, under the request_id that the
	// client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

var exportRoutes = []route[ExportHandler]{
	{"GET", root + "/scans/{scan_id}/export", false, []string{"format"}, (*ExportHandler).export},
	{"GET", root + "/scans/{scan_id}/exports", false, nil, (*ExportHandler).exports},
	{"POST", root + "/scans/{scan_id}/exports", false, nil, (*ExportHandler).request},
	{"GET", root + "/export-settings", true, nil, (*ExportHandler).settings},
	{"PUT", root + "/export-settings", true, nil, (*ExportHandler).setSettings},
}

// ServeHTTP answers a request.
func (h *ExportHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(func() {
		h.mux.Report = h.Report
		mount(&h.mux, h, exportRoutes, h.Identify)
	})
	h.mux.ServeHTTP(w, r)
}

func (h *ExportHandler) store(c *call) (export.Store, error) {
	s, err := h.Center.Stores(c.who.Tenant)
	return s, httpjson.Opened(c.who.Tenant, err)
}

// object is an export.Object.
type object struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

func objectOf(o export.Object) *object {
	if o.Ref.Digest == "" {
		return nil
	}
	return &object{o.Name, o.MediaType, o.Ref.Digest, o.Ref.Size}
}

func (o *object) kept() export.Object {
	if o == nil {
		return export.Object{}
	}
	out := export.Object{Name: o.Name, MediaType: o.MediaType}
	out.Ref.Digest, out.Ref.Size = o.Digest, o.Size
	return out
}

// made is an export.Made.
type made struct {
	Key          string    `json:"key"`
	Version      int       `json:"version"`
	Document     *object   `json:"document"`
	Bundle       *object   `json:"bundle,omitempty"`
	Attestations []string  `json:"attestations"`
	Missing      []string  `json:"missing"`
	At           time.Time `json:"at"`
}

// push is an export.Push.
type push struct {
	Destination string       `json:"destination"`
	Digest      string       `json:"digest"`
	State       export.State `json:"state"`
	Attempt     int          `json:"attempt"`
	Reason      string       `json:"reason,omitempty"`
	Receipt     string       `json:"receipt,omitempty"`
	Updated     time.Time    `json:"updated"`
}

// exported is an export.Export with its pushes; the scan is that of the path.
type exported struct {
	Format  export.Format `json:"format"`
	State   export.State  `json:"state"`
	Key     string        `json:"key"`
	Inputs  export.Inputs `json:"inputs"`
	Version int           `json:"version"`
	Attempt int           `json:"attempt"`
	Reason  string        `json:"reason,omitempty"`
	Made    *made         `json:"made,omitempty"`
	Pushes  []push        `json:"pushes,omitempty"`
	Created time.Time     `json:"created"`
	Updated time.Time     `json:"updated"`
}

type exportList struct {
	Exports []exported `json:"exports"`
}

// wish asks for exports; without formats for those of the settings.
type wish struct {
	Formats []export.Format `json:"formats,omitzero"`
}

func exportedOf(e *export.Export) exported {
	out := exported{
		Format: e.Format, State: e.State, Key: e.Key, Inputs: e.Inputs, Version: e.Version, Attempt: e.Attempt, Reason: clip(e.Reason), Created: e.Created.UTC(), Updated: e.Updated.UTC(),
	}
	if m := e.Made; m != nil {
		out.Made = &made{m.Key, m.Version, objectOf(m.Document), objectOf(m.Bundle), append([]string{}, m.Attestations...), append([]string{}, m.Missing...), m.At.UTC()}
	}
	return out
}

// exports lists what is kept about a scan's exports, with where they were pushed.
func (h *ExportHandler) exports(c *call) error {
	id := c.r.PathValue("scan_id")
	store, err := h.store(c)
	if err != nil {
		return err
	}
	list, err := store.Exports(c.r.Context(), id)
	if err != nil {
		return h.mux.Damaged(c.r, err)
	}
	var pushes []export.Push
	if h.Center.Pushes != nil {
		p, err := h.Center.Pushes(c.who.Tenant)
		if err != nil {
			return httpjson.Opened(c.who.Tenant, err)
		}
		if pushes, err = p.Pushes(c.r.Context(), id); err != nil {
			return err
		}
	}
	out := exportList{Exports: []exported{}}
	for i := range list {
		e := exportedOf(&list[i])
		for _, p := range pushes {
			if p.Format == e.Format {
				e.Pushes = append(e.Pushes, push{p.Destination, p.Digest, p.State, p.Attempt, clip(p.Reason), clip(p.Receipt), p.Updated.UTC()})
			}
		}
		out.Exports = append(out.Exports, e)
	}
	return c.answer(http.StatusOK, out)
}

// request asks for exports. Asking again changes nothing.
func (h *ExportHandler) request(c *call) error {
	id := c.r.PathValue("scan_id")
	var body wish
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	if body.Formats != nil && len(body.Formats) == 0 {
		return fmt.Errorf("formats: there are none: %w", fault.Invalid)
	}
	for i, f := range body.Formats {
		if !f.Known() || slices.Contains(body.Formats[:i], f) {
			return &httpjson.Error{Extra: formats(), Err: fmt.Errorf("formats: %.80q: want each at most once, of %v: %w", f, export.Formats(), fault.Invalid)}
		}
	}
	if _, err := h.store(c); err != nil {
		return err
	}
	list, err := h.Center.Request(c.r.Context(), c.who.Tenant, export.Ask{ScanID: id, Formats: body.Formats, By: c.who.Subject})
	if err != nil {
		return h.mux.Damaged(c.r, err)
	}
	out := exportList{Exports: []exported{}}
	for i := range list {
		out.Exports = append(out.Exports, exportedOf(&list[i]))
	}
	c.w.Header().Set("Location", root+"/scans/"+id+"/exports")
	return c.answer(http.StatusAccepted, out)
}

func formats() map[string]any { return map[string]any{"formats": export.Formats()} }

// wishes are export.Settings without what a store sets. Without formats those of the
// service are meant; an empty list means none.
type wishes struct {
	Mode    export.Mode          `json:"mode"`
	Formats []export.Format      `json:"formats,omitzero"`
	Targets []export.Destination `json:"targets,omitempty"`
}

// settings gives what the tenant wants, with what it leaves open filled in.
func (h *ExportHandler) settings(c *call) error {
	if _, err := h.store(c); err != nil {
		return err
	}
	s, err := h.Center.Of(c.r.Context(), c.who.Tenant)
	if err != nil {
		return h.mux.Damaged(c.r, err)
	}
	return c.stands(s)
}

// stands tags settings with their revision: that is what a change names.
func (c *call) stands(s *export.Settings) error {
	c.w.Header().Set("ETag", httpjson.Tag(strconv.FormatInt(s.Number, 10)))
	return c.answer(http.StatusOK, s)
}

func (h *ExportHandler) setSettings(c *call) error {
	number, err := revision(c.r.Header.Values("If-Match"))
	if err != nil {
		return err
	}
	var body wishes
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	slices.Sort(body.Formats)
	s := &export.Settings{Mode: body.Mode, Formats: body.Formats, Targets: body.Targets, Number: number, By: c.who.Subject}
	if err := s.Check(); err != nil {
		return err
	}
	for i := range s.Targets {
		if err := h.allow(c, &s.Targets[i]); err != nil {
			return fmt.Errorf("target %.80q: %w", s.Targets[i].Name, err)
		}
	}
	store, err := h.store(c)
	if err != nil {
		return err
	}
	if err := store.SetSettings(c.r.Context(), s); err != nil {
		if fault.KindOf(err) == fault.Conflict {
			return &httpjson.Error{Status: http.StatusPreconditionFailed, Err: err}
		}
		return err
	}
	if s, err = h.Center.Of(c.r.Context(), c.who.Tenant); err != nil {
		return inside("read the settings", err)
	}
	return c.stands(s)
}

// revision reads which revision a change is made to.
func revision(match []string) (int64, error) {
	if len(match) == 0 {
		return 0, &httpjson.Error{Status: http.StatusPreconditionRequired, Err: fmt.Errorf("If-Match: the entity tag of the settings that are changed is required: %w", fault.Invalid)}
	}
	text, quoted := strings.CutPrefix(match[0], `"`)
	text, closed := strings.CutSuffix(text, `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if len(match) > 1 || !quoted || !closed || err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, httpjson.BadRequest("If-Match %.80q: want the one entity tag that the settings had", strings.Join(match, ","))
	}
	return n, nil
}
