package vexhttp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
	"github.com/stella-ops/stella/vex/ingest"
)

// How long an upload waits for another one of its scope.
const (
	uploadLease = 30 * time.Second
	uploadWait  = 10 * time.Second
	uploadPause = 50 * time.Millisecond
)

// uploading is a source of one document.
type uploading struct {
	doc   *vex.Document
	parse func(*vex.Document) iter.Seq2[*vex.Statement, error]
}

func (u *uploading) Describe() vex.Description { return vex.Description{Name: Upload} }

func (u *uploading) Fetch(_ context.Context, _ vex.Door, state []byte, emit func(*vex.Document) error) (*vex.Fetched, error) {
	return &vex.Fetched{State: state}, emit(u.doc)
}

func (u *uploading) Parse(doc *vex.Document) iter.Seq2[*vex.Statement, error] {
	if u.parse != nil {
		return u.parse(doc)
	}
	return format.Decode(doc.Name, doc.Content, nil)
}

// upload keeps a document, reads it, and releases what it says. One that cannot be
// used is kept as well, and refused with what is wrong with it.
func (h *Handler) upload(c *call) error {
	content, err := readContent(c.r)
	if err != nil {
		return err
	}
	digest := sum.Of(content)
	name := c.query.Get("name")
	if name == "" {
		name = strings.TrimPrefix(digest, "sha256:") + ".json"
	}
	doc := &vex.Document{Source: Upload, Name: name, URL: "upload:" + c.who.Subject, Content: content}
	if err := ingest.CheckDocument(doc); err != nil { // before it becomes a run that failed
		return err
	}
	var verifier vex.Verifier
	if h.Verifier != nil {
		if verifier, err = h.Verifier(c.r.Context(), c.tenant); err != nil {
			return err
		}
	}
	i := &ingest.Ingester{Store: c.vex, Verifier: verifier, Holder: "upload by " + c.who.Subject, Lease: uploadLease}
	source := &uploading{doc: doc, parse: h.Parse}
	if err := ingestSoon(c.r.Context(), i, source); err != nil {
		return err
	}
	h.changed(c.tenant)
	out := Uploaded{Statements: []Item{}}
	reading, err := c.vex.Reading(c.r.Context(), Upload, name)
	if err != nil {
		return err
	}
	if reading.Digest != digest {
		return fmt.Errorf("document %.200q was replaced by another upload at the same time: %w", name, fault.Conflict)
	}
	out.Reading = *reading
	read, err := ingest.Read(c.r.Context(), source, Upload, verifier, doc)
	if err != nil {
		return err
	}
	if reading.Quarantined != "" {
		return &httpjson.Error{Status: http.StatusUnprocessableEntity, Extra: map[string]any{"reading": out.Reading},
			Err: fmt.Errorf("document %.200q is kept, and nothing that it says to lower risk counts: %s: %w", name, strings.TrimSuffix(reading.Quarantined, ": "+string(fault.Invalid)), fault.Invalid)}
	}
	slices.SortFunc(read.Statements, func(a, b *vex.Statement) int { return strings.Compare(a.ID, b.ID) })
	out.Count = len(read.Statements)
	out.Statements = itemsOf(read.Statements[:min(out.Count, MaxShown)])
	c.w.Header().Set("Location", root+"/documents/"+digest)
	return httpjson.Write(c.w, http.StatusCreated, out)
}

// ingestSoon runs a source, and waits for a while for who has it.
func ingestSoon(ctx context.Context, i *ingest.Ingester, source vex.Source) error {
	for began := time.Now(); ; {
		_, err := i.Run(ctx, source)
		switch {
		case err == nil || !errors.Is(err, fault.Conflict):
			return err
		case time.Since(began) > uploadWait:
			return fmt.Errorf("other uploads take too long: %w", fault.Unavailable)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(uploadPause):
		}
	}
}

func readContent(r *http.Request) ([]byte, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, &httpjson.Error{Status: http.StatusUnsupportedMediaType, Err: fmt.Errorf("Content-Encoding %.40q: send the document as it is: %w", e, fault.Unsupported)}
	}
	text, err := httpjson.ReadBytes(r, "a document", MaxDocument)
	if err == nil && len(text) == 0 {
		err = httpjson.BadRequest("the request has no body, which is the document")
	}
	return text, err
}
