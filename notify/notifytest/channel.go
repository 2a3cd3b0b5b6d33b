package notifytest

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify"
)

// Channel is a channel to be proved, and what it says of itself.
type Channel struct {
	notify.Channel
	// Success is how its receiver takes a message. The zero value is 200 with "ok".
	Success Behaviour
	// To is an address for messages; "" is the endpoint's own.
	To string
	// MaxBody is the most that it renders, in bytes; 0 is notify.MaxPayload.
	MaxBody int
	// Permanent are the statuses that another attempt does not change, Gone those that end
	// the endpoint. Every other status that is no success is to be worth another attempt.
	Permanent, Gone []int
	// Secrets are what must never be shown: in errors, receipts and payloads.
	Secrets []string
	// ID is what a request says about which message it is; nil where it says nothing.
	// Flagged is whether it says that the receiver may have it already; nil where it
	// cannot.
	ID      func(r *Request) string
	Flagged func(r *Request) bool
	// Check judges a body, as far as the receiver's rules go; nil checks only that JSON is
	// JSON. Sent judges a request as it arrived.
	Check func(m *notify.Message, p *notify.Payload) error
	Sent  func(r *Request) error
}

// TestChannel proves that a channel does what notify.Channel asks for: what it renders is
// determined by the message, bounded and well-formed whatever the message holds; it sends
// one request and never another, follows nobody, waits no longer than it was told, reads no
// more than it needs, and says of each failure whether the receiver may have the message,
// whether another attempt is worth it and when; and it shows no secret.
//
// open opens the channel for a receiver: with its URL, its Transport, its clock Now, and
// Timeout.
func TestChannel(t *testing.T, open func(t *testing.T, r *Receiver) Channel) {
	t.Run("Render", func(t *testing.T) { testRender(t, open) })
	s := &suite{open}
	for _, c := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"Success", s.success},
		{"SameID", s.sameID},
		{"Statuses", s.statuses},
		{"RetryAfter", s.retryAfter},
		{"Redirect", s.redirect},
		{"Broken", s.broken},
		{"Slow", s.slow},
		{"Huge", s.huge},
		{"Refused", s.refused},
		{"Cancelled", s.cancelled},
		{"Secrets", s.secrets},
		{"Concurrent", s.concurrent},
	} {
		t.Run(c.name, c.test)
	}
}

type suite struct {
	open func(t *testing.T, r *Receiver) Channel
}

// trial is one channel at one receiver.
type trial struct {
	Channel
	r *Receiver
	t *testing.T
}

func (s *suite) trial(t *testing.T) *trial {
	t.Helper()
	r := NewReceiver(t, nil)
	return &trial{s.open(t, r), r, t}
}

// dispatch is a message, rendered.
func (x *trial) dispatch(id string) *notify.Dispatch {
	x.t.Helper()
	m := Message(id)
	m.To = x.To
	p, err := x.Render(m)
	if err != nil {
		x.t.Fatalf("render: %v", err)
	}
	return &notify.Dispatch{ID: id, Tenant: m.Tenant, To: m.To, Attempt: 1, Payload: *p}
}

// send sends one message to a receiver that behaves so, and checks what holds for each
// attempt: a receipt or a Failure, and no request after the first.
func (x *trial) send(b Behaviour) (*notify.Receipt, *notify.Failure) {
	x.t.Helper()
	before := len(x.r.Requests())
	x.r.Do(b)
	receipt, failure := x.attempt(x.dispatch("delivery-1"))
	if n := len(x.r.Requests()) - before; n > 1 || n == 0 && b.Action != ResetEarly {
		x.t.Errorf("%s: %d requests were made of one message", b.action(), n)
	}
	return receipt, failure
}

func (x *trial) attempt(d *notify.Dispatch) (*notify.Receipt, *notify.Failure) {
	x.t.Helper()
	receipt, err := x.Channel.Send(x.t.Context(), d)
	return receipt, x.failureOf(receipt, err)
}

// failureOf is what an error must be.
func (x *trial) failureOf(receipt *notify.Receipt, err error) *notify.Failure {
	x.t.Helper()
	if (receipt == nil) == (err == nil) {
		x.t.Fatalf("a receipt and an error, or none of both: %+v, %v", receipt, err)
	}
	if err == nil {
		return nil
	}
	var f *notify.Failure
	if !errors.As(err, &f) || f == nil {
		x.t.Fatalf("an error that is no Failure: %T: %v", err, err)
	}
	if f.Reason == "" {
		x.t.Errorf("a failure without a reason: %+v", f)
	}
	x.hides(f.Error(), f.Reason, text(f), text(f.Err))
	return f
}

func (s *suite) success(t *testing.T) {
	x := s.trial(t)
	receipt, f := x.send(x.Success)
	if f != nil {
		t.Fatalf("the receiver took it: %v", f)
	}
	if want := x.Success.status(); receipt.Status != want || len(receipt.Answer) != len("sha256:")+64 {
		t.Errorf("receipt %+v, want status %d and the answer's digest", receipt, want)
	}
	q := x.r.Requests()[0]
	if x.Channel.Sent != nil {
		if err := x.Channel.Sent(&q); err != nil {
			t.Errorf("what arrived: %v", err)
		}
	}
	if len(q.Body) == 0 {
		t.Error("an empty request arrived")
	}
	if n := x.r.Conns(); n != 1 {
		t.Errorf("%d connections for one message", n)
	}
}

// sameID: a message says the same of itself however often it is sent, with the same body,
// and that it may have come before.
func (s *suite) sameID(t *testing.T) {
	x := s.trial(t)
	x.r.Do(x.Success, x.Success)
	d := x.dispatch("delivery-1")
	x.attempt(d)
	d.Attempt, d.Duplicate = 2, true
	x.attempt(d)
	all := x.r.Requests()
	if len(all) != 2 || string(all[0].Body) != string(all[1].Body) {
		t.Fatalf("%d requests of two attempts, or their bodies differ", len(all))
	}
	if x.ID != nil && (x.ID(&all[0]) == "" || x.ID(&all[0]) != x.ID(&all[1])) {
		t.Errorf("ids %q and %q", x.ID(&all[0]), x.ID(&all[1]))
	}
	if x.Flagged != nil && (x.Flagged(&all[0]) || !x.Flagged(&all[1])) {
		t.Errorf("flagged %t and %t, want the second alone", x.Flagged(&all[0]), x.Flagged(&all[1]))
	}
}

func (s *suite) statuses(t *testing.T) {
	x := s.trial(t)
	for _, status := range []int{400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 421, 422, 423, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 507, 520, 599, 999} {
		_, f := x.send(Behaviour{Status: status, Body: "no"})
		if f == nil {
			t.Errorf("%d is success", status)
			continue
		}
		gone, permanent := slices.Contains(x.Gone, status), slices.Contains(x.Permanent, status)
		if f.Status != status || f.Gone != gone || f.Permanent && !permanent && !gone || !f.Permanent && permanent {
			t.Errorf("%d: %+v; want gone %t, permanent %t", status, f, gone, permanent)
		}
		if f.After != 0 || f.Answer == "" {
			t.Errorf("%d: after %s, answer %q; want no pause and the digest", status, f.After, f.Answer)
		}
	}
}

// retryAfter: each form of the header is what it says, and what is none is nothing.
func (s *suite) retryAfter(t *testing.T) {
	x := s.trial(t)
	now := x.r.Now()
	in90 := now.Add(90 * time.Second).UTC()
	for _, c := range []struct {
		value string
		want  time.Duration // -1: longer than anybody waits
	}{
		{"0", 0}, {"1", time.Second}, {"120", 2 * time.Minute}, {"86401", 86401 * time.Second}, {" 7 ", 7 * time.Second},
		{"1000000000", 1e9 * time.Second}, {"99999999999999999999", -1}, {"9223372037", -1},
		{in90.Format(http.TimeFormat), 90 * time.Second},
		{in90.Format("Monday, 02-Jan-06 15:04:05") + " GMT", 90 * time.Second},
		{in90.Format(time.ANSIC), 90 * time.Second},
		{now.Add(-time.Hour).UTC().Format(http.TimeFormat), 0},
		{now.UTC().Format(http.TimeFormat), 0},
		{"Fri, 31 Dec 1999 23:59:59 GMT", 0}, {"Fri, 31 Dec 9999 23:59:59 GMT", -1},
		{"-1", 0}, {"1.5", 0}, {"1e3", 0}, {"soon", 0}, {"", 0}, {"0x10", 0}, {"1s", 0}, {"١٢", 0}, {"2026-11-29T08:01:30Z", 0},
	} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			_, f := x.send(Behaviour{Status: status, Header: map[string]string{"Retry-After": c.value}})
			if f == nil || f.Permanent || f.Status != status || c.want >= 0 && f.After != c.want || c.want < 0 && f.After <= notify.MaxAfter {
				t.Errorf("%d, Retry-After %q: %+v; want %s", status, c.value, f, c.want)
			}
		}
	}
}

// redirect: the place that an answer points to sees no connection.
func (s *suite) redirect(t *testing.T) {
	x := s.trial(t)
	elsewhere := NewReceiver(t, nil)
	plain := NewReceiver(t, &ReceiverOptions{Plain: true})
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308, 399} {
		for _, to := range []string{elsewhere.URL() + "/in", plain.URL(), x.r.URL() + "/again", "/relative", "//" + plain.URL()[len("http://"):], "file:///etc/passwd", ""} {
			_, f := x.send(Behaviour{Status: status, Header: map[string]string{"Location": to, "Refresh": "0; url=" + to}})
			if f == nil || f.Status != status {
				t.Errorf("%d to %q: %+v", status, to, f)
			}
		}
	}
	if a, b := elsewhere.Conns(), plain.Conns(); a+b != 0 {
		t.Errorf("%d connections to where the answers pointed", a+b)
	}
}

// broken: before the receiver read anything it has nothing; afterwards nobody knows.
func (s *suite) broken(t *testing.T) {
	x := s.trial(t)
	if _, f := x.send(Behaviour{Action: ResetEarly}); f == nil || f.Sent == notify.Yes || f.Permanent {
		t.Errorf("reset before anything was read: %+v", f)
	}
	for _, action := range []Action{Reset, ResetTaken} {
		if _, f := x.send(Behaviour{Action: action}); f == nil || f.Sent != "" || f.Permanent || f.Gone || f.Status != 0 {
			t.Errorf("%s: %+v; want that nobody knows, and another attempt", action, f)
		}
	}
	// What comes instead of an answer may be taken for one or not, but never for a refusal.
	for _, b := range []Behaviour{{Action: Garbage}, {Action: Half}, {Body: "\x00\xff<html>{\"ok\":"}, {Status: 204}} {
		if _, f := x.send(b); f != nil && (f.Sent == notify.No || f.Permanent) {
			t.Errorf("%+v: %+v; want that nobody knows", b, f)
		}
	}
}

// slow: nobody is waited for longer than was said, and what was not answered is unknown.
func (s *suite) slow(t *testing.T) {
	for _, action := range []Action{Hang, HangTaken, DripHeader, DripBody} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			x := s.trial(t)
			_, f := x.send(Behaviour{Action: action})
			if f == nil && action != DripBody || f != nil && (f.Sent != "" || f.Permanent || f.Gone) {
				t.Errorf("%+v; want that nobody knows, and another attempt", f)
			}
			x.r.Wait()
			if q := x.r.Requests()[0]; action == DripBody && q.Written >= int64(dripBody) {
				t.Errorf("all %d bytes were waited for", q.Written)
			}
		})
	}
}

// huge: an answer without end is not read to its end.
func (s *suite) huge(t *testing.T) {
	for _, action := range []Action{Flood, FloodHead} {
		x := s.trial(t)
		if _, f := x.send(Behaviour{Action: action}); f != nil && (f.Sent == notify.No || f.Permanent) {
			t.Errorf("%s: %+v; want that nobody knows, or a receipt", action, f)
		}
		x.r.Wait()
		if q := x.r.Requests()[0]; q.Written > MaxFlood/16 { // what lies in buffers is written too
			t.Errorf("%s: %d bytes were read", action, q.Written)
		}
	}
}

// refused: where nobody listens nothing was sent.
func (s *suite) refused(t *testing.T) {
	x := s.trial(t)
	d := x.dispatch("delivery-1")
	x.r.Close()
	if _, f := x.attempt(d); f == nil || f.Sent != notify.No || f.Permanent || f.Gone {
		t.Errorf("a closed port: %+v; want that it was not sent, and another attempt", f)
	}
}

func (s *suite) concurrent(t *testing.T) {
	x := s.trial(t)
	const n = 16
	failures := make(chan error, n)
	for i := range n {
		x.r.Do(x.Success)
		d := x.dispatch("delivery-" + strconv.Itoa(i))
		go func() {
			_, err := x.Channel.Send(t.Context(), d)
			failures <- err
		}()
	}
	for range n {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if got := len(x.r.Requests()); got != n {
		t.Errorf("%d requests of %d messages", got, n)
	}
}
