// Package scan tells what is in a container image.
//
// Image sources are in package image, ecosystems in package analyzer, the
// resulting model and its formats in package sbom. This package puts them
// together: a [Scanner] reads each layer once, keeps what it said as a fragment,
// and composes the fragments into one document.
package scan

import (
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Image is a container image, or a directory, ready to be scanned. Either
// Layers or Tree is set.
type Image struct {
	// Subject is what is known before any layer is read: kind, config digest,
	// platform, diffIDs with their history lines.
	Subject sbom.Subject
	// Created is the image's own creation time, RFC 3339 UTC with seconds, or "".
	Created string
	// Source says where the image was read from.
	Source *sbom.Source
	// Layers are in order, base first.
	Layers []layer.Blob
	// Tree is set for a directory.
	Tree *layer.Tree
	// Start is what a container of the image runs.
	Start Start
	// Gaps are what the source could not give, such as foreign layers.
	Gaps []sbom.Gap
	// Release frees what the source holds open; nil means nothing. The image
	// must not be used after it.
	Release func() error
}

// Start is what a container runs unless it is told otherwise (OCI image-spec,
// config.md). It is for finding out what is used, and in no document: environments
// hold secrets.
type Start struct {
	Entrypoint []string
	Cmd        []string // arguments of Entrypoint, or all there is
	Env        []string // "NAME=value"
	WorkingDir string
	// Unknown says why it is not known; empty with all others empty means that the
	// image starts nothing by itself.
	Unknown string
}

// Close releases what the image's source holds open.
func (m *Image) Close() error {
	if m.Release == nil {
		return nil
	}
	return m.Release()
}
