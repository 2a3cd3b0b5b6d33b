package hostile

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/imagetest"
)

// obj is a JSON object written by hand.
type obj = map[string]any

const (
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// part is a layer: its tar, and how it is stored.
type part struct {
	diffID string
	stored []byte
	media  string
}

// kit is an image while it is made, and what of it a case spoils.
type kit struct {
	parts    []part
	config   func(obj)           // changes the config
	configB  func([]byte) []byte // replaces its bytes
	manifest func(obj)
	manifB   func([]byte) []byte
	index    func(k *kit, manifest obj) []byte // a document above the manifest
	topType  string                            // what the top document is named or served as
	top      func(descriptor obj)              // changes its descriptor in a layout
	files    func(map[string][]byte)           // changes the files of the layout or archive
	archive  func([]byte) []byte               // changes the bytes of the archive file
	dir      func(root string) error           // changes the folder of a layout

	blobs   map[string][]byte
	types   map[string]string // media types of documents, by digest
	topDesc obj
	configD []byte
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// put stores a blob and describes it.
func (k *kit) put(media string, b []byte) obj {
	d := imagetest.Digest(b)
	k.blobs[d], k.types[d] = b, media
	return obj{"mediaType": media, "digest": d, "size": len(b)}
}

// build makes the blobs.
func (k *kit) build() {
	k.blobs, k.types = map[string][]byte{}, map[string]string{}
	var ids, layers []any
	history := []any{obj{"created_by": "ENV a", "empty_layer": true}}
	for i, p := range k.parts {
		ids = append(ids, p.diffID)
		history = append(history, obj{"created_by": fmt.Sprint("COPY ", i)})
		layers = append(layers, k.put(p.media, p.stored))
	}
	config := obj{
		"created": imagetest.Created, "os": "linux", "architecture": "amd64", "config": obj{},
		"rootfs": obj{"type": "layers", "diff_ids": ids}, "history": history,
	}
	if k.config != nil {
		k.config(config)
	}
	k.configD = marshal(config)
	if k.configB != nil {
		k.configD = k.configB(k.configD)
	}
	m := obj{"schemaVersion": 2, "mediaType": typeManifest, "config": k.put(typeConfig, k.configD), "layers": layers}
	if k.manifest != nil {
		k.manifest(m)
	}
	b := marshal(m)
	if k.manifB != nil {
		b = k.manifB(b)
	}
	k.topDesc = k.put(typeManifest, b)
	if k.index != nil {
		k.topDesc = k.put(typeIndex, k.index(k, k.topDesc))
	}
	if k.topType != "" {
		k.topDesc["mediaType"] = k.topType
		k.types[k.topDesc["digest"].(string)] = k.topType
	}
}

func blobName(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }

func (k *kit) layoutFiles() map[string][]byte {
	d := maps.Clone(k.topDesc)
	if k.top != nil {
		k.top(d)
	}
	out := map[string][]byte{
		"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`),
		"index.json": marshal(obj{"schemaVersion": 2, "mediaType": typeIndex, "manifests": []any{d}}),
	}
	for digest, b := range k.blobs {
		out[blobName(digest)] = b
	}
	if k.files != nil {
		k.files(out)
	}
	return out
}

func (k *kit) savedFiles() map[string][]byte {
	out := map[string][]byte{}
	names := []string{}
	for i, p := range k.parts {
		name := fmt.Sprintf("layer%d/layer.tar", i)
		names, out[name] = append(names, name), p.stored
	}
	config := strings.TrimPrefix(imagetest.Digest(k.configD), "sha256:") + ".json"
	out[config] = k.configD
	out["manifest.json"] = marshal([]any{obj{"Config": config, "RepoTags": []string{"app:latest"}, "Layers": names}})
	if k.files != nil {
		k.files(out)
	}
	return out
}

// bothFiles are a layout with a manifest.json beside its index.
func (k *kit) bothFiles() map[string][]byte {
	out := k.layoutFiles()
	names := []string{}
	for _, p := range k.parts {
		names = append(names, blobName(imagetest.Digest(p.stored)))
	}
	out["manifest.json"] = marshal([]any{obj{"Config": blobName(imagetest.Digest(k.configD)), "RepoTags": []string{"app:latest"}, "Layers": names}})
	return out
}

// where is a kind of place that images are kept in.
type where string

const (
	atArchive   where = "docker-archive"
	atSaved     where = "docker-archive of a layout" // as docker save writes it since 25
	atLayout    where = "oci"
	atLayoutTar where = "oci-archive"
	atRegistry  where = "registry" // go-containerregistry's
	atShelf     where = "shelf"    // a registry that checks nothing
)

var everywhere = []where{atArchive, atLayout, atLayoutTar, atRegistry}
var asDocuments = []where{atLayout, atLayoutTar, atShelf, atSaved} // sources with a manifest

// kind is what the user calls such a place.
func (w where) kind() string {
	switch w {
	case atArchive, atSaved:
		return "docker-archive"
	case atLayout, atLayoutTar:
		return "OCI layout"
	}
	return "registry"
}

// place stores the image and returns its reference.
func (k *kit) place(at where, dir string) (ref string, free func(), err error) {
	k.build()
	free = func() {}
	switch at {
	case atArchive, atLayoutTar, atSaved:
		files := map[where]func() map[string][]byte{atArchive: k.savedFiles, atLayoutTar: k.layoutFiles, atSaved: k.bothFiles}[at]
		scheme := "docker-archive"
		if at == atLayoutTar {
			scheme = "oci-archive"
		}
		b := tarOf(files())
		if k.archive != nil {
			b = k.archive(b)
		}
		name := filepath.Join(dir, "image.tar")
		return scheme + ":" + name, free, os.WriteFile(name, b, 0o600)
	case atLayout:
		root := filepath.Join(dir, "layout")
		for name, b := range k.layoutFiles() {
			p := filepath.Join(root, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				return "", free, err
			}
			if err := os.WriteFile(p, b, 0o600); err != nil {
				return "", free, err
			}
		}
		if k.dir != nil {
			err = k.dir(root)
		}
		return "oci:" + root, free, err
	case atRegistry:
		s := serve(registry.New(registry.Logger(quiet)))
		return strings.TrimPrefix(s.URL, "http://") + "/app", s.Close, k.push(s.URL)
	}
	s := serve(k.shelf())
	return strings.TrimPrefix(s.URL, "http://") + "/app", s.Close, nil
}

func serve(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.Start()
	return s
}

// push uploads the image to a real registry.
func (k *kit) push(base string) error {
	send := func(method, url, media string, b []byte) error {
		req, err := http.NewRequest(method, base+"/v2/app/"+url, bytes.NewReader(b))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", media)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusCreated {
			return fmt.Errorf("upload %s: %s: %s", url, resp.Status, text)
		}
		return nil
	}
	for digest, b := range k.blobs {
		if digest == k.topDesc["digest"] {
			continue
		}
		if err := send(http.MethodPost, "blobs/uploads/?digest="+digest, "application/octet-stream", b); err != nil {
			return err
		}
	}
	return send(http.MethodPut, "manifests/latest", k.topDesc["mediaType"].(string), k.blobs[k.topDesc["digest"].(string)])
}

// shelf is a registry that hands out whatever the kit has.
func (k *kit) shelf() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, isManifest := strings.CutPrefix(r.URL.Path, "/v2/app/manifests/")
		digest, isBlob := strings.CutPrefix(r.URL.Path, "/v2/app/blobs/")
		if id == "latest" {
			id = k.topDesc["digest"].(string)
		}
		_, hasManifest := k.types[id]
		_, hasBlob := k.types[digest]
		switch {
		case r.URL.Path == "/v2/":
		case isManifest && hasManifest:
			w.Header().Set("Content-Type", k.types[id])
			w.Write(k.blobs[id])
		case isBlob && hasBlob:
			http.ServeContent(w, r, "", modTime, bytes.NewReader(k.blobs[digest]))
		default:
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"canary"}]}`)
		}
	}
}

// tarOf writes files as an archive in the order of their names.
func tarOf(files map[string][]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		check(w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}))
		_, err := w.Write(files[name])
		check(err)
	}
	check(w.Close())
	return b.Bytes()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// stored makes a layer of what write gives, without holding the tar.
func stored(write func(io.Writer), c imagetest.Compression) part {
	var b bytes.Buffer
	sum := sha256.New()
	media := typeLayer
	if c != imagetest.Plain {
		media += "+" + string(c)
	}
	switch c {
	case imagetest.Gzip:
		z := gzip.NewWriter(&b)
		write(io.MultiWriter(sum, z))
		check(z.Close())
	case imagetest.Zstd:
		z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		check(err)
		write(io.MultiWriter(sum, z))
		check(z.Close())
	default:
		write(io.MultiWriter(sum, &b))
	}
	return part{"sha256:" + hex.EncodeToString(sum.Sum(nil)), b.Bytes(), media}
}

// packed is a layer whose stored bytes a case made itself; tar is what they
// should come to.
func packed(tar, bytes []byte, suffix string) part {
	return part{imagetest.Digest(tar), bytes, typeLayer + suffix}
}
