package tlog_test

import (
	"encoding/base64"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/testdata"
)

// TestMerkleConformance: the probes that another implementation's verifiers pass.
func TestMerkleConformance(t *testing.T) {
	probes := 0
	for name, text := range testdata.Open(t, "conformance/merkle.tar.gz") {
		if !strings.HasSuffix(name, ".json") {
			continue
		}
		probes++
		var err error
		var want bool
		if strings.Contains(name, "/inclusion/") {
			err, want = inclusionProbe(t, text)
		} else {
			err, want = consistencyProbe(t, text)
		}
		if (err != nil) != want {
			t.Errorf("%s: %v, want an error: %v", name, err, want)
		}
		if err != nil && tlog.ReasonOf(err) == "" {
			t.Errorf("%s: no reason: %v", name, err)
		}
	}
	if probes < 90 {
		t.Errorf("%d probes", probes)
	}
	t.Logf("%d probes", probes)
}

func inclusionProbe(t *testing.T, text []byte) (error, bool) {
	var p struct {
		LeafIdx  uint64   `json:"leafIdx"`
		TreeSize uint64   `json:"treeSize"`
		Root     []byte   `json:"root"`
		LeafHash []byte   `json:"leafHash"`
		Proof    [][]byte `json:"proof"`
		WantErr  bool     `json:"wantErr"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	proof, ok := hashes(append(p.Proof, p.Root, p.LeafHash)...)
	if !ok || p.LeafIdx > math.MaxInt64 || p.TreeSize > math.MaxInt64 {
		return &tlog.Error{Reason: tlog.ReasonMalformed}, p.WantErr // what no receipt can say
	}
	n := len(p.Proof)
	return tlog.VerifyInclusion(proof[n+1], int64(p.LeafIdx), int64(p.TreeSize), proof[n], proof[:n]), p.WantErr
}

func consistencyProbe(t *testing.T, text []byte) (error, bool) {
	var p struct {
		Size1   uint64   `json:"size1"`
		Size2   uint64   `json:"size2"`
		Root1   []byte   `json:"root1"`
		Root2   []byte   `json:"root2"`
		Proof   [][]byte `json:"proof"`
		WantErr bool     `json:"wantErr"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	proof, ok := hashes(append(p.Proof, p.Root1, p.Root2)...)
	if !ok || p.Size1 > math.MaxInt64 || p.Size2 > math.MaxInt64 {
		return &tlog.Error{Reason: tlog.ReasonMalformed}, p.WantErr
	}
	n := len(p.Proof)
	return tlog.VerifyConsistency(int64(p.Size1), int64(p.Size2), proof[n], proof[n+1], proof[:n]), p.WantErr
}

// hashes says whether all are hashes.
func hashes(in ...[]byte) ([]tlog.Hash, bool) {
	var out []tlog.Hash
	for _, b := range in {
		h, err := tlog.ParseHash(base64.StdEncoding.EncodeToString(b))
		if err != nil {
			return nil, false
		}
		out = append(out, h)
	}
	return out, true
}

// mth is the tree hash of RFC 6962, section 2.1, word by word.
func mth(leaves []tlog.Hash) tlog.Hash {
	switch len(leaves) {
	case 0:
		return tlog.EmptyRoot()
	case 1:
		return leaves[0]
	}
	k := split(len(leaves))
	return tlog.Hash(merkle.NodeHash(merkle.Hash(mth(leaves[:k])), merkle.Hash(mth(leaves[k:]))))
}

func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

// path is the audit path of RFC 6962, section 2.1.1.
func path(m int, leaves []tlog.Hash) []tlog.Hash {
	if len(leaves) == 1 {
		return nil
	}
	k := split(len(leaves))
	if m < k {
		return append(path(m, leaves[:k]), mth(leaves[k:]))
	}
	return append(path(m-k, leaves[k:]), mth(leaves[:k]))
}

// subproof is SUBPROOF of RFC 6962, section 2.1.2.
func subproof(m int, leaves []tlog.Hash, whole bool) []tlog.Hash {
	if m == len(leaves) {
		if whole {
			return nil
		}
		return []tlog.Hash{mth(leaves)}
	}
	k := split(len(leaves))
	if m <= k {
		return append(subproof(m, leaves[:k], whole), mth(leaves[k:]))
	}
	return append(subproof(m-k, leaves[k:], false), mth(leaves[:k]))
}

// TestRandomTrees: what RFC 6962 proves is accepted, and no mutation of it is.
func TestRandomTrees(t *testing.T) {
	trees := 10_000
	if testing.Short() {
		trees = 1_000
	}
	if os.Getenv("STELLA_LONG") != "" {
		trees = 100_000
	}
	r := rand.New(rand.NewPCG(6962, 9162))
	mutations := 0
	for range trees {
		leaves := make([]tlog.Hash, 1+r.IntN(64))
		for i := range leaves {
			leaves[i] = tlog.LeafHash([]byte{byte(r.Uint32()), byte(i)})
		}
		n, m := len(leaves), 1+r.IntN(len(leaves))
		index := r.IntN(n)
		root, oldRoot := mth(leaves), mth(leaves[:m])
		in, con := path(index, leaves), subproof(m, leaves, true)
		if err := tlog.VerifyInclusion(leaves[index], int64(index), int64(n), root, in); err != nil {
			t.Fatal(err)
		}
		if err := tlog.VerifyConsistency(int64(m), int64(n), oldRoot, root, con); err != nil {
			t.Fatal(err)
		}
		mutations += mutateInclusion(t, r, leaves[index], int64(index), int64(n), root, in)
		mutations += mutateConsistency(t, r, int64(m), int64(n), oldRoot, root, con)
	}
	t.Logf("%d trees, %d mutations refused", trees, mutations)
}

func flip(r *rand.Rand, h tlog.Hash) tlog.Hash {
	h[r.IntN(len(h))] ^= 1 << r.IntN(8)
	return h
}

// mutateProof returns proofs that are not the given one.
func mutateProof(r *rand.Rand, proof []tlog.Hash, more ...tlog.Hash) [][]tlog.Hash {
	var out [][]tlog.Hash
	clone := func() []tlog.Hash { return append([]tlog.Hash(nil), proof...) }
	for i := range proof {
		p := clone()
		p[i] = flip(r, p[i])
		out = append(out, p, append(clone()[:i], proof[i+1:]...))
		if j := r.IntN(len(proof)); proof[i] != proof[j] {
			p = clone()
			p[i], p[j] = p[j], p[i]
			out = append(out, p)
		}
	}
	for _, h := range more {
		out = append(out, append(clone(), h), append([]tlog.Hash{h}, proof...))
	}
	return out
}

func mutateInclusion(t *testing.T, r *rand.Rand, leaf tlog.Hash, index, size int64, root tlog.Hash, proof []tlog.Hash) (n int) {
	refused := func(err error) {
		n++
		if err == nil {
			t.Errorf("index %d of %d: a mutation is accepted", index, size)
		} else if tlog.ReasonOf(err) == "" {
			t.Errorf("no reason: %v", err)
		}
	}
	for _, p := range mutateProof(r, proof, leaf, root, tlog.Hash{}) {
		refused(tlog.VerifyInclusion(leaf, index, size, root, p))
	}
	refused(tlog.VerifyInclusion(flip(r, leaf), index, size, root, proof))
	refused(tlog.VerifyInclusion(leaf, index, size, flip(r, root), proof))
	for _, i := range []int64{-1, index - 1, index + 1, index ^ 2, size, math.MaxInt64, math.MinInt64} {
		if i != index {
			refused(tlog.VerifyInclusion(leaf, i, size, root, proof))
		}
	}
	for _, s := range []int64{0, -1, index, tlog.MaxSize + 1, math.MaxInt64} {
		refused(tlog.VerifyInclusion(leaf, index, s, root, proof))
	}
	return n
}

func mutateConsistency(t *testing.T, r *rand.Rand, old, size int64, oldRoot, root tlog.Hash, proof []tlog.Hash) (n int) {
	refused := func(err error) {
		n++
		if err == nil {
			t.Errorf("from %d to %d: a mutation is accepted", old, size)
		} else if tlog.ReasonOf(err) == "" {
			t.Errorf("no reason: %v", err)
		}
	}
	for _, p := range mutateProof(r, proof, oldRoot, root, tlog.Hash{}) {
		refused(tlog.VerifyConsistency(old, size, oldRoot, root, p))
	}
	refused(tlog.VerifyConsistency(old, size, flip(r, oldRoot), root, proof))
	refused(tlog.VerifyConsistency(old, size, oldRoot, flip(r, root), proof))
	for _, s := range []int64{-1, old - 1, old + 1, size + 1, math.MaxInt64, math.MinInt64} {
		if s != old && !(s == 0 && len(proof) == 0) {
			refused(tlog.VerifyConsistency(s, size, oldRoot, root, proof))
		}
	}
	for _, s := range []int64{-1, old - 1, tlog.MaxSize + 1, math.MaxInt64} {
		refused(tlog.VerifyConsistency(old, s, oldRoot, root, proof))
	}
	return n
}
