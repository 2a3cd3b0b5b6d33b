package system

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/advisoryhttp"
	"github.com/stella-ops/stella/advisory/drift"
	"github.com/stella-ops/stella/advisory/ingest"
	"github.com/stella-ops/stella/advisory/sources"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/internal/shell"
	"github.com/stella-ops/stella/store/event"
)

// publishing is how often what sources released is looked for.
const publishing = 5 * time.Second

// Concelier serves advisories; as a worker it reads sources, makes heads and finds whom a
// new head concerns.
func Concelier(w *World, role Role) (*shell.Part, error) {
	adv, matcher := w.advisories()
	p := &shell.Part{Name: "concelier"}
	feeds := w.Settings.Advisories
	wish := make(chan string, len(feeds.Sources)+1)
	if role.web() {
		h := &advisoryhttp.Handler{Advisories: adv, View: matcher.Cache.Views, Object: adv.Object, Identify: advisoryIdentity, Report: w.request("concelier")}
		if role.worker() && len(feeds.Sources) > 0 {
			h.Sync = syncer(wish, feeds.Sources)
		}
		p.Handler = h
	}
	if !role.worker() {
		return p, nil
	}
	finder := &drift.Worker{Store: w.Store.Drift(), Views: matcher.Cache.Views}
	p.Loops = w.consume("concelier", reading{topic: event.ConcelierDeltas, group: event.GroupConcelier, parallel: 1, handle: finder.Handle})
	publisher := &ingest.Publisher{Heads: adv, Objects: adv, Cache: matcher.Cache, Describe: describe}
	p.Loops = append(p.Loops, w.every("concelier", "publish", publishing, func(ctx context.Context) error {
		if _, err := publisher.Publish(ctx); !errors.Is(err, ingest.ErrConflict) {
			return err
		}
		return nil // another process made one
	}))
	if len(feeds.Sources) > 0 {
		p.Loops = append(p.Loops, w.ingesting(adv, wish))
	}
	return p, nil
}

func describe(name string) (advisory.Description, bool) {
	list, err := sources.Named(name)
	if err != nil {
		return advisory.Description{}, false
	}
	return list[0].Describe(), true
}

// syncer takes wishes that a source be read soon.
func syncer(wish chan<- string, list []ingest.Scheduled) func(context.Context, string) error {
	return func(_ context.Context, name string) error {
		for _, s := range list {
			if s.Source.Describe().Name == name {
				select {
				case wish <- name:
				default: // as many are waiting as there are sources
				}
				return nil
			}
		}
		return fmt.Errorf("source %.80q is not read by this installation: %w", name, fault.NotFound)
	}
}

// ingesting reads sources by turns, and those that somebody wishes to be read at once.
func (w *World) ingesting(store ingest.Store, wish <-chan string) shell.Loop {
	feeds := w.Settings.Advisories
	in := &ingest.Ingester{Store: store, Door: feeds.Door, Holder: w.Name}
	failed := func(_ *ingest.Outcome, err error) {
		if err != nil && !errors.Is(err, ingest.ErrConflict) {
			w.report("concelier")(err)
		}
	}
	return shell.Loop{Name: "ingest", Run: func(ctx context.Context) error {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case name := <-wish:
					for _, s := range feeds.Sources {
						if s.Source.Describe().Name == name {
							failed(in.Run(ctx, s.Source))
						}
					}
				}
			}
		}()
		(&ingest.Loop{Ingester: in, Sources: feeds.Sources, Done: failed}).Run(ctx)
		return nil
	}}
}
