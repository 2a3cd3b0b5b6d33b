package rekorclient_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/stella-ops/stella/attest/key"
	"github.com/stella-ops/stella/attest/rekor/rekorclient"
	"github.com/stella-ops/stella/attest/tlog"
)

// A log that has an entry already does not give its proof again: it is made of the log's
// tiles, and only if the entry is where the log says.
func TestLogHasIt(t *testing.T) {
	private, err := key.Generate(key.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tlog.NewLogSigner("rekor.example", private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	storage := tlog.NewMem()
	log, err := tlog.Open(t.Context(), storage, signer, &tlog.Options{MaxDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, payload := range []string{"first", "second", "third"} {
		body, err := signed(t, payload).Body()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := log.Submit(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	index := 1
	l := newLog(t)
	l.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Log-Index", strconv.Itoa(index))
		w.WriteHeader(http.StatusConflict)
		json.NewEncoder(w).Encode(proto{"code": 6, "message": "duplicate", "details": []any{}})
	}
	policy := &tlog.Policy{Logs: []tlog.LogKey{{Key: signer.Key()}}}
	again := &rekorclient.Log{Client: &rekorclient.Client{URL: l.URL, Transport: http.DefaultTransport}, Reader: tlog.NewReader(storage.Source(), policy)}
	record := signed(t, "second")
	e, err := again.Enter(t.Context(), record)
	if err != nil {
		t.Fatal(err)
	}
	if err := record.CheckEntry(e); err != nil {
		t.Error(err)
	}
	receipt := &tlog.Receipt{Index: e.Proof.LogIndex, Checkpoint: []byte(e.Proof.Checkpoint)}
	for _, h := range e.Proof.Hashes {
		receipt.Proof = append(receipt.Proof, h)
	}
	if checked, err := policy.Verify(e.Body, receipt); err != nil || checked.Index != 1 {
		t.Errorf("%+v, %v", checked, err)
	}
	for index = range []int{0, 1, 2, 3} {
		if index == 1 {
			continue
		}
		if e, err := again.Enter(t.Context(), record); e != nil || err == nil {
			t.Errorf("it is not at %d: %v", index, e)
		}
	}
	again.Reader = nil
	if _, err := again.Enter(t.Context(), record); !errors.Is(err, rekorclient.ErrConflict) {
		t.Error(err)
	}
}
