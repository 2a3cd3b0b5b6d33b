package image_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/image"
)

// archive writes a small docker-archive and returns its path.
func archive(dir string) string {
	layer := imagetest.Tar(imagetest.File{Name: "etc/os-release", Data: "ID=alpine\n"})
	config := fmt.Sprintf(`{"os":"linux","architecture":"arm64","created":"2024-05-06T07:08:09.5+02:00",
		"rootfs":{"type":"layers","diff_ids":[%q]},"history":[{"created_by":"COPY os-release /etc/"}]}`, imagetest.Digest(layer))
	file := filepath.Join(dir, "app.tar")
	err := os.WriteFile(file, imagetest.Tar(
		imagetest.File{Name: "manifest.json", Data: `[{"Config":"config.json","RepoTags":["app:1"],"Layers":["layer.tar"]}]`},
		imagetest.File{Name: "config.json", Data: config},
		imagetest.File{Name: "layer.tar", Data: string(layer)},
	), 0o600)
	if err != nil {
		panic(err)
	}
	return file
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	m, err := image.Open(context.Background(), "docker-archive:"+archive(dir)+":app:1", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	fmt.Println(m.Subject.Platform, m.Created, m.Source.Tags)
	for _, l := range m.Layers {
		fmt.Println(l.DiffID[:19], l.CreatedBy)
	}
	// Output:
	// linux/arm64 2024-05-06T05:08:09Z [app:1]
	// sha256:0eac2e016e7e COPY os-release /etc/
}

func ExampleParseReference() {
	r, err := image.ParseReference("alpine:3.20")
	fmt.Println(r, err)
	_, err = image.ParseReference("user:password@registry.example/app")
	fmt.Println(errors.Is(err, image.ErrInvalid), err)
	// Output:
	// index.docker.io/library/alpine:3.20 <nil>
	// true image reference "…@registry.example/app": what follows '@' is not a digest; user information is not part of a reference: invalid input
}

// A service lets images of strangers come from public registries and from the
// ones that its operator lists, and from nowhere inside.
func ExampleNetwork() {
	network := &image.Network{Policy: image.NetworkService, Allow: []string{"registry.corp.example:5000"}}
	transport, err := network.Transport()
	if err != nil {
		fmt.Println(err)
		return
	}
	req, _ := http.NewRequest(http.MethodGet, "http://127.0.0.1:2375/containers/json", nil)
	_, err = transport.RoundTrip(req)
	fmt.Println(err)
	_, err = image.Open(context.Background(), "169.254.169.254/app", &image.Options{Network: network})
	fmt.Println(errors.Is(err, image.ErrForbidden))
	// Output:
	// connect to 127.0.0.1:2375: refused by the service network policy: loopback addresses are reached only where they are listed
	// true
}

// Documents are attached to an image in a layout as they are in a registry.
func ExampleAttach() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	layout := "oci:" + filepath.Join(dir, "layout") + ":v1"
	if _, err := image.Push(ctx, layout, image.Artifact{MediaType: "application/x-tar", Content: []byte("what is shipped")}, nil); err != nil {
		fmt.Println(err)
		return
	}
	bundle := image.BundleArtifact([]byte("{}"), "https://openvex.dev/ns/v0.2.0", time.Time{}) // of package attest/bundle
	at, err := image.Attach(ctx, layout, []image.Artifact{bundle}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := image.Attestations(ctx, layout, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range list.Attestations {
		fmt.Println(a.Subject == at.Subject, a.Annotations["dev.sigstore.bundle.predicateType"], string(a.Content))
	}
	// Output:
	// true https://openvex.dev/ns/v0.2.0 {}
}

// An artifact has the same digest wherever it is kept.
func ExamplePush() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	kit := image.Artifact{Type: "application/vnd.example.kit", MediaType: "application/x-tar", Content: []byte("kit")}
	pushed, err := image.Push(ctx, "oci:"+filepath.Join(dir, "layout")+":v1", kit, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pushed.Tag, pushed.Manifest)
	pulled, err := image.Pull(ctx, "oci:"+filepath.Join(dir, "layout")+":@"+pushed.Manifest, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pulled.Close()
	fmt.Println(pulled.Type, pulled.Size, pulled.Save(ctx, filepath.Join(dir, "kit.tar")))
	// Output:
	// v1 sha256:bd0a945371869326f4f171c30628fa706b79ee5d17f941bd59ade8de80d1edc1
	// application/vnd.example.kit 3 <nil>
}

func ExamplePushCollection() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	feed := image.Collection{Type: "application/vnd.example.feed", Version: "7", Documents: []image.Artifact{
		{MediaType: "application/json", Content: []byte(`{"n":1}`)},
		{MediaType: "application/json", Content: []byte(`{"n":2}`)},
	}}
	pushed, err := image.PushCollection(context.Background(), "oci:"+filepath.Join(dir, "feeds"), feed, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	pulled, err := image.PullCollection(context.Background(), "oci:"+filepath.Join(dir, "feeds")+":7", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pulled.Close()
	fmt.Println(pushed.Tag, pulled.Type, len(pulled.Documents), pulled.Manifest == pushed.Manifest)
	// Output: latest application/vnd.example.feed 2 true
}
