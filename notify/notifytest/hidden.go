package notifytest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// hides fails where a text shows a secret, or half of one.
func (x *trial) hides(texts ...string) {
	x.t.Helper()
	for _, secret := range x.Secrets {
		for _, text := range texts {
			if strings.Contains(text, secret) || len(secret) >= 16 && strings.Contains(text, secret[:len(secret)/2]) {
				x.t.Errorf("a secret is shown: %.300s", strings.ReplaceAll(text, secret, "SECRET"))
			}
		}
	}
}

// text is everything that printing a value can show.
func text(v any) string {
	all := fmt.Sprintf("%v %+v %#v", v, v, v)
	if err, ok := v.(error); ok {
		for err = errors.Unwrap(err); err != nil; err = errors.Unwrap(err) {
			all += fmt.Sprintf(" %v %+v %#v", err, err, err)
		}
	}
	return all
}

// secrets: what was sent with one comes back, and still nobody sees it.
func (s *suite) secrets(t *testing.T) {
	x := s.trial(t)
	if len(x.Secrets) == 0 {
		t.Skip("the channel has no secrets")
	}
	d := x.dispatch("delivery-1")
	x.hides(string(d.Payload.Body), text(d.Payload.Notes), d.Payload.MediaType)
	for _, status := range []int{http.StatusOK, http.StatusFound, http.StatusBadRequest, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusInternalServerError} {
		for _, header := range []map[string]string{nil, {"Location": "/" + x.Secrets[0], "X-Request-Id": x.Secrets[0], "Retry-After": x.Secrets[0], "Content-Type": "application/json"}} {
			receipt, _ := x.send(Behaviour{Status: status, Echo: true, Header: header}) // failures are looked at there
			x.hides(text(receipt))
			receipt, _ = x.send(Behaviour{Status: status, Header: header, Body: `{"error":"` + x.Secrets[0] + `","message":"` + x.Secrets[0] + `"}`})
			x.hides(text(receipt))
		}
	}
	for _, action := range []Action{ResetEarly, Reset, Garbage} {
		x.send(Behaviour{Action: action})
	}
	x.r.Close()
	x.attempt(d)
	x.hides(fmt.Sprintf("%v %+v", x.Channel.Channel, x.Channel.Channel))
}

// cancelled: who gives up is answered at once, and told whether it might have arrived.
func (s *suite) cancelled(t *testing.T) {
	x := s.trial(t)
	d := x.dispatch("delivery-1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	receipt, err := x.Channel.Send(ctx, d)
	if f := x.failureOf(receipt, err); f == nil || f.Permanent || f.Gone {
		t.Errorf("cancelled before: %+v", f)
	}
	if n := len(x.r.Requests()); n != 0 {
		t.Errorf("cancelled before, and %d requests", n)
	}
	drain(x.r.came)
	x.r.Do(Behaviour{Action: Hang})
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-x.r.came
		cancel()
	}()
	receipt, err = x.Channel.Send(ctx, d)
	if f := x.failureOf(receipt, err); f == nil || f.Sent != "" || f.Permanent || f.Gone {
		t.Errorf("cancelled while the receiver has it: %+v; want that nobody knows", f)
	}
}

func drain(c chan struct{}) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}
