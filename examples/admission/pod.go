package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// review is an AdmissionReview of admission.k8s.io/v1: what is read and written of it.
type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitzero"`
	Response   *response `json:"response,omitzero"`
}

type request struct {
	UID         string         `json:"uid"`
	Kind        kind           `json:"kind"`
	SubResource string         `json:"subResource"`
	Namespace   string         `json:"namespace"`
	Operation   string         `json:"operation"`
	Object      jsontext.Value `json:"object"`
	OldObject   jsontext.Value `json:"oldObject"`
}

type kind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

type response struct {
	UID         string            `json:"uid"`
	Allowed     bool              `json:"allowed"`
	Status      *status           `json:"status,omitzero"`
	Annotations map[string]string `json:"auditAnnotations,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// pod has every place where a pod names an image.
type pod struct {
	Spec struct {
		InitContainers      []container `json:"initContainers"`
		Containers          []container `json:"containers"`
		EphemeralContainers []container `json:"ephemeralContainers"` // of "kubectl debug"
		Volumes             []struct {
			Name  string `json:"name"`
			Image *struct {
				Reference string `json:"reference"`
			} `json:"image"` // an image that is mounted
		} `json:"volumes"`
	} `json:"spec"`
}

type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

// images lists the images of a pod, sorted and each once.
func images(object jsontext.Value) ([]string, error) {
	var p pod
	// A member that is there twice is an error: the API server may go by the other one.
	if err := json.Unmarshal(object, &p); err != nil {
		return nil, fmt.Errorf("the pod cannot be read: %w", err)
	}
	var out []string
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers, p.Spec.EphemeralContainers) {
		if c.Image == "" {
			return nil, fmt.Errorf("the container %.80q has no image", c.Name)
		}
		out = append(out, c.Image)
	}
	for _, v := range p.Spec.Volumes {
		if v.Image != nil && v.Image.Reference == "" {
			return nil, fmt.Errorf("the volume %.80q is of an image and names none", v.Name)
		}
		if v.Image != nil {
			out = append(out, v.Image.Reference)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the pod has no images")
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// news lists the images of a request that are to be judged: on an update those that the pod
// did not have before. What runs is not stopped by taking a label off it, and a pod that is
// being deleted is not held.
func (r *request) news() ([]string, error) {
	if r.Kind != (kind{Version: "v1", Kind: "Pod"}) {
		return nil, fmt.Errorf("this webhook judges pods, and this is %.80q of %.80q", r.Kind.Kind, r.Kind.Group+"/"+r.Kind.Version)
	}
	switch r.Operation {
	case "DELETE":
		return nil, nil // nothing starts
	case "CREATE", "UPDATE":
	default:
		return nil, fmt.Errorf("this webhook judges pods that are created or updated, and this is %.80q", r.Operation)
	}
	now, err := images(r.Object)
	if err != nil || r.Operation == "CREATE" {
		return now, err
	}
	before, err := images(r.OldObject)
	if err != nil {
		return nil, fmt.Errorf("what it was: %w", err)
	}
	return slices.DeleteFunc(now, func(image string) bool { return slices.Contains(before, image) }), nil
}
