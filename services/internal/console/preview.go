package console

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/notifyhttp"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/services/auth"
)

// previewView is what an event would bring.
type previewView struct {
	Scans    section[*scan.Page]
	Scan     string
	Event    string
	Rule     string
	Wrong    []string
	Asked    bool
	Previews []notify.Preview
	Matching int
	Operator bool
	Now      time.Time
}

func previewForm(v *visit) error {
	return v.preview(http.StatusOK, &previewView{Scan: v.form("scan")})
}

func (v *visit) preview(status int, d *previewView) error {
	d.Operator, d.Now = v.Can(auth.NotifyOperator), v.c.Now().UTC()
	if v.Can(auth.ScannerRead) {
		read(v, &d.Scans, func(ctx context.Context) (*scan.Page, error) {
			return v.api.scans.List(ctx, scan.Query{State: scan.Completed, Limit: 20})
		})()
	}
	return v.show(status, "preview", "Preview of notifications", d)
}

// preview asks what would be sent. Nothing is.
func preview(v *visit) error {
	d := &previewView{Scan: v.form("scan"), Event: v.r.FormValue("event"), Rule: v.r.FormValue("rule")}
	q, err := d.request(v)
	if err == nil {
		d.Previews, err = v.api.notify.Preview(v.ctx(), q)
	}
	if err != nil {
		lines, status, ok := said(err)
		if fault.KindOf(err) == fault.NotFound {
			lines, status, ok = []string{"Nothing is known of this scan that people would be told of. It may not have ended, or the timeline does not have it yet."}, http.StatusNotFound, true
		}
		if !ok {
			return err
		}
		d.Wrong = lines
		return v.preview(status, d)
	}
	d.Asked = true
	for i := range d.Previews {
		if d.Previews[i].Matches {
			d.Matching++
		}
	}
	return v.preview(http.StatusOK, d)
}

// request makes what is asked of the form. A text of an event goes before a scan.
func (d *previewView) request(v *visit) (*notifyhttp.PreviewRequest, error) {
	q := new(notifyhttp.PreviewRequest)
	switch {
	case v.form("event") != "":
		body, err := jsonOf(d.Event)
		if err != nil {
			return nil, fmt.Errorf("event: %w", err)
		}
		q.Event = body
	case d.Scan != "":
		q.ScanID = d.Scan
	default:
		return nil, fmt.Errorf("of which event? Choose a scan, or give the text of an event: %w", fault.Invalid)
	}
	if v.form("rule") != "" {
		body, err := jsonOf(d.Rule)
		if err != nil {
			return nil, fmt.Errorf("rule: %w", err)
		}
		q.Rule = new(notify.Rule)
		if err := json.Unmarshal(body, q.Rule, json.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("rule: %v: %w", err, fault.Invalid)
		}
	}
	return q, nil
}

// Shown is the message of a preview as far as the page shows it.
func (d *previewView) Shown(i int) string { return shownBody(d.Previews[i].Payload) }

// shownBody writes a message to be read.
func shownBody(p *notify.Payload) string {
	const most = 20_000
	text := string(p.Body)
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		text = pretty([]byte(text))
	}
	return clip(visible(text), most)
}
