package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/scan"
)

const (
	maxBody = 1 << 20
	maxPush = 500 // images of one webhook
	timeout = 25 * time.Second
)

// Scans takes submissions. A scanhttp.Client is one, and so is a store.
type Scans interface {
	Submit(ctx context.Context, r scan.Request, key string) (*scan.Job, bool, error)
}

// Handler takes the webhooks of one registry. Scans, Registry and Secret are required. It
// is safe for concurrent use.
type Handler struct {
	Scans    Scans
	Registry string // its host, as workers reach it
	// Secret is what the registry sends as the header Authorization, whole: "Bearer …".
	Secret string
	// Report is told of what is not for the registry. Nil means nobody.
	Report func(error)
}

// accepted is the answer: the scans, in the order of the webhook.
type accepted struct {
	Scans []submitted `json:"scans"`
}

type submitted struct {
	Image string `json:"image"`
	Job   string `json:"job_id"`
	Again bool   `json:"again"` // it was submitted before
}

// ServeHTTP answers 202 when all images of a webhook are submitted, or none was pushed, and
// 503 when the service is away: then it is to be sent again. Others are final.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "want POST", http.StatusMethodNotAllowed)
		return
	}
	if !h.known(r.Header.Get("Authorization")) {
		http.Error(w, "who is it?", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "it did not come whole", http.StatusBadRequest)
		return
	}
	images, err := read(body, h.Registry)
	if err == nil && len(images) > maxPush {
		err = fmt.Errorf("%d images, and at most %d are taken at once", len(images), maxPush)
	}
	if err != nil {
		h.report(fmt.Errorf("a webhook that is none: %w", err))
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	out, code, err := h.submit(ctx, images)
	if err != nil {
		h.report(err)
		http.Error(w, http.StatusText(code), code) // what the service said is not the registry's
		return
	}
	text, err := json.Marshal(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	w.Write(text) // registries do not read it
}

// known compares what is sent with the secret, in a time that says nothing about either.
func (h *Handler) known(sent string) bool {
	a, b := sha256.Sum256([]byte(sent)), sha256.Sum256([]byte(h.Secret))
	return h.Secret != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// submit asks for a scan of each image. What was submitted before an error stays so, and is
// found again by its key.
func (h *Handler) submit(ctx context.Context, images []string) (*accepted, int, error) {
	out := &accepted{Scans: []submitted{}}
	for _, image := range images {
		sum := sha256.Sum256([]byte(image))
		// Nothing in the request may differ between two pushes of one image: the same key
		// with another request is a conflict.
		request := scan.Request{Image: "docker://" + image, Labels: map[string]string{"from": "registry"}}
		job, again, err := h.Scans.Submit(ctx, request, "push-"+hex.EncodeToString(sum[:]))
		switch {
		case errors.Is(err, scan.ErrInvalid), errors.Is(err, scan.ErrUnsupported), errors.Is(err, scan.ErrConflict):
			return nil, http.StatusUnprocessableEntity, fmt.Errorf("submit %s: %w", image, err)
		case err != nil: // away, or over a quota: later it may do
			return nil, http.StatusServiceUnavailable, fmt.Errorf("submit %s: %w", image, err)
		}
		out.Scans = append(out.Scans, submitted{Image: image, Job: job.ID, Again: again})
	}
	return out, 0, nil
}

func (h *Handler) report(err error) {
	if h.Report != nil {
		h.Report(err)
	}
}
