// Package vexsource knows the sources of VEX by the names that operators give them.
package vexsource

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/attestation"
	"github.com/stella-ops/stella/vex/csafprovider"
	"github.com/stella-ops/stella/vex/repository"
)

// Named returns a source: vexhub, rancher, redhat, suse, repository:URL, csaf:URL or
// image:REF. namespace is the publisher's in a CSAF provider, "" for the one that it
// names; registry says how images are reached. The error wraps Invalid.
func Named(name, namespace string, registry *image.Options) (vex.Source, error) {
	kind, address, _ := strings.Cut(name, ":")
	switch {
	case name == "vexhub":
		return repository.VEXHub(), nil
	case name == "rancher":
		return repository.Rancher(), nil
	case name == "redhat":
		return csafprovider.RedHat(), nil
	case name == "suse":
		return csafprovider.SUSE(), nil
	case kind == "repository" && address != "":
		return repository.New(repository.Config{Name: key(address), Manifest: address})
	case kind == "csaf" && address != "":
		return csafprovider.New(csafprovider.Config{Name: key(address), Metadata: address, Namespace: namespace})
	case kind == "image" && address != "":
		return attestation.New(attestation.Config{Images: []string{address}, Registry: registry}), nil
	}
	return nil, fmt.Errorf("VEX source %q: want vexhub, rancher, redhat, suse, repository:URL, csaf:URL or image:REF: %w", name, fault.Invalid)
}

// key makes the name of a source of an address: its host and path, in letters, digits and
// hyphens.
func key(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	out := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(rest))
	for strings.Contains(out, "--") {
		out = strings.ReplaceAll(out, "--", "-")
	}
	return strings.Trim(out[:min(len(out), 60)], "-")
}
