package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/services/auth"
)

var scanRoutes = []route{
	{pattern: "GET images", serve: images},
	{pattern: "GET scans", serve: scans},
	{pattern: "POST scans", serve: submit},
	{pattern: "GET scans/{scan}", serve: scanPage},
	{pattern: "GET scans/{scan}/events", serve: scanEvents},
	{pattern: "POST scans/{scan}/cancel", serve: cancelScan},
	{pattern: "POST scans/{scan}/again", serve: scanAgain},
	{pattern: "GET scans/{scan}/documents/{format}", serve: scanDocument},
}

// pageRows is how many rows a list shows.
const pageRows = 50

// scansView is a list of scans.
type scansView struct {
	Page    *scan.Page
	Query   scan.Query
	States  []scan.State
	Outcome []string
	Next    string
	Images  bool
	Submit  bool
	Now     time.Time
}

// list reads the query of a list, and the list.
func (v *visit) list(latest bool) (*scansView, error) {
	d := &scansView{Images: latest, Submit: v.Can(auth.ScannerScan), Now: v.c.Now().UTC(), States: scan.States(), Outcome: []string{"block", "error", "not_assessed", "warn", "pass"}}
	d.Query = scan.Query{State: scan.State(v.form("state")), Outcome: v.form("outcome"), Text: v.form("text"), After: v.form("after"), Limit: pageRows, Latest: latest}
	var err error
	if d.Page, err = v.api.scans.List(v.ctx(), d.Query); err != nil {
		return nil, err
	}
	if d.Page.Next != "" {
		q := url.Values{"after": {d.Page.Next}}
		for name, value := range map[string]string{"state": string(d.Query.State), "outcome": d.Query.Outcome, "text": d.Query.Text} {
			if value != "" {
				q.Set(name, value)
			}
		}
		d.Next = v.r.URL.Path + "?" + q.Encode()
	}
	return d, nil
}

func images(v *visit) error {
	d, err := v.list(true)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "scans", "Images", d)
}

func scans(v *visit) error {
	d, err := v.list(false)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "scans", "Scans", d)
}

// submit asks for a scan. The form has a key of its own, so that a form that is sent twice is
// one scan.
func submit(v *visit) error {
	r := scan.Request{Image: v.form("image"), Platform: v.form("platform")}
	if r.Image == "" {
		return &pageError{http.StatusBadRequest, "Which image? Give a reference such as docker.io/library/alpine:3.20."}
	}
	return v.submit(r)
}

func (v *visit) submit(r scan.Request) error {
	job, _, err := v.api.scans.Submit(v.ctx(), r, v.form("key"))
	if err != nil {
		return err
	}
	v.redirect(link("scans", job.ID) + "?done=submitted")
	return nil
}

func cancelScan(v *visit) error {
	id := v.r.PathValue("scan")
	if _, err := v.api.scans.Cancel(v.ctx(), id, "cancelled in the console by "+v.login.Subject); err != nil {
		return err
	}
	v.redirect(link("scans", id) + "?done=cancelled")
	return nil
}

// scanAgain submits the same request once more.
func scanAgain(v *visit) error {
	job, err := v.api.scans.Job(v.ctx(), v.r.PathValue("scan"))
	if err != nil {
		return err
	}
	text, err := v.api.scans.Manifest(v.ctx(), job.ID)
	if err != nil {
		return err
	}
	m, err := scan.DecodeManifest(text)
	if err != nil {
		return err
	}
	if m.SBOM != nil || m.Reference == "" {
		return &pageError{http.StatusBadRequest, "This scan was made of an SBOM that was uploaded: send the SBOM again."}
	}
	return v.submit(scan.Request{Image: m.Reference, Platform: job.Platform, Formats: m.Formats, Labels: m.Labels})
}

// scanDocument gives out a document of a scan, as it is kept.
func scanDocument(v *visit) error {
	id, name := v.r.PathValue("scan"), v.r.PathValue("format")
	list, err := v.api.scans.Documents(v.ctx(), id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(s scan.Stored) bool { return s.Format == name })
	if i < 0 {
		return fmt.Errorf("document %q of scan %s: %w", clip(name, 40), id, fault.NotFound)
	}
	text, err := v.api.scans.Content(v.ctx(), id, &list[i], maxDocument)
	if err != nil {
		return err
	}
	return v.download(list[i].Name, text)
}

// download gives out bytes of others: to be kept, never to be shown by the browser.
func (v *visit) download(name string, text []byte) error {
	h := v.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+plain(name)+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	v.w.Write(text) // a browser that is gone need not be told
	return nil
}

// plain keeps of a file name what no header and no shell misreads.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r < 0x80 && ('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9') {
			return r
		}
		return '_'
	}, clip(name, 100))
}

// The times of a stream of events: how often the scan is looked at, how often a stream that
// has nothing to say says so, and after how long the browser has to ask again.
const (
	lookEvery  = 700 * time.Millisecond
	aliveEvery = 10 * time.Second
	streamTime = 10 * time.Minute
)

// scanEvents tells of a scan's progress until it has ended (server-sent events, WHATWG HTML
// section 9.2). Each event is the part of the page that changes, made as the page makes it.
func scanEvents(v *visit) error {
	id := v.r.PathValue("scan")
	job, err := v.api.scans.Job(v.ctx(), id)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	v.w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(v.w)
	ctx, cancel := context.WithTimeout(v.ctx(), streamTime)
	defer cancel()
	last, said := "", time.Time{}
	for {
		var b strings.Builder
		if err := templates.part(&b, "scan", "progress", job); err != nil {
			v.c.report(err)
			return nil
		}
		if text := b.String(); text != last || time.Since(said) > aliveEvery {
			last, said = text, time.Now()
			if err := tell(v.w, "progress", text); err != nil {
				return nil // the browser is gone
			}
			out.Flush()
		}
		if job.State.Terminal() {
			tell(v.w, "ended", string(job.State))
			out.Flush()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookEvery):
		}
		next, err := v.api.scans.Job(ctx, id)
		switch {
		case err == nil:
			job = next
		case errors.Is(err, fault.NotFound), errors.Is(err, fault.Forbidden), errors.Is(err, fault.Unauthenticated):
			return nil // the browser loads the page, which says why
		}
	}
}

// tell writes an event, a line of data for each line of text.
func tell(w http.ResponseWriter, name, text string) error {
	_, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, strings.ReplaceAll(text, "\n", "\ndata: "))
	return err
}
