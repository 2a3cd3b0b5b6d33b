package tlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	// maxRequest is the most bytes of a request to a witness.
	maxRequest = MaxCheckpoint + (MaxProof+2)*64
	sizeType   = "text/x.tlog.size"
)

// NewWitnessHandler serves a witness by the API of tlog-witness: "POST
// /add-checkpoint" and "GET /<SHA-256 of an origin>/checkpoint". report is told of
// errors that are not the client's; nil means nobody. It may be called from several
// goroutines.
func NewWitnessHandler(w *Witness, report func(error)) http.Handler {
	if report == nil {
		report = func(error) {}
	}
	h := &witnessHandler{w: w, report: report}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", h.add)
	mux.HandleFunc("GET /{origin}/checkpoint", h.show)
	return mux
}

type witnessHandler struct {
	w      *Witness
	report func(error)
}

func (h *witnessHandler) add(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "the body cannot be read, or is too large", http.StatusBadRequest)
		return
	}
	old, proof, checkpoint, err := parseRequest(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	lines, err := h.w.AddCheckpoint(r.Context(), old, proof, checkpoint)
	if err != nil {
		h.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(lines) // the client is gone where this fails
}

// refuse answers with the status that tlog-witness has for an error.
func (h *witnessHandler) refuse(w http.ResponseWriter, err error) {
	var stale *StaleError
	if errors.As(err, &stale) {
		w.Header().Set("Content-Type", sizeType)
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%d\n", stale.Size)
		return
	}
	status := 0
	switch ReasonOf(err) {
	case ReasonUnknownLog:
		status = http.StatusNotFound
	case ReasonUnsigned, ReasonSignature, ReasonOrigin:
		status = http.StatusForbidden
	case ReasonProof, ReasonRoot, ReasonSplitView, ReasonRollback, ReasonIndex:
		status = http.StatusUnprocessableEntity
	case ReasonMalformed:
		status = http.StatusBadRequest
	}
	if errors.Is(err, fault.Limit) {
		status = http.StatusBadRequest
	}
	if status == 0 {
		h.report(err)
		http.Error(w, "the witness is not available", http.StatusServiceUnavailable)
		return
	}
	http.Error(w, err.Error(), status)
}

func (h *witnessHandler) show(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	for _, l := range h.w.logs.Logs {
		sum := sha256.Sum256([]byte(l.origin()))
		if hex.EncodeToString(sum[:]) != r.PathValue("origin") {
			continue
		}
		text, err := h.w.Checkpoint(r.Context(), l.origin())
		if errors.Is(err, fault.NotFound) {
			break
		}
		if err != nil {
			h.refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(text)
		return
	}
	http.Error(w, "not found", http.StatusNotFound)
}

// formatRequest is the body of a request to add a checkpoint.
func formatRequest(old int64, proof []Hash, checkpoint []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range proof {
		b.WriteString(h.String() + "\n")
	}
	b.WriteString("\n")
	b.Write(checkpoint)
	return b.Bytes()
}

// parseRequest reads what formatRequest returned.
func parseRequest(body []byte) (old int64, proof []Hash, checkpoint []byte, err error) {
	bad := func(format string, args ...any) (int64, []Hash, []byte, error) {
		return 0, nil, nil, &Error{Reason: ReasonMalformed, What: "request", Detail: fmt.Sprintf(format, args...)}
	}
	head, checkpoint, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return bad("no empty line before a checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	number, ok := strings.CutPrefix(lines[0], "old ")
	if old, err = parseNumber(number); !ok || err != nil {
		return bad("%.40q where the old size should be", lines[0])
	}
	if len(lines)-1 > MaxProof {
		return bad("%d hashes of a proof, the most are %d", len(lines)-1, MaxProof)
	}
	for _, line := range lines[1:] {
		h, err := ParseHash(line)
		if err != nil {
			return bad("%.60q where a hash should be", line)
		}
		proof = append(proof, h)
	}
	return old, proof, checkpoint, nil
}

// NewHTTPWitness returns the witness that serves tlog-witness below a URL and signs
// with a key.
func NewHTTPWitness(rawURL string, k *Key, opt *HTTPOptions) (Cosigner, error) {
	if k == nil || k.kind != TypeCosignature {
		return nil, fmt.Errorf("witness: a key that co-signs is needed: %w", fault.Invalid)
	}
	c, err := newClient(rawURL, opt)
	if err != nil {
		return nil, err
	}
	return &httpWitness{c, k}, nil
}

type httpWitness struct {
	c   *client
	key *Key
}

func (w *httpWitness) Key() *Key { return w.key }

func (w *httpWitness) AddCheckpoint(ctx context.Context, old int64, proof []Hash, checkpoint []byte) ([]byte, error) {
	a, err := w.c.send(ctx, http.MethodPost, "add-checkpoint", formatRequest(old, proof, checkpoint), MaxCheckpoint)
	if err != nil {
		return nil, err
	}
	switch {
	case a.status == http.StatusOK:
		return a.body, nil
	case a.status == http.StatusConflict && a.contentType == sizeType:
		size, err := parseNumber(strings.TrimSuffix(string(a.body), "\n"))
		if err != nil || size > MaxSize {
			return nil, &Error{Reason: ReasonMalformed, What: "answer of a witness", Detail: "size " + strconv.Quote(string(a.body[:min(len(a.body), 40)]))}
		}
		return nil, &StaleError{Size: size}
	}
	return nil, a.refusal("add checkpoint of size " + sizeOf(checkpoint))
}

// sizeOf names a checkpoint in errors.
func sizeOf(checkpoint []byte) string {
	t, err := ParseTree(checkpoint)
	if err != nil {
		return "unknown"
	}
	return strconv.FormatInt(t.Size, 10)
}
