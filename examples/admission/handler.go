package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto/verdict"
	"github.com/stella-ops/stella/scan/image"
)

const (
	maxReview  = 8 << 20         // bytes; the API server takes objects of 3 MiB at most, and sends two
	maxImages  = 64              // of one pod
	maxTimeout = 8 * time.Second // below webhook.yaml's, so that a refusal says why
)

// Handler answers AdmissionReviews. All fields are required but Timeout. It is safe for
// concurrent use if Bundles is.
type Handler struct {
	Verifier    attest.Verifier
	Requirement attest.Requirement
	Bundles     Source
	Now         func() time.Time
	Timeout     time.Duration // of one review; 0 is 8 s
}

// ServeHTTP answers with a review, or with a status for what is none: then the API server
// goes by failurePolicy, which is Fail.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, code, err := readReview(w, r)
	if err != nil {
		http.Error(w, err.Error(), code)
		return
	}
	out := &response{UID: in.UID}
	if seen, err := h.judge(r.Context(), in); err != nil {
		out.Status = &status{Code: http.StatusForbidden, Reason: "Forbidden", Message: err.Error()}
	} else {
		out.Allowed, out.Annotations = true, map[string]string{"verdicts": strings.Join(seen, "; ")}
	}
	body, err := json.Marshal(review{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview", Response: out}, json.Deterministic(true))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body) // who does not read it takes it for a failure
}

func readReview(w http.ResponseWriter, r *http.Request) (*request, int, error) {
	if r.Method != http.MethodPost {
		return nil, http.StatusMethodNotAllowed, errors.New("want POST")
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, http.StatusUnsupportedMediaType, errors.New("want application/json")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("a review has at most %d bytes", large.Limit)
	case err != nil:
		return nil, http.StatusBadRequest, errors.New("the review did not come whole")
	}
	var in review
	switch err := json.Unmarshal(text, &in); {
	case err != nil:
		return nil, http.StatusBadRequest, fmt.Errorf("the review cannot be read: %w", err)
	case in.APIVersion != "admission.k8s.io/v1" || in.Kind != "AdmissionReview":
		return nil, http.StatusBadRequest, fmt.Errorf("want AdmissionReview of admission.k8s.io/v1, not %.80q of %.80q", in.Kind, in.APIVersion)
	case in.Request == nil || in.Request.UID == "":
		return nil, http.StatusBadRequest, errors.New("the review has no request with a uid")
	}
	return in.Request, 0, nil
}

// judge returns nil where the pod may be admitted, with what was decided about each image.
// Nothing that goes wrong in it, or takes too long, is a reason to admit.
func (h *Handler) judge(ctx context.Context, r *request) (seen []string, err error) {
	timeout := h.Timeout
	if timeout <= 0 {
		timeout = maxTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	list, err := r.news()
	if err != nil {
		return nil, err
	}
	if len(list) > maxImages {
		return nil, fmt.Errorf("the pod has %d images, of which at most %d are judged", len(list), maxImages)
	}
	type answer struct {
		image, seen string
		err         error
	}
	answers := make(chan answer, len(list))
	for _, name := range list {
		go func() {
			a := answer{image: name, err: errors.New("the check failed")}
			defer func() {
				if recover() != nil {
					a.seen, a.err = "", errors.New("the check failed")
				}
				answers <- a
			}()
			a.seen, a.err = h.check(ctx, name)
		}()
	}
	said := map[string]answer{}
	for range list {
		select {
		case a := <-answers:
			said[a.image] = a
		case <-ctx.Done(): // also where a source does not heed it
			return nil, fmt.Errorf("not all of %d images could be checked in time", len(list))
		}
	}
	for _, name := range list {
		a := said[name]
		if a.err != nil {
			err = errors.Join(err, fmt.Errorf("image %.300q: %w", name, a.err))
		}
		seen = append(seen, a.seen)
	}
	return seen, err
}

// check returns nil where an image may be used, with the verdict that says so.
func (h *Handler) check(ctx context.Context, name string) (string, error) {
	ref, err := image.ParseReference(name)
	switch {
	case err != nil:
		return "", err
	case ref.Digest == "":
		return "", errors.New("it is named by a tag: name it by its digest, NAME@sha256:…")
	}
	found, err := h.Bundles(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("its bundles cannot be read: %w", err)
	}
	if len(found.Bundles) == 0 {
		return "", errors.New("nobody has signed anything about it")
	}
	want := &attest.Expectation{At: h.Now(), Subjects: []string{found.Subject}}
	met, err := h.Verifier.Meet(ctx, found.Bundles, []attest.Requirement{h.Requirement}, want)
	if err != nil {
		return "", err
	}
	if met[0].Err != nil {
		return "", met[0].Err
	}
	v, err := verdict.Read(met[0].Statement)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %s by policy %s version %d as of %s", found.Subject, v.Outcome, v.Policy.ID, v.Policy.Version, v.At.Format(time.RFC3339)), nil
}
