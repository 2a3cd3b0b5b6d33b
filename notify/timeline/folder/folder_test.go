package folder_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/folder"
	"github.com/stella-ops/stella/store/storetest"
)

func open(t testing.TB, dir string) *folder.Sink {
	t.Helper()
	s, err := folder.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSink(t *testing.T) {
	storetest.TestTimelineSink(t, func(t testing.TB) timeline.Sink { return open(t, filepath.Join(t.TempDir(), "checkpoints")) })
}

func checkpoint(t testing.TB, number int64, rows int) *timeline.Kept {
	t.Helper()
	private, err := key.Generate(key.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	c := &timeline.Checkpoint{Number: number, Tenant: "acme", First: 1, Last: int64(rows), Marks: make([]byte, 8*rows), Time: time.Unix(0, 0)}
	k, err := c.Sign(t.Context(), private)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestTorn: a line that a crash left half is not there, and gives way to the next one.
func TestTorn(t *testing.T) {
	first, second := checkpoint(t, 1, timeline.MaxMarks), checkpoint(t, 2, 3)
	line := append(bytes.Clone(first.Envelope), '\n')
	next := append(bytes.Clone(second.Envelope), '\n')
	for _, cut := range []int{0, 1, len(next) / 2, len(next) - 1} {
		s := open(t, t.TempDir())
		path, err := s.Path("acme")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(bytes.Clone(line), next[:cut]...), 0o644); err != nil {
			t.Fatal(err)
		}
		last, err := s.Last(t.Context(), "acme")
		if err != nil || last.Number != 1 || !bytes.Equal(last.Envelope, first.Envelope) {
			t.Errorf("%d bytes: %v, %v", cut, last, err)
		}
		if text := read(t, s); !bytes.Equal(text, line) {
			t.Errorf("%d bytes: %d were read", cut, len(text))
		}
		if err := s.Put(t.Context(), "acme", second); err != nil {
			t.Errorf("%d bytes: %v", cut, err)
		}
		if text := read(t, s); !bytes.Equal(text, append(bytes.Clone(line), next...)) {
			t.Errorf("%d bytes: %d were read after the next", cut, len(text))
		}
	}
	s := open(t, t.TempDir())
	path, err := s.Path("acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, line[:len(line)-1], 0o644); err != nil { // only half a line
		t.Fatal(err)
	}
	if last, err := s.Last(t.Context(), "acme"); last != nil || err != nil {
		t.Errorf("half a line: %v, %v", last, err)
	}
	if err := s.Put(t.Context(), "acme", first); err != nil {
		t.Error(err)
	}
}

// TestForeign: what is no checkpoint is not built upon.
func TestForeign(t *testing.T) {
	good := checkpoint(t, 1, 1)
	for name, text := range map[string]string{"text": "hello\n", "another number": string(bytes.Replace(good.Envelope, []byte(`"payload":"`), []byte(`"payload":"AAAA`), 1)) + "\n", "endless": string(make([]byte, 3<<20)) + "\n", "empty line": "\n"} {
		s := open(t, t.TempDir())
		path, err := s.Path("acme")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if k, err := s.Last(t.Context(), "acme"); err == nil {
			t.Errorf("%s: %v", name, k)
		}
		if err := s.Put(t.Context(), "acme", good); err == nil {
			t.Errorf("%s: put", name)
		}
	}
	if _, err := folder.New(filepath.Join(t.TempDir(), "no", "\x00")); err == nil {
		t.Error("a folder that there cannot be")
	}
	s := open(t, t.TempDir())
	if _, err := s.Open(t.Context(), "../x"); !errors.Is(err, folder.ErrInvalid) {
		t.Error(err)
	}
	if _, err := s.Last(t.Context(), "../x"); !errors.Is(err, folder.ErrInvalid) {
		t.Error(err)
	}
}

func read(t testing.TB, s *folder.Sink) []byte {
	t.Helper()
	in, err := s.Open(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Checkpoints of a tenant are lines of a file; what is there is not replaced.
func Example() {
	dir, err := os.MkdirTemp("", "checkpoints")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	sink, err := folder.New(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	private, err := key.Generate(key.Ed25519)
	if err != nil {
		fmt.Println(err)
		return
	}
	acme := timeline.NewMemory("acme", time.Now)
	p := &timeline.Publisher{Tenant: "acme", Source: acme, Sink: sink, Signers: []dsse.Signer{private}, Trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{private.Public()}}}
	for range 2 {
		e, err := timeline.Read("scanner:events", []byte(`{"id":"scan-1/queued","job_id":"scan-1","source":"scanner","tenant":"acme","type":"scan.queued"}`))
		if err == nil {
			err = acme.Append(context.Background(), []timeline.Event{*e})
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		made, err := p.Publish(context.Background())
		fmt.Println(made, err)
	}
	// Output:
	// 1 <nil>
	// 0 <nil>
}
