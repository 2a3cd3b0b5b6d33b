package image_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

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
