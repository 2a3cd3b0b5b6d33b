package notifyhttp

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

// Handler serves Notify for many tenants. Stores, Identify, CheckEndpoint and
// CheckTemplate are required. A Handler is safe for concurrent use and must not be copied
// or changed after its first request.
//
// Errors are problem documents (RFC 9457), but for links of acknowledgement, which answer
// people. What a backend says is not part of them: such an answer has a request_id, and
// Report is told the rest.
type Handler struct {
	// Stores gives what is kept of a tenant.
	Stores func(tenant string) (Store, error)
	// CheckEndpoint refuses an endpoint that no channel opens, or that leads where
	// nothing may be sent; CheckTemplate a template that does not parse. Their errors are
	// told, whole. Package channels has both.
	CheckEndpoint func(tenant string, e *notify.Endpoint) error
	CheckTemplate func(t *notify.Template) error
	// Preview says what would be sent, and sends nothing: a Router's. Nil means that
	// nothing is previewed here.
	Preview func(ctx context.Context, tenant string, e *event.Event, extra *notify.Rule, at time.Time) ([]notify.Preview, error)
	// Timelines gives the chain of a tenant, where previews find events by their names.
	// Nil: they need the event itself.
	Timelines func(tenant string) (timeline.Chain, error)
	// Test queues a test message and returns its delivery: a Router's. Nil means that
	// there are no tests.
	Test func(ctx context.Context, tenant, endpoint, to, by string) (*notify.Delivery, error)
	// OpenAck says which incident the token of a link is about. Its error wraps
	// ErrForbidden or ErrInvalid for a token that is forged or over. An AckKey's Open is
	// one. Nil means that there are no links.
	OpenAck func(token string, now time.Time) (tenant, incident string, err error)
	// Identify says who sends a request. Nothing else in a request decides on tenant and
	// rights. An error should wrap ErrUnauthenticated or ErrForbidden. It is not asked
	// about links of acknowledgement.
	Identify func(*http.Request) (Identity, error)
	// Now is the time by which links end and previews are. Nil is the clock.
	Now func() time.Time
	// Report is told of errors that are not for clients, under the request_id that the
	// client sees. Nil means nobody.
	Report func(requestID string, err error)

	once sync.Once
	mux  httpjson.Mux
}

var pageKeys = []string{"after", "limit"}

const (
	preferences = root + "/notify/preferences"
	deliveries  = root + "/notify/deliveries"
	incidents   = root + "/notify/incidents"
	ofUsers     = root + "/notify/users/{user}/preferences"
)

// routes are those of a Handler.
func routes() []route[Handler] {
	var out []route[Handler]
	for i := range kinds {
		k := &kinds[i]
		list := root + "/notify/" + k.path
		one := list + "/{" + k.param + "}"
		out = append(out,
			route[Handler]{"GET", list, mayRead, pageKeys, k.list},
			route[Handler]{"GET", one, mayRead, nil, k.get},
			route[Handler]{"PUT", one, mayOperate, nil, k.put},
			route[Handler]{"DELETE", one, mayOperate, nil, k.remove})
	}
	for _, path := range []string{preferences, ofUsers} {
		r := mayRead
		if path == ofUsers {
			r = mayOperate
		}
		out = append(out,
			route[Handler]{"GET", path, r, pageKeys, (*Handler).preferences},
			route[Handler]{"GET", path + "/{endpoint_id}", r, nil, (*Handler).preference},
			route[Handler]{"PUT", path + "/{endpoint_id}", r, nil, (*Handler).prefer},
			route[Handler]{"DELETE", path + "/{endpoint_id}", r, nil, (*Handler).forget})
	}
	return append(out, []route[Handler]{
		{"POST", root + "/notify/preview", mayRead, nil, (*Handler).preview},
		{"POST", root + "/notify/endpoints/{endpoint_id}/test", mayOperate, nil, (*Handler).test},
		{"GET", root + "/notify/endpoint-states", mayOperate, nil, (*Handler).states},
		{"GET", deliveries, mayRead, slices.Concat([]string{"status", "rule", "endpoint", "user", "scan_id"}, pageKeys), (*Handler).deliveries},
		{"GET", deliveries + "/{delivery_id}", mayRead, nil, (*Handler).delivery},
		{"GET", deliveries + "/{delivery_id}/payload", mayOpen, nil, (*Handler).payload},
		{"GET", deliveries + "/{delivery_id}/items", mayRead, pageKeys, (*Handler).items},
		{"POST", deliveries + "/{delivery_id}/replay", mayOperate, nil, (*Handler).replay},
		{"GET", incidents + "/{incident_id}", mayRead, nil, (*Handler).incident},
		{"POST", incidents + "/{incident_id}/acknowledge", mayRead, nil, (*Handler).acknowledge},
		{"GET", root + "/notify/ack", anybody, nil, (*Handler).ackPage},
		{"POST", root + "/notify/ack", anybody, nil, (*Handler).ack},
	}...)
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(func() {
		h.mux.Report = h.Report
		mount(&h.mux, h, routes(), h.Identify, func(c *call) (err error) {
			c.store, err = h.Stores(c.who.Tenant)
			return err
		})
	})
	h.mux.ServeHTTP(w, r)
}

// now is what time it is.
func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}
