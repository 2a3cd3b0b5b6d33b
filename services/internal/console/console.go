package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/issuer"
)

// Root is the path that all pages are below.
const Root = "/console/"

// Console serves the pages of an installation. Origin, Issuer and Gateway are required. It is
// safe for concurrent use and must not be copied or changed after its first request.
type Console struct {
	// Origin is where browsers reach the installation, such as https://stella.example, and
	// what proofs of possession are made for.
	Origin string
	// Issuer is the authorization server that people log in at.
	Issuer string
	// Client is the id by which that knows the console. "" is [issuer.Console].
	Client string
	// Gateway sends requests to Origin, and to Issuer.
	Gateway http.RoundTripper
	// Version is shown at the foot of each page.
	Version string
	// Insecure allows an Origin without TLS that is no loopback address: something in front
	// does TLS.
	Insecure bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Report is told of errors that pages do not show in full, under the id that they show.
	// Nil means nobody.
	Report func(id string, err error)

	once     sync.Once
	wrong    error
	secure   bool
	host     string
	mux      *http.ServeMux
	sessions sessions
	kept     documents

	mu     sync.Mutex
	server *client.Server // what the issuer says of itself, once it did
}

// init checks the configuration and makes the routes.
func (c *Console) init() {
	u, err := url.Parse(c.Origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || c.Issuer == "" || c.Gateway == nil {
		c.wrong = fmt.Errorf("console: want an origin, an issuer and a gateway: %w", fault.Invalid)
		return
	}
	c.secure, c.host = u.Scheme == "https", u.Host
	c.Client = cmp.Or(c.Client, issuer.Console)
	if c.Now == nil {
		c.Now = time.Now
	}
	c.mux = c.routes()
}

// ServeHTTP answers a request below [Root].
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.once.Do(c.init)
	if c.wrong != nil {
		http.Error(w, c.wrong.Error(), http.StatusInternalServerError)
		return
	}
	c.mux.ServeHTTP(w, r)
}

// authority is what the issuer says of itself.
func (c *Console) authority(ctx context.Context) (*client.Server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server != nil {
		return c.server, nil
	}
	s, err := client.Metadata(ctx, c.Issuer, &client.Options{Base: c.Gateway, Insecure: c.Insecure})
	if err != nil {
		return nil, fmt.Errorf("ask the authorization server what it is: %w", err)
	}
	c.server = s
	return s, nil
}

// redirect is where the authorization server sends people back to.
func (c *Console) redirect() string { return strings.TrimRight(c.Origin, "/") + Root + "callback" }

// report tells who operates the console of an error, and returns the id to find it by.
func (c *Console) report(err error) string {
	id := newID()[:12]
	if c.Report != nil && !errors.Is(err, context.Canceled) {
		c.Report(id, err)
	}
	return id
}
