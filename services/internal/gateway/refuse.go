package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// Reason is why a request was not passed on, or what became of it: one of few, for metrics.
type Reason string

// What becomes of requests.
const (
	ReasonForwarded   Reason = "forwarded"    // the backend has answered
	ReasonFraming     Reason = "framing"      // not strictly framed, or a path with two readings
	ReasonHost        Reason = "host"         // for another host
	ReasonRoute       Reason = "route"        // no such path
	ReasonMethod      Reason = "method"       // no such method of a path
	ReasonCredentials Reason = "credentials"  // nobody, or not believed
	ReasonRights      Reason = "rights"       // without the right
	ReasonTenant      Reason = "tenant"       // for another tenant than the token's
	ReasonRate        Reason = "rate"         // too many in a time
	ReasonConcurrency Reason = "concurrency"  // too many at a time
	ReasonBody        Reason = "body"         // too long, broken, or another one than its digest says
	ReasonAway        Reason = "backend-away" // no backend takes it: it was not sent
	ReasonFailed      Reason = "backend-failed"
	ReasonTime        Reason = "time"        // over its time
	ReasonGone        Reason = "client-gone" // nobody waits for the answer
	ReasonInternal    Reason = "internal"
)

// Decision is what a gateway did with a request. Only System, Route, Method, Reason and
// Status are few enough for labels of metrics.
type Decision struct {
	RequestID string
	System    string // "" where there is no route
	Route     string // its pattern
	Method    string // "" where it is unknown
	Reason    Reason
	Status    int
	Tenant    string
	Client    string
	Took      time.Duration
	// LocalOnly says that the shared limit could not be asked, and the local one held alone.
	LocalOnly bool
	// Err says more to the operator, nil where there is nothing.
	Err error
}

// refusal is why a request is not passed on, as the client is told.
type refusal struct {
	status int
	reason Reason
	header http.Header
	err    error // told to the client, where all of it is the SDK's own
	cause  error // told to the operator alone
	close  bool  // the connection cannot be used any more
	// challenge says that it is a step of a client that does right: it needs a nonce.
	challenge bool
}

func refuse(status int, reason Reason, format string, args ...any) *refusal {
	return &refusal{status: status, reason: reason, err: fmt.Errorf(format, args...)}
}

// later says when to come again.
func (f *refusal) later(d time.Duration) *refusal {
	if f.header == nil {
		f.header = http.Header{}
	}
	seconds := max(1, int((d+time.Second-1)/time.Second))
	f.header.Set("Retry-After", strconv.Itoa(seconds))
	return f
}

func (f *refusal) because(cause error) *refusal {
	f.cause = cause
	return f
}

// answer writes the refusal.
func (x *exchange) answer(f *refusal) {
	h := x.w.Header()
	maps.Copy(h, f.header)
	if f.close && x.r.ProtoMajor == 1 {
		h.Set("Connection", "close")
		lingers(x.r.Context())
	}
	err := f.err
	if e := (*httpjson.Error)(nil); !errors.As(err, &e) {
		err = &httpjson.Error{Status: f.status, Err: err}
	}
	p, _ := httpjson.Of(err)
	p.RequestID = x.id
	if p.Instance = x.r.URL.EscapedPath(); len(p.Instance) > 512 || f.reason == ReasonFraming {
		p.Instance = ""
	}
	p.Status = f.status
	p.Write(x.w)
}

// credentials makes a refusal of the error of a Check.
func credentials(err error) *refusal {
	f := &refusal{status: http.StatusUnauthorized, reason: ReasonCredentials, err: err}
	var own *auth.Refusal
	switch {
	case errors.As(err, &own):
		f.status, f.err, f.cause, f.header = own.Status, own.Problem(), own.Err, http.Header{}
		own.SetHeader(f.header)
		f.challenge = own.Code == dpop.CodeNonce
	case errors.Is(err, fault.Unauthenticated):
	case errors.Is(err, fault.Forbidden):
		f.status = http.StatusForbidden
	case errors.Is(err, fault.Unavailable):
		f.status = http.StatusServiceUnavailable
	default:
		f.status = http.StatusInternalServerError
	}
	switch {
	case f.status == http.StatusForbidden:
		f.reason = ReasonRights
	case f.status >= 500:
		f.reason = ReasonInternal
	}
	return f
}
