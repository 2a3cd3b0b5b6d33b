package tlog_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/attest/tlog/tlogtest"
	"github.com/stella-ops/stella/store/blob"
)

func TestStorages(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		s := tlog.NewMem()
		tlogtest.Files(t, s.Files)
		tlogtest.Head(t, func() tlog.Head { return s.Head })
	})
	t.Run("folder", func(t *testing.T) {
		path := t.TempDir()
		tlogtest.Files(t, dir(t, path).Files)
		tlogtest.Head(t, func() tlog.Head { return dir(t, path).Head })
	})
	t.Run("driver", func(t *testing.T) {
		tlogtest.Files(t, tlog.NewFiles(blob.NewMem(0), "logs/one/"))
	})
}

func TestDirHead(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{"", ".", "..", "a/b", "../a", "/a"} {
		if _, err := tlog.NewDirHead(path, name); !errors.Is(err, tlog.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	h, err := tlog.NewDirHead(filepath.Join(path, "absent"), "head")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Load(ctx); !errors.Is(err, tlog.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
	if err := h.Swap(ctx, nil, []byte("x")); !errors.Is(err, tlog.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"head", "lock.lock"} {
		if err := os.Symlink(outside, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	h, _ = tlog.NewDirHead(path, "head")
	if b, err := h.Load(ctx); !errors.Is(err, tlog.ErrMismatch) {
		t.Errorf("a link is followed: %q, %v", b, err)
	}
	h, _ = tlog.NewDirHead(path, "lock")
	if err := h.Swap(ctx, nil, []byte("x")); err == nil {
		t.Error("a lock that is a link to the outside is followed")
	}
}

// TestDamagedHead: a log is not opened on a head that is not its own.
func TestDamagedHead(t *testing.T) {
	s := tlog.NewMem()
	submit(t, open(t, s, quick()), entry(0))
	whole, err := s.Head.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	for name, damaged := range map[string]string{
		"no JSON":         "x",
		"cut":             text[:len(text)-1],
		"another format":  strings.Replace(text, `"format":1`, `"format":2`, 1),
		"a member twice":  strings.Replace(text, `"format":1`, `"format":1,"format":1`, 1),
		"another member":  strings.Replace(text, `"format":1`, `"format":1,"more":1`, 1),
		"another root":    strings.Replace(text, `"root":"`, `"root":"AAAA`, 1),
		"a negative size": strings.Replace(text, `"size":1`, `"size":-1`, 1),
		"not integrated":  strings.Replace(text, `"size":1`, `"size":0`, 1),
		"a larger tree":   strings.Replace(text, `\n1\n`, `\n2\n`, 1),
		"too large":       strings.Repeat(" ", tlog.MaxHead) + text,
	} {
		if damaged == text {
			t.Fatalf("%s: nothing was changed in %s", name, text)
		}
		h := tlog.NewMemHead()
		if err := h.Swap(ctx, nil, []byte(damaged)); err != nil {
			t.Fatal(err)
		}
		if l, err := tlog.Open(ctx, tlog.Storage{Files: s.Files, Head: h}, logSigner(origin), nil); err == nil {
			t.Errorf("%s: opened at size %v", name, l)
		}
	}
}

// TestDamagedWitness: a witness whose memory is damaged co-signs nothing.
func TestDamagedWitness(t *testing.T) {
	text := body(origin, 1, tlog.LeafHash([]byte(entry(0))))
	checkpoint := []byte(text + "\n" + logLine(origin, text))
	for name, memory := range map[string]string{
		"nothing of a checkpoint": "x",
		"no signature":            text,
		"an empty block":          text + "\n",
		"of the log alone":        string(checkpoint),
		"of another witness":      string(checkpoint) + witnessLine("w2", text),
		"of another text":         string(checkpoint) + witnessLine("w1", body(origin, 1, tlog.Hash{})),
	} {
		h := tlog.NewMemHead()
		if err := h.Swap(ctx, nil, []byte(memory)); err != nil {
			t.Fatal(err)
		}
		w, err := tlog.NewWitness(witnessSigner("w1"), &tlog.WitnessOptions{Logs: trusting(origin).Logs, Head: func(string) (tlog.Head, error) { return h, nil }})
		if err != nil {
			t.Fatal(err)
		}
		if line, err := w.AddCheckpoint(ctx, 1, nil, checkpoint); !errors.Is(err, tlog.ErrUnavailable) {
			t.Errorf("%s: %q, %v", name, line, err)
		}
		reported := 0
		if status, _, _ := post(t, tlog.NewWitnessHandler(w, func(error) { reported++ }), "old 1\n\n"+string(checkpoint)); status != 503 || reported != 1 {
			t.Errorf("%s: %d, reported %d times", name, status, reported)
		}
	}
}
