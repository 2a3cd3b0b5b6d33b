package notifytest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/sum"
)

// MaxKept is how many bytes of a body a Receiver keeps.
const MaxKept = 2 << 20

// ReceiverOptions say how a Receiver behaves. Nil is the default: it takes everything.
type ReceiverOptions struct {
	// Now is its clock; nil stands still at Epoch, so that times of its answers can be
	// told to the second.
	Now func() time.Time
	// Plain speaks HTTP without TLS, which is faster where there are very many.
	Plain bool
	// ID finds the id by which a message is told from others; nil reads the header
	// webhook-id. Duplicate finds whether a message is flagged as one that may have come
	// before; nil reads stella-possible-duplicate.
	ID        func(r *Request) string
	Duplicate func(r *Request) bool
	// Random, where it is set, decides about each request that nothing was told about.
	Random *Random
	// Lean keeps neither headers nor bodies: of very many requests, ids are enough.
	Lean bool
}

// Epoch is where the clock of a Receiver stands.
var Epoch = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

// Request is one that a Receiver got.
type Request struct {
	ID        string
	Duplicate bool // it was flagged
	Method    string
	Path      string // with the query
	Header    http.Header
	Body      []byte
	Digest    string // of the body
	Action    Action // what it was answered with
	Status    int    // 0 for none
	// Taken says that a receiver that behaves so has the message, whatever the sender saw
	// of it.
	Taken bool
	// Written is how many bytes of the answer's body the sender let it write. It is known
	// once Wait returned.
	Written int64
}

// Receiver is a server for tests. It is safe for concurrent use.
type Receiver struct {
	o      ReceiverOptions
	server *httptest.Server
	mu     sync.Mutex
	idle   sync.Cond
	queue  []Behaviour
	random *Random
	log    []*Request
	conns  int
	busy   int
	closed chan struct{}
	once   sync.Once
	came   chan struct{} // one for each request, where somebody listens
}

// NewReceiver starts a receiver, which is closed with the test.
func NewReceiver(t testing.TB, o *ReceiverOptions) *Receiver {
	t.Helper()
	r, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// Listen starts a receiver on a port of this machine, for programs that are no tests.
func Listen(o *ReceiverOptions) (*Receiver, error) {
	if o == nil {
		o = new(ReceiverOptions)
	}
	r := &Receiver{o: *o, closed: make(chan struct{}), came: make(chan struct{}, 1024)}
	r.idle.L = &r.mu
	if o.Random != nil {
		r.random = o.Random.clone()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.server = &httptest.Server{Listener: &listener{l, r}, Config: &http.Server{Handler: r, ErrorLog: silent()}}
	if o.Plain {
		r.server.Start()
	} else {
		r.server.StartTLS()
	}
	return r, nil
}

// URL is its address, without a path.
func (r *Receiver) URL() string { return r.server.URL }

// Now is its clock: channels that are tested take it as theirs.
func (r *Receiver) Now() time.Time {
	if r.o.Now != nil {
		return r.o.Now()
	}
	return Epoch
}

// Timeout is what channels that are tested wait at most for an answer: long enough for a
// machine that has much else to do.
const Timeout = 1500 * time.Millisecond

// Transport reaches the receiver, and trusts its certificate. It has its own connections.
func (r *Receiver) Transport() *http.Transport {
	return r.server.Client().Transport.(*http.Transport).Clone()
}

// Certificate is what to trust, for senders in other processes: PEM, or nil where the
// receiver speaks HTTP.
func (r *Receiver) Certificate() []byte {
	if r.o.Plain {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
}

// TransportTo is Transport for a sender in another process, which was told the certificate.
func TransportTo(certificate []byte) *http.Transport {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
}

// Do says how the next requests are answered, each once. What comes afterwards is taken.
func (r *Receiver) Do(b ...Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, b...)
}

// Heal ends all misbehaviour: from now on everything is taken.
func (r *Receiver) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue, r.random = nil, nil
}

// Requests are all that came, in the order in which they came.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Request, 0, len(r.log))
	for _, q := range r.log {
		out = append(out, *q)
	}
	return out
}

// Taken counts by id how often the receiver took a message.
func (r *Receiver) Taken() map[string]int {
	out := map[string]int{}
	for _, q := range r.Requests() {
		if q.Taken {
			out[q.ID]++
		}
	}
	return out
}

// Unflagged lists, in order, the ids of messages that were taken again without being
// flagged as possible duplicates.
func (r *Receiver) Unflagged() []string {
	seen, bad := map[string]bool{}, map[string]bool{}
	for _, q := range r.Requests() {
		if q.Taken && seen[q.ID] && !q.Duplicate {
			bad[q.ID] = true
		}
		seen[q.ID] = seen[q.ID] || q.Taken
	}
	var out []string
	for id := range bad {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// Conns is how many connections were accepted.
func (r *Receiver) Conns() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conns
}

// Wait returns when no request is being answered any more.
func (r *Receiver) Wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.busy > 0 {
		r.idle.Wait()
	}
}

// Close ends it: whoever waits for an answer gets none. It may be called again.
func (r *Receiver) Close() {
	r.once.Do(func() {
		close(r.closed)
		r.server.CloseClientConnections()
		r.server.Close()
	})
}

// next is how the next request is answered.
func (r *Receiver) next() Behaviour {
	if len(r.queue) > 0 {
		b := r.queue[0]
		r.queue = r.queue[1:]
		return b
	}
	if r.random != nil {
		return r.random.next(r.Now())
	}
	return Behaviour{}
}

// ServeHTTP notes a request and answers it.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, ok := readBody(req)
	if !ok {
		return
	}
	q := &Request{Method: req.Method, Path: req.URL.RequestURI(), Header: req.Header.Clone(), Body: body, Digest: sum.Of(body)}
	q.ID, q.Duplicate = r.id(q), r.duplicate(q)
	if r.o.Lean {
		q.Header, q.Body = nil, nil
	}
	r.mu.Lock()
	b := r.next()
	q.Action, q.Status, q.Taken = b.action(), b.status(), b.taken()
	r.log = append(r.log, q)
	r.busy++
	r.mu.Unlock()
	select {
	case r.came <- struct{}{}:
	default:
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.busy--; r.busy == 0 {
			r.idle.Broadcast()
		}
	}()
	n := r.answer(w, req, &b)
	r.mu.Lock()
	q.Written = n
	r.mu.Unlock()
}

func (r *Receiver) id(q *Request) string {
	if r.o.ID != nil {
		return r.o.ID(q)
	}
	return q.Header.Get("webhook-id")
}

func (r *Receiver) duplicate(q *Request) bool {
	if r.o.Duplicate != nil {
		return r.o.Duplicate(q)
	}
	return q.Header.Get("stella-possible-duplicate") == "true"
}
