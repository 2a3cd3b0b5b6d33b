package notifytest_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify/notifytest"
)

// post sends one message by hand, and returns the status, 0 for none.
func post(t *testing.T, rt http.RoundTripper, url, id string, flagged bool) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/in?x=y", bytes.NewReader([]byte("hello")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("webhook-id", id)
	if flagged {
		req.Header.Set("stella-possible-duplicate", "true")
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return 0
	}
	return resp.StatusCode
}

// TestReceiverBehaves: each behaviour is what a client sees of it, and is noted as taken
// where the receiver has the message.
func TestReceiverBehaves(t *testing.T) {
	for _, c := range []struct {
		b      notifytest.Behaviour
		status int
		taken  bool
		noted  bool
	}{
		{notifytest.Behaviour{}, 200, true, true},
		{notifytest.Behaviour{Status: 202}, 202, true, true},
		{notifytest.Behaviour{Status: 404}, 404, false, true},
		{notifytest.Behaviour{Status: 307, Header: map[string]string{"Location": "/"}}, 307, false, true},
		{notifytest.Behaviour{Action: notifytest.ResetEarly}, 0, false, false},
		{notifytest.Behaviour{Action: notifytest.Reset}, 0, false, true},
		{notifytest.Behaviour{Action: notifytest.ResetTaken}, 0, true, true},
		{notifytest.Behaviour{Action: notifytest.Hang}, 0, false, true},
		{notifytest.Behaviour{Action: notifytest.HangTaken}, 0, true, true},
		{notifytest.Behaviour{Action: notifytest.DripHeader}, 0, true, true},
		{notifytest.Behaviour{Action: notifytest.DripBody}, 0, true, true},
		{notifytest.Behaviour{Action: notifytest.Flood}, 200, true, true},
		{notifytest.Behaviour{Action: notifytest.FloodHead}, 0, true, true},
		{notifytest.Behaviour{Action: notifytest.Garbage}, 0, true, true},
		{notifytest.Behaviour{Action: notifytest.Half}, 0, true, true},
	} {
		for _, plain := range []bool{false, true} {
			r := notifytest.NewReceiver(t, &notifytest.ReceiverOptions{Plain: plain})
			rt := r.Transport()
			rt.DisableKeepAlives = true
			r.Do(c.b)
			status := post(t, rt, r.URL(), "id-1", true)
			r.Wait()
			all := r.Requests()
			if status != c.status || (len(all) == 1) != c.noted || r.Taken()["id-1"] > 0 != c.taken {
				t.Errorf("%+v, plain %t: status %d, requests %+v", c.b, plain, status, all)
			}
			if c.noted && (all[0].ID != "id-1" || !all[0].Duplicate || all[0].Path != "/in?x=y" || string(all[0].Body) != "hello") {
				t.Errorf("%+v: noted as %+v", c.b, all[0])
			}
			if r.Conns() != 1 {
				t.Errorf("%+v: %d connections", c.b, r.Conns())
			}
		}
	}
}

// TestReceiverAtRandom: a seed is one sequence; once it is healed, everything is taken, and
// what was taken twice without a flag is known.
func TestReceiverAtRandom(t *testing.T) {
	run := func(seed uint64) (statuses []int, r *notifytest.Receiver) {
		r = notifytest.NewReceiver(t, &notifytest.ReceiverOptions{Plain: true, Lean: true, Random: &notifytest.Random{Seed: seed, Final: true}})
		rt := r.Transport()
		rt.DisableKeepAlives = true
		for i := range 60 {
			statuses = append(statuses, post(t, rt, r.URL(), "id-"+strconv.Itoa(i), false))
		}
		r.Heal()
		for i := range 60 {
			if got := post(t, rt, r.URL(), "id-"+strconv.Itoa(i), i%2 == 0); got != 200 {
				t.Errorf("healed, and %d", got)
			}
		}
		return statuses, r
	}
	a, r := run(1)
	b, _ := run(1)
	c, _ := run(2)
	if cmp.Diff(a, b) != "" || cmp.Diff(a, c) == "" {
		t.Errorf("seed 1: %v\nagain:  %v\nseed 2: %v", a, b, c)
	}
	var want []string
	for id, n := range r.Taken() {
		i, err := strconv.Atoi(id[len("id-"):])
		if err != nil || n < 1 {
			t.Fatalf("%s was taken %d times", id, n)
		}
		if n == 2 && i%2 == 1 {
			want = append(want, id)
		}
	}
	if got := r.Unflagged(); len(r.Taken()) != 60 || len(got) != len(want) || len(got) == 0 {
		t.Errorf("%d were taken; twice and not flagged: %v, want %v", len(r.Taken()), got, want)
	}
	if q := r.Requests()[0]; q.Header != nil || q.Body != nil || q.Digest == "" {
		t.Errorf("a lean receiver keeps %+v", q)
	}
}

// TestSenderDies: a message that did not arrive whole is none.
func TestSenderDies(t *testing.T) {
	r := notifytest.NewReceiver(t, &notifytest.ReceiverOptions{Plain: true})
	conn, err := net.Dial("tcp", r.URL()[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nwebhook-id: id-1\r\nContent-Length: 100\r\n\r\nhalf of"); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := post(t, r.Transport(), r.URL(), "id-2", false); got != 200 {
		t.Errorf("status %d", got)
	}
	r.Close() // once it is closed, all that came was noted
	if all := r.Requests(); len(all) != 1 || all[0].ID != "id-2" {
		t.Errorf("noted: %+v", all)
	}
}

// TestTransportTo: a sender elsewhere reaches it by its certificate alone.
func TestTransportTo(t *testing.T) {
	r := notifytest.NewReceiver(t, nil)
	if got := post(t, notifytest.TransportTo(r.Certificate()), r.URL(), "id-1", false); got != 200 {
		t.Errorf("status %d", got)
	}
	if got := post(t, notifytest.TransportTo(nil), r.URL(), "id-2", false); got != 0 {
		t.Errorf("without the certificate: status %d", got)
	}
}
