package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/tlog"
)

// rekorServer serves a log by the API of Rekor v2: what it enters is what it is asked to.
func (s *site) rekorServer() *httptest.Server {
	s.t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	s.t.Cleanup(server.Close)
	k := s.key("log")
	signer, err := tlog.NewLogSigner(strings.TrimPrefix(server.URL, "http://"), k.Public(), k)
	if err != nil {
		s.t.Fatal(err)
	}
	storage := tlog.NewMem()
	log, err := tlog.Open(s.t.Context(), storage, signer, &tlog.Options{MaxDelay: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { log.Close() })
	mux.Handle("/api/v2/", http.StripPrefix("/api/v2", tlog.NewHandler(storage.Source(), nil)))
	mux.HandleFunc("POST /api/v2/log/entries", func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Record struct {
				Digest    string `json:"digest"`
				Signature any    `json:"signature"`
			} `json:"hashedRekordRequestV002"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body, err := json.Marshal(map[string]any{"apiVersion": rekor.Version, "kind": rekor.Kind, "spec": map[string]any{
			"hashedRekordV002": map[string]any{"data": map[string]any{"algorithm": "SHA2_256", "digest": q.Record.Digest}, "signature": q.Record.Signature},
		}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		receipt, err := log.Submit(r.Context(), body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		tree, err := tlog.ParseTree(receipt.Checkpoint)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		e := &bundle.Entry{
			LogIndex: receipt.Index, LogID: log.Key().FullID(), Kind: rekor.Kind, Version: rekor.Version, Body: body,
			Proof: &bundle.Proof{LogIndex: receipt.Index, TreeSize: tree.Size, RootHash: tree.Root, Checkpoint: string(receipt.Checkpoint)},
		}
		for _, h := range receipt.Proof {
			e.Proof.Hashes = append(e.Proof.Hashes, h)
		}
		text, err := e.Encode()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(text)
	})
	return server
}

// TestRekor: signatures are entered into a Rekor v2 log, and its proofs are verified with
// its key alone.
func TestRekor(t *testing.T) {
	s := proven(t)
	server := s.rekorServer()
	origin := strings.TrimPrefix(server.URL, "http://")
	s.must("attest dir:%root -q --key %a.key --policy %policy.yaml --rekor " + server.URL + " --rekor-key %log.pub -o bundle=%rekor.jsonl")
	s.must("attest trust %rekor.json --key %a.pub --log-key " + origin + "=%log.pub")
	if out := s.must("verify %rekor.jsonl --trust-root %rekor.json --logged --type verdict"); !strings.Contains(out, origin+" entry 4") {
		t.Errorf("the log is not named:\n%s", out)
	}
	s.must("attest log verify " + server.URL + "/api/v2 --trust-root %rekor.json")
	code, _, diag := s.run("attest", "dir:%root", "-q", "--key", "%a.key", "--rekor", server.URL, "--rekor-key", "%b.pub", "-o", "bundle=%out.jsonl")
	if code != exitVerification || !strings.Contains(diag, "stella: log/not signed by the log: ") {
		t.Errorf("a log of another key: exit code %d\n%s", code, diag)
	}
}

// TestWitness: a log's witnesses co-sign before anything is written, and whoever asks for
// them finds them.
func TestWitness(t *testing.T) {
	s := proven(t)
	s.must("attest keygen --no-password --algorithm ed25519 %witness")
	k, l := s.key("witness"), s.key("log")
	signer, err := tlog.NewWitnessSigner("witness.example", k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	logKey, err := tlog.NewLogKey("watched.example", l.Public())
	if err != nil {
		t.Fatal(err)
	}
	w, err := tlog.NewWitness(signer, &tlog.WitnessOptions{Logs: []tlog.LogKey{{Key: logKey}}, Head: func() func(string) (tlog.Head, error) {
		head := tlog.NewMemHead()
		return func(string) (tlog.Head, error) { return head, nil }
	}()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(tlog.NewWitnessHandler(w, nil))
	t.Cleanup(server.Close)
	name := w.Key().String()
	line := "attest dir:%root -q --key %a.key --type spdxjson --log %watched --log-key %log.key --log-origin watched.example -o bundle=%witnessed.jsonl"
	s.must(line, "--witness", name+" "+server.URL)
	s.must("attest trust %witnessed.json --key %a.pub --log-key watched.example=%log.pub --witness-threshold 1 --witness", name)
	if out := s.must("verify %witnessed.jsonl --trust-root %witnessed.json --logged"); !strings.Contains(out, "witnessed by witness.example") {
		t.Errorf("no witness is named:\n%s", out)
	}
	server.Close()
	s.must(strings.Replace(line, "witnessed.jsonl", "alone.jsonl", 1) + " --type cyclonedx")
	if code, _, diag := s.run("verify", "%alone.jsonl", "--trust-root", "%witnessed.json", "--logged"); code != exitVerification || !strings.HasPrefix(diag, "stella: log/witness threshold: ") {
		t.Errorf("without a witness: exit code %d\n%s", code, diag)
	}
	code, _, diag := s.run(append(strings.Fields(strings.Replace(line, "witnessed.jsonl", "away.jsonl", 1)+" --type vulns --patience 2s"), "--witness", name+" "+server.URL)...)
	if code != exitError || !strings.Contains(diag, "nothing is written") {
		t.Errorf("with a witness that is away: exit code %d\n%s", code, diag)
	}
}
