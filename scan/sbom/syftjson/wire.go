package syftjson

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// document is what is read of a document.
type document struct {
	Artifacts     []artifact
	Relationships []relationship
	Source        source
	Distro        distro
	Descriptor    struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	Schema *struct {
		Version string `json:"version"`
	}
	Files bool // whether there are any
}

type artifact struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	Version      string         `json:"version"`
	Type         string         `json:"type"`
	FoundBy      string         `json:"foundBy"`
	Locations    []location     `json:"locations"`
	Licenses     []licence      `json:"licenses"`
	Language     string         `json:"language"`
	CPEs         []cpe          `json:"cpes"`
	PURL         string         `json:"purl"`
	MetadataType string         `json:"metadataType"`
	Metadata     jsontext.Value `json:"metadata"`
}

type location struct {
	Path        string `json:"path"`
	LayerID     string `json:"layerID"`
	AccessPath  string `json:"accessPath"`
	Annotations struct {
		Evidence string `json:"evidence"`
	} `json:"annotations"`
}

type relationship struct {
	Parent string `json:"parent"`
	Child  string `json:"child"`
	Type   string `json:"type"`
}

type source struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Supplier string         `json:"supplier"`
	Type     string         `json:"type"`
	Metadata jsontext.Value `json:"metadata"`
}

// image is the metadata of a source of the type image.
type image struct {
	UserInput      string   `json:"userInput"`
	ImageID        string   `json:"imageID"`
	ManifestDigest string   `json:"manifestDigest"`
	MediaType      string   `json:"mediaType"`
	Tags           []string `json:"tags"`
	Layers         []layer  `json:"layers"`
	Manifest       []byte   `json:"manifest"` // base64 in the document
	Config         []byte   `json:"config"`   // base64 in the document
	Architecture   string   `json:"architecture"`
	Variant        string   `json:"architectureVariant"`
	OS             string   `json:"os"`
}

type layer struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// manifest and config are the parts of an OCI image that matter here (image-spec,
// manifest.md and config.md).
type manifest struct {
	Config layer   `json:"config"`
	Layers []layer `json:"layers"`
}

type config struct {
	Created string `json:"created"`
	RootFS  struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []struct {
		CreatedBy  string `json:"created_by"`
		EmptyLayer bool   `json:"empty_layer"`
	} `json:"history"`
}

type distro struct {
	PrettyName      string `json:"prettyName"`
	Name            string `json:"name"`
	ID              string `json:"id"`
	IDLike          words  `json:"idLike"`
	VersionID       string `json:"versionID"`
	VersionCodename string `json:"versionCodename"`
	BuildID         string `json:"buildID"`
	VariantID       string `json:"variantID"`
	CPEName         string `json:"cpeName"`
}

// words is a list of strings, or one string.
type words []string

// UnmarshalJSONFrom reads both forms.
func (w *words) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		*w = words{""}
		return json.UnmarshalDecode(dec, &(*w)[0])
	}
	return json.UnmarshalDecode(dec, (*[]string)(w))
}

// licence is a licence: an object, or a string in older versions.
type licence struct {
	Value      string   `json:"value"`
	Expression string   `json:"spdxExpression"`
	Type       string   `json:"type"`
	URLs       []string `json:"urls"`
}

// UnmarshalJSONFrom reads both forms.
func (l *licence) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &l.Value)
	}
	type object licence
	return json.UnmarshalDecode(dec, (*object)(l))
}

// cpe is a CPE: an object, or a string in older versions.
type cpe struct {
	Value string `json:"cpe"`
}

// UnmarshalJSONFrom reads both forms.
func (c *cpe) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &c.Value)
	}
	type object cpe
	return json.UnmarshalDecode(dec, (*object)(c))
}
