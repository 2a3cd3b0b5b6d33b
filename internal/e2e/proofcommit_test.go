package e2e

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/e2e/servers"
)

// severed is a way to PostgreSQL on which one answer to a COMMIT is lost, with its
// connection: what was committed is, and who asked for it does not know.
type severed struct {
	to   string
	left atomic.Int64 // COMMITs until it happens
	cut  atomic.Int64 // how often it did
	wg   sync.WaitGroup
}

// sever listens where a URL is asked for, and returns the URL of that.
func sever(t *testing.T, database string) (*severed, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	s := &severed{to: u.Host}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { s.carry(client) })
		}
	})
	t.Cleanup(func() { listener.Close(); s.wg.Wait() })
	u.Host = listener.Addr().String()
	return s, u.String()
}

// carry takes what a client says to the server, and the answers back.
func (s *severed) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", s.to)
	if err != nil {
		return
	}
	defer server.Close()
	var lost atomic.Bool
	go func() {
		defer client.Close()
		answer := make([]byte, 64<<10)
		for {
			n, err := server.Read(answer)
			if lost.Load() { // it answers after the commit
				s.cut.Add(1)
				return
			}
			if n > 0 {
				if _, err := client.Write(answer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	said := make([]byte, 64<<10)
	for {
		n, err := client.Read(said)
		if bytes.Contains(bytes.ToLower(said[:n]), []byte("commit\x00")) && s.left.Add(-1) == 0 {
			lost.Store(true)
		}
		if n > 0 {
			if _, err := server.Write(said[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// TestProofCommits has the answer of each commit of an export lost on its way from
// PostgreSQL, one after the other: what is there in the end is what is there without that,
// each payload is signed once, and each export is one row.
func TestProofCommits(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs PostgreSQL")
	}
	p := newParties(t)
	s, through := sever(t, servers.PostgresStore(t).App)
	s.left.Store(1 << 40)
	step, nth := int64(17), int64(1)
	if long() {
		step = 1
	}
	for ; ; nth += step {
		l := newLabOn(t, p, through)
		before := s.cut.Load()
		s.left.Store(nth)
		l.work()
		reached := s.left.Swap(1<<40) <= 0
		l.work()
		l.provedOnce()
		formats := map[export.Format]int{}
		for _, e := range l.exports() {
			formats[e.Format] = e.Made.Version
			for _, o := range []export.Object{e.Made.Document, e.Made.Bundle} {
				if text := l.object(o); !bytes.Equal(text, l.named(o)) {
					t.Errorf("%s has another content than the row says", o.Name)
				}
			}
		}
		if diff := cmp.Diff(map[export.Format]int{export.SPDX: 1, export.SARIF: 1, export.OpenVEX: 1, export.Evidence: 1}, formats); diff != "" {
			t.Errorf("commit %d: versions (-want +got):\n%s", nth, diff)
		}
		l.close()
		if !reached {
			break
		}
		if s.cut.Load() == before {
			t.Errorf("commit %d: no answer was lost", nth)
		}
	}
	t.Logf("%d answers were lost, of about %d commits", s.cut.Load(), nth)
	if s.cut.Load() < 4 {
		t.Error("too few commits")
	}
}
