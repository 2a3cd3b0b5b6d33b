package notifyhttp

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
)

// styles are those of the page; their digest is part of what the page is allowed.
//
//go:embed ack.css
var styles string

//go:embed ack.html
var pageText string

var page = template.Must(template.New("ack").Parse(pageText))

// styleHash names the styles as a policy does (CSP 3, section 8.4).
var styleHash = func() string {
	digest := sha256.Sum256([]byte(styles))
	return "sha256-" + base64.StdEncoding.EncodeToString(digest[:])
}()

// maxTitle bounds the title on the page, in runes.
const maxTitle = 300

// ackView is what the page shows. One of Token and Problem is set, or By.
type ackView struct {
	Style   template.CSS
	Title   string
	Opened  string
	Token   string
	MaxNote int
	// By and When say who took it; First is set where that was just now.
	By, When string
	First    bool
	Problem  string
}

// ackPage shows the page of a link. Looking at it changes nothing: those who follow links
// before people do, do that.
func (h *Handler) ackPage(c *call) error {
	token := ""
	if query, err := url.ParseQuery(c.r.URL.RawQuery); err == nil && len(query["token"]) == 1 {
		token = query.Get("token") // other keys are of mail programs
	}
	_, i, err := h.linked(c, token)
	if err != nil {
		return h.refuseLink(c, err)
	}
	v := ackView{Title: line(i.Message.Title), Opened: when(i.Opened)}
	if i.Acknowledged.IsZero() {
		v.Token, v.MaxNote = token, MaxNote
	} else {
		v.By, v.When = by(i), when(i.Acknowledged)
	}
	return show(c, http.StatusOK, v)
}

// ack acknowledges by a link. Doing it again changes nothing.
func (h *Handler) ack(c *call) error {
	form, err := readForm(c.r)
	if err != nil {
		return h.refuseLink(c, err)
	}
	store, i, err := h.linked(c, form.Get("token"))
	if err != nil {
		return h.refuseLink(c, err)
	}
	first := i.Acknowledged.IsZero()
	if i, err = store.Acknowledge(c.r.Context(), i.ID, ByLink, form.Get("note")); err != nil {
		return h.refuseLink(c, err)
	}
	return show(c, http.StatusOK, ackView{Title: line(i.Message.Title), Opened: when(i.Opened), By: by(i), When: when(i.Acknowledged), First: first && i.AcknowledgedBy == ByLink})
}

// readForm reads what the page sends.
func readForm(r *http.Request) (url.Values, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" || r.URL.RawQuery != "" {
		return nil, fmt.Errorf("want the form of the page: %w", fault.Unsupported)
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxForm+1))
	if err != nil {
		return nil, fmt.Errorf("read the form: it ended early: %w", fault.Invalid)
	}
	if len(text) > MaxForm {
		return nil, &fault.LimitError{What: "bytes of a form", Where: "request", Max: MaxForm}
	}
	form, err := url.ParseQuery(string(text))
	if err != nil || len(form["token"]) != 1 || len(form["note"]) > 1 || strings.ToValidUTF8(form.Get("note"), "") != form.Get("note") {
		return nil, fmt.Errorf("want the form of the page: %w", fault.Invalid)
	}
	if n := len(form.Get("note")); n > MaxNote {
		return nil, &fault.LimitError{What: "bytes of a note", Where: "request", Max: MaxNote, Seen: int64(n)}
	}
	return form, nil
}

// linked finds what a link is about. Nothing is looked up for a token that is not signed.
func (h *Handler) linked(c *call, token string) (Store, *notify.Incident, error) {
	if h.OpenAck == nil {
		return nil, nil, errNone("there are no links")
	}
	if token == "" || len(token) > MaxToken {
		return nil, nil, fmt.Errorf("token: it is none: %w", fault.Invalid)
	}
	tenant, incident, err := h.OpenAck(token, h.now())
	if err != nil {
		return nil, nil, err
	}
	store, err := h.Stores(tenant)
	if err != nil {
		return nil, nil, inside("open the tenant of a link", err)
	}
	i, err := store.Incident(c.r.Context(), incident)
	return store, i, inside("read the incident of a link", err)
}

// refuseLink answers people. Of a token that is refused it says only that.
func (h *Handler) refuseLink(c *call, err error) error {
	status, text := http.StatusInternalServerError, ""
	var l *fault.LimitError
	switch kind := fault.KindOf(err); {
	case errors.As(err, &l):
		status, text = http.StatusRequestEntityTooLarge, "What was sent is too long."
	case kind == fault.Invalid, kind == fault.Forbidden, kind == fault.Unauthenticated, kind == fault.Mismatch:
		status, text = http.StatusForbidden, "This link is not valid, or its time is over."
	case kind == fault.NotFound:
		status, text = http.StatusNotFound, "What this link is about is not kept any more."
	case kind == fault.Unsupported:
		status, text = http.StatusUnsupportedMediaType, "This is not how acknowledgements are made here."
	case kind == fault.Unavailable:
		c.w.Header().Set("Retry-After", "2")
		status, text = http.StatusServiceUnavailable, "The service cannot do this now. Please try again."
	default:
		text = "Something went wrong. The operator of the service finds the reason under " + h.mux.Tell(c.r, err) + "."
	}
	return show(c, status, ackView{Problem: text})
}

// show writes the page. It may load nothing, run nothing, be framed by nobody, and send
// its form here alone; its address goes nowhere.
func show(c *call, status int, v ackView) error {
	v.Style = template.CSS(styles)
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return fmt.Errorf("write the page: %v", err)
	}
	h := c.w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash+"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Cache-Control", "no-store")
	httpjson.WriteBytes(c.w, status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

func when(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

// by says who took an incident.
func by(i *notify.Incident) string {
	if i.AcknowledgedBy == ByLink {
		return "somebody who has the link"
	}
	return line(i.AcknowledgedBy)
}

// line is a text of strangers as one line that is not too long, without characters that
// are not seen or turn what is around them.
func line(s string) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n++; n > maxTitle {
			return b.String() + "…"
		}
		if unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Zl, c) || unicode.Is(unicode.Zp, c) {
			c = ' '
		}
		b.WriteRune(c)
	}
	return b.String()
}
