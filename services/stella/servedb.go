package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	gotable "github.com/jedib0t/go-pretty/v6/table"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// headAnswer says which data a server has.
func headAnswer(h *advisory.Head, err error) (*render.Answer, error) {
	return &render.Answer{Value: h, Table: func(w io.Writer) error {
		var b strings.Builder
		fmt.Fprintf(&b, "digest    %s\nhead      %d\nsince     %s\n\n", clean(h.Digest), h.Number, h.At.UTC().Format(time.RFC3339))
		t := newTable("source", "run")
		for _, name := range slices.Sorted(maps.Keys(h.Runs)) {
			t.AppendRow(gotable.Row{clean(name), h.Runs[name]})
		}
		b.WriteString(t.Render() + "\n")
		_, err := io.WriteString(w, b.String())
		return err
	}}, err
}

// sourcesAnswer says how the sources of a server stand.
func sourcesAnswer(list []advisory.SourceState, err error) (*render.Answer, error) {
	return &render.Answer{Value: append([]advisory.SourceState{}, list...), Table: func(w io.Writer) error {
		t := newTable("source", "records", "documents", "unusable", "read", "state")
		for i := range list {
			s := &list[i]
			state := "good"
			switch {
			case s.Held > 0:
				state = fmt.Sprintf("run %d is held: %s", s.Held, s.Why)
			case s.Failed.After(s.Succeeded):
				state = "failed: " + s.Cause
			case s.Released == 0:
				state = "nothing was read yet"
			}
			t.AppendRow(gotable.Row{clean(s.Source), s.Records, s.Documents, s.Quarantined + s.Problems, timeOrDash(s.Succeeded), clean(state)})
		}
		_, err := fmt.Fprintln(w, t.Render())
		return err
	}}, err
}

// timeOrDash writes a time for people.
func timeOrDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// searchAt shows what a server knows about an id, or about a package of an ecosystem.
func (r *service) searchAt(ctx context.Context, args []string) (*render.Answer, error) {
	var a *advisoryhttp.Answer
	var err error
	if len(args) == 1 {
		a, err = r.advisories.Advisory(ctx, args[0])
	} else {
		a, err = r.advisories.Package(ctx, args[0], args[1])
	}
	if err != nil {
		return nil, err
	}
	out := &found{Records: []foundRecord{}, Signals: a.Signals}
	for _, k := range a.Records {
		out.Records = append(out.Records, foundRecord{k.Record, cmp.Or(k.Text, new(advisory.Text))})
	}
	return foundAnswer(out), nil
}

// sourceAsked is what a server was asked to do with a source.
type sourceAsked struct {
	Source string `json:"source"`
	Run    int64  `json:"run,omitempty"` // that was approved
}

// syncAt has a server read sources soon.
func (r *service) syncAt(ctx context.Context, names []string) (*render.Answer, error) {
	list := []sourceAsked{}
	for _, name := range names {
		if err := r.advisories.Sync(ctx, name); err != nil {
			return nil, fmt.Errorf("after %d of %d sources: %w", len(list), len(names), err)
		}
		list = append(list, sourceAsked{Source: name})
	}
	return &render.Answer{Value: list, Table: func(w io.Writer) error {
		var b strings.Builder
		for _, s := range list {
			fmt.Fprintf(&b, "%s is read soon (\"stella db sources --server %s\" says how it stands)\n", clean(s.Source), r.server)
		}
		_, err := io.WriteString(w, b.String())
		return err
	}}, nil
}

// approveAt releases what a server holds of a source.
func (r *service) approveAt(ctx context.Context, source string) (*render.Answer, error) {
	states, err := r.advisories.Sources(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(states, func(s advisory.SourceState) bool { return s.Source == source })
	if i < 0 || states[i].Held == 0 {
		return nil, fmt.Errorf("nothing of %q is held: \"stella db sources --server %s\" lists what is", source, r.server)
	}
	run := states[i].Held
	if err := r.advisories.Approve(ctx, source, run); err != nil {
		return nil, err
	}
	return &render.Answer{Value: sourceAsked{source, run}, Table: line("run %d of %s is released", run, clean(source))}, nil
}
