package tlog_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
)

// FuzzReceipt: what is read has one spelling, and only the right receipt is accepted.
func FuzzReceipt(f *testing.F) {
	_, r, _ := good()
	text, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	r.Extra = []byte("extra")
	withExtra, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(withExtra)
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\nx\n1\n"))
	p := trusting(origin)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := tlog.DecodeReceipt(b)
		if err != nil {
			return
		}
		again, err := got.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("two spellings: %q and %q, %v", b, again, err)
		}
		if _, err := p.Verify([]byte(entry(1)), got); err == nil && (got.Index != r.Index || !bytes.HasPrefix(got.Checkpoint, r.Checkpoint[:bytes.LastIndex(r.Checkpoint, []byte("\n\n"))])) {
			t.Fatalf("accepted:\n%s", b)
		}
	})
}

// FuzzCheckpoint: nothing is accepted but what the log signed.
func FuzzCheckpoint(f *testing.F) {
	_, r, text := good()
	f.Add(r.Checkpoint)
	f.Add([]byte(text + "\n" + witnessLine("w1", text) + logLine(origin, text)))
	f.Add([]byte(body(origin, 0, tlog.EmptyRoot())))
	p := trusting(origin)
	p.Witnesses = witnesses("w1")
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := tlog.ParseTree(b)
		if err == nil && (tree.Size < 0 || tree.Size > tlog.MaxSize || tree.Origin == "" || strings.Contains(tree.Origin, "\n")) {
			t.Fatalf("%+v", tree)
		}
		c, err := p.Open(b)
		if err == nil && !strings.HasPrefix(string(c.Text), text) {
			t.Fatalf("accepted:\n%s", b)
		}
	})
}

// FuzzProof: of all proofs only the right one is accepted.
func FuzzProof(f *testing.F) {
	leaves, _, _ := good()
	root, old := mth(leaves), mth(leaves[:2])
	add := func(index, size, oldSize int64, proof []tlog.Hash) {
		var b []byte
		for _, h := range proof {
			b = append(b, h[:]...)
		}
		f.Add(index, size, oldSize, b)
	}
	add(1, 3, 2, path(1, leaves))
	add(1, 3, 2, subproof(2, leaves, true))
	add(1<<62, 1<<62+1, 1<<61, nil)
	f.Fuzz(func(t *testing.T, index, size, oldSize int64, b []byte) {
		var proof []tlog.Hash
		for ; len(b) >= 32; b = b[32:] {
			proof = append(proof, tlog.Hash(b))
		}
		if err := tlog.VerifyInclusion(leaves[1], index, size, root, proof); err == nil && (index != 1 || len(proof) != 2) {
			t.Fatalf("index %d of %d with %d hashes", index, size, len(proof))
		}
		if err := tlog.VerifyConsistency(oldSize, size, old, root, proof); err == nil && len(proof) != 1 {
			t.Fatalf("from %d to %d with %d hashes", oldSize, size, len(proof))
		}
	})
}

// FuzzWitness: no request makes a witness fail, or co-sign another tree.
func FuzzWitness(f *testing.F) {
	text := body(origin, 1, tlog.LeafHash([]byte(entry(0))))
	f.Add([]byte("old 0\n\n" + text + "\n" + logLine(origin, text)))
	f.Add([]byte("old 1\n" + tlog.Hash{}.String() + "\n\n" + text + "\n" + logLine(origin, text)))
	w := newWitness(f, "w1")
	h := tlog.NewWitnessHandler(w, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(b)))
		switch rec.Code {
		case 200:
			if rec.Body.String() != witnessLine("w1", text) {
				t.Fatalf("co-signed: %q", rec.Body)
			}
		case 400, 403, 404, 409, 422:
		default:
			t.Fatalf("%d for %q", rec.Code, b)
		}
	})
}

// FuzzFiles: no content of tiles makes a reader fail in another way than by name.
func FuzzFiles(f *testing.F) {
	_, r, _ := good()
	f.Add([]byte("\x00\x03one\x00\x03two"), make([]byte, 96))
	f.Fuzz(func(t *testing.T, bundle, tile []byte) {
		s := files{"checkpoint": r.Checkpoint, "tile/0/000.p/3": tile, "tile/entries/000.p/3": bundle}
		reader := tlog.NewReader(s, trusting(origin))
		c, err := reader.Checkpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Entries(ctx, c.Tree, 0); err == nil && string(bundle[2:9]) != entry(0) {
			t.Fatalf("accepted: %q", bundle)
		} else if err != nil && tlog.ReasonOf(err) == "" {
			t.Fatalf("no reason: %v", err)
		}
	})
}
