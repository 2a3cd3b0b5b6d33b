package attesthttp

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/httpjson"
)

// Standing is an export with where it was pushed.
type Standing struct {
	export.Export
	Pushes []export.Push
}

func (l *exportList) standings(scanID string) []Standing {
	out := []Standing{}
	for _, e := range l.Exports {
		s := Standing{Export: export.Export{
			ScanID: scanID, Format: e.Format, State: e.State, Key: e.Key, Inputs: e.Inputs, Version: e.Version, Attempt: e.Attempt, Reason: e.Reason, Created: e.Created, Updated: e.Updated,
		}}
		if m := e.Made; m != nil {
			s.Made = &export.Made{Key: m.Key, Version: m.Version, Document: m.Document.kept(), Bundle: m.Bundle.kept(), Attestations: m.Attestations, Missing: m.Missing, At: m.At}
		}
		for _, p := range e.Pushes {
			s.Pushes = append(s.Pushes, export.Push{
				ScanID: scanID, Format: e.Format, Destination: p.Destination, Digest: p.Digest, State: p.State, Attempt: p.Attempt, Reason: p.Reason, Receipt: p.Receipt, Updated: p.Updated,
			})
		}
		out = append(out, s)
	}
	return out
}

// Exports returns what is kept about a scan's exports, sorted by format. Their objects
// are without the sums of chunks.
func (c *Client) Exports(ctx context.Context, scanID string) ([]Standing, error) {
	if err := noScan(scanID); err != nil {
		return nil, err
	}
	var list exportList
	if err := c.get(ctx, "list exports of "+scanID, "/scans/"+scanID+"/exports", nil, into(&list, func(l *exportList) bool { return l.Exports != nil })); err != nil {
		return nil, err
	}
	return list.standings(scanID), nil
}

// Request asks for exports of a scan, in these formats or, without any, in those of the
// tenant's settings. It returns how they stand, in the order of the formats. Asking again
// changes nothing.
func (c *Client) Request(ctx context.Context, scanID string, formats ...export.Format) ([]Standing, error) {
	if err := noScan(scanID); err != nil {
		return nil, err
	}
	var list exportList
	q := httpjson.Call{What: "ask for exports of " + scanID, Method: http.MethodPost, Path: "/scans/" + scanID + "/exports", Body: wish{formats}, Want: http.StatusAccepted}
	err := c.do(ctx, q, into(&list, func(l *exportList) bool {
		return l.Exports != nil && (len(formats) == 0 || slices.EqualFunc(formats, l.Exports, func(f export.Format, e exported) bool { return f == e.Format }))
	}))
	if err != nil {
		return nil, err
	}
	return list.standings(scanID), nil
}

// Settings returns what the tenant wants to have exported.
func (c *Client) Settings(ctx context.Context) (*export.Settings, error) {
	out := new(export.Settings)
	if err := c.get(ctx, "read export settings", "/export-settings", nil, into(out, func(s *export.Settings) bool { return s.Mode != "" })); err != nil {
		return nil, err
	}
	return out, nil
}

// SetSettings keeps a revision that follows the one of s.Number, 0 for the first, and
// returns what holds then. An error wraps ErrConflict where another one stands.
func (c *Client) SetSettings(ctx context.Context, s *export.Settings) (*export.Settings, error) {
	out := new(export.Settings)
	q := httpjson.Call{What: "set export settings", Method: http.MethodPut, Path: "/export-settings", Want: http.StatusOK, Header: map[string]string{"If-Match": httpjson.Tag(strconv.FormatInt(s.Number, 10))},
		Body: wishes{s.Mode, s.Formats, s.Targets}}
	if err := c.do(ctx, q, into(out, func(o *export.Settings) bool { return o.Number > s.Number })); err != nil {
		return nil, err
	}
	return out, nil
}
