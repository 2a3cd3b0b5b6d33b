package notifytest

import (
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Action is what a Receiver does with a request.
type Action string

// The actions. Except for ResetEarly, Hang and Reset, and answers that are no success, the
// receiver has the message afterwards.
const (
	Answer     Action = "answer"      // with Status, Header and Body
	ResetEarly Action = "reset-early" // the connection, as soon as it stands: nothing is read, and no request is noted
	Reset      Action = "reset"       // the connection, once the request was read, which is thrown away
	ResetTaken Action = "reset-taken" // the connection, once the message is taken
	Hang       Action = "hang"        // until the sender gives up; the message is thrown away
	HangTaken  Action = "hang-taken"  // the same, but the message is taken
	DripHeader Action = "drip-header" // a byte of the status line at a time, slower than a sender waits
	DripBody   Action = "drip-body"   // the same with the body, after the header
	Flood      Action = "flood"       // a body that does not end
	FloodHead  Action = "flood-head"  // a header that does not end
	Garbage    Action = "garbage"     // bytes that are no answer
	Half       Action = "half"        // less of a body than its length says
)

// Behaviour is how one request is answered. The zero value is 200 with the text "ok".
type Behaviour struct {
	Action Action // "" is Answer
	Status int    // 0 is 200
	Header map[string]string
	Body   string
	// Echo answers with everything that the request held: what is secret must not come
	// back with an error.
	Echo bool
}

// MaxFlood ends the flood of a receiver whose sender reads all of it, in bytes.
const MaxFlood = 256 << 20

// A slow body takes ten times as long as a sender waits.
const (
	dripEvery = 100 * time.Millisecond
	dripBody  = int(10 * Timeout / dripEvery)
)

func (b *Behaviour) action() Action {
	if b.Action == "" {
		return Answer
	}
	return b.Action
}

func (b *Behaviour) status() int {
	switch {
	case b.Status != 0:
		return b.Status
	case b.action() == Answer || b.action() == DripBody || b.action() == Flood || b.action() == Half:
		return http.StatusOK
	}
	return 0
}

func (b *Behaviour) taken() bool {
	switch b.action() {
	case ResetEarly, Reset, Hang:
		return false
	case ResetTaken, HangTaken, DripHeader, FloodHead, Garbage:
		return true
	}
	return b.status()/100 == 2
}

// answer behaves, and returns how many bytes of a body went out.
func (r *Receiver) answer(w http.ResponseWriter, req *http.Request, b *Behaviour) int64 {
	switch b.action() {
	case Reset, ResetTaken:
		if conn := raw(w); conn != nil {
			reset(conn)
		}
		return 0
	case Hang, HangTaken:
		r.wait(req, 0)
		return 0
	case DripHeader, FloodHead, Garbage:
		conn := raw(w)
		if conn == nil {
			return 0
		}
		defer conn.Close()
		return r.unusual(conn, b.action())
	}
	body := b.Body
	if body == "" && !b.Echo {
		body = "ok"
	}
	if b.Echo {
		body = echo(req)
	}
	for name, value := range b.Header {
		w.Header().Set(name, value)
	}
	switch b.action() {
	case Half:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+100))
	case DripBody: // a sender that left before the end is not told that it was the end
		w.Header().Set("Content-Length", strconv.Itoa(dripBody))
	}
	w.WriteHeader(b.status())
	return r.write(w, req, b.action(), body)
}

func (r *Receiver) write(w http.ResponseWriter, req *http.Request, action Action, body string) (written int64) {
	switch action {
	case DripBody:
		for range dripBody {
			n, err := io.WriteString(w, "x")
			if written += int64(n); err != nil || http.NewResponseController(w).Flush() != nil || r.wait(req, dripEvery) {
				break
			}
		}
		return written
	case Flood:
		block := make([]byte, 64<<10)
		for written < MaxFlood {
			n, err := w.Write(block)
			if written += int64(n); err != nil {
				break
			}
		}
		return written
	}
	n, _ := io.WriteString(w, body) // a sender that does not read it is not the test's matter
	return int64(n)
}

// unusual writes what is no answer, or none yet.
func (r *Receiver) unusual(conn net.Conn, action Action) (written int64) {
	put := func(s string) bool {
		n, err := io.WriteString(conn, s)
		written += int64(n)
		return err == nil
	}
	switch action {
	case Garbage:
		put("\x16\x03\x01\x00\xff not HTTP \r\n\r\n\x00\xff")
	case DripHeader:
		for _, c := range "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Slow: very slow indeed, slower than anybody waits\r\n\r\nok" {
			if !put(string(c)) || r.pause(dripEvery) {
				break
			}
		}
	case FloodHead:
		for ok := put("HTTP/1.1 200 OK\r\n"); ok && written < MaxFlood; {
			ok = put("X-Long: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n")
		}
	}
	return written
}

// wait waits until the sender or the receiver goes, or for a while where it is not 0, and
// reports whether somebody went.
func (r *Receiver) wait(req *http.Request, d time.Duration) bool {
	var after <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-req.Context().Done():
		return true
	case <-r.closed:
		return true
	case <-after:
		return false
	}
}

func (r *Receiver) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.closed:
		return true
	case <-timer.C:
		return false
	}
}

// raw takes the connection from the server.
func raw(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil
	}
	return conn
}

// reset ends a connection with RST, as a machine that fails does.
func reset(conn net.Conn) {
	under := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		under = t.NetConn()
	}
	if tcp, ok := under.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the connection is closed in order, which is still an end
	}
	under.Close()
}

func echo(req *http.Request) string {
	text := req.URL.String() + "\n"
	for name, values := range req.Header {
		for _, v := range values {
			text += name + ": " + v + "\n"
		}
	}
	return text
}

// readBody reads a body. One that broke off is no message.
func readBody(req *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(io.LimitReader(req.Body, MaxKept))
	return body, err == nil
}

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// listener counts connections, and resets those that are to be.
type listener struct {
	net.Listener
	r *Receiver
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !l.r.accepted() {
			return conn, nil
		}
		reset(conn)
	}
}

// accepted counts a connection, and reports whether it is to be reset.
func (r *Receiver) accepted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns++
	if len(r.queue) == 0 || r.queue[0].Action != ResetEarly {
		return false
	}
	r.queue = r.queue[1:]
	return true
}
