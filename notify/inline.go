package notify

import (
	"context"
	"sync"
	"time"
)

// InlineGrace is how long messages wait for what a Router's process sends itself.
const InlineGrace = 15 * time.Second

// Inline sends deliveries as soon as they are decided about, in the same process and
// without a queue in between: its Deliver is a Router's. Messages ask for what it does not
// come to, after InlineGrace: it may be full, or die. Deliverer is required. It is safe for
// concurrent use; make it by NewInline.
type Inline struct {
	deliverer *Deliverer
	parallel  int
	waiting   chan inlined
	report    func(error)
}

type inlined struct{ tenant, id string }

// maxInline bounds what waits to be sent.
const maxInline = 4096

// NewInline returns one that sends that many deliveries at a time; 0 is 16. report is told
// of errors that are not a delivery's own; nil means nobody.
func NewInline(d *Deliverer, parallel int, report func(error)) *Inline {
	if parallel <= 0 {
		parallel = 16
	}
	return &Inline{deliverer: d, parallel: parallel, waiting: make(chan inlined, maxInline), report: report}
}

// Deliver has deliveries sent soon. It never waits: what there is no room for is left to
// messages.
func (i *Inline) Deliver(tenant string, ids []string) {
	for _, id := range ids {
		select {
		case i.waiting <- inlined{tenant, id}:
		default:
			return
		}
	}
}

// Run sends until ctx is done, and returns when nothing is being sent any more.
func (i *Inline) Run(ctx context.Context) {
	var running sync.WaitGroup
	for range i.parallel {
		running.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case d := <-i.waiting:
					// Its messages ask again for what fails here.
					err := settled(i.deliverer.Deliver(ctx, d.tenant, d.id))
					if err != nil && i.report != nil && ctx.Err() == nil {
						i.report(err)
					}
				}
			}
		})
	}
	running.Wait()
}
