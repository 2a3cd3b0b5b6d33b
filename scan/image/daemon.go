package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

const defaultDockerHost = "unix:///var/run/docker.sock"

// OpenDocker opens an image that the Docker daemon holds, by name or id, over
// its socket. The daemon's export is put in a temporary file without a name,
// which is gone when the image is closed. Options.Platform is passed on to the
// daemon. A nil opt means the defaults.
func OpenDocker(ctx context.Context, ref string, opt *Options) (*scan.Image, error) {
	return openDocker(ctx, ref, ref, opt)
}

func openDocker(ctx context.Context, wrote, ref string, opt *Options) (*scan.Image, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	name, err := daemonName(ref)
	if err != nil {
		return nil, err
	}
	socket, err := dockerSocket(set.DockerHost)
	if err != nil {
		return nil, err
	}
	body, err := exportImage(ctx, socket, name, set)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	f, err := spoolArchive(ctx, body, "the Docker daemon's export of "+quoteReference(ref), &set.limits)
	if err != nil {
		return nil, err
	}
	return archiveImage(ctx, f, wrote, "", set)
}

// daemonName checks a name or id before it becomes part of a URL.
func daemonName(ref string) (string, error) {
	if hex := strings.TrimPrefix(ref, "sha256:"); len(hex) >= 12 && len(hex) <= sha256Hex && strings.Trim(hex, "0123456789abcdef") == "" {
		return ref, nil
	}
	if _, err := ParseReference(ref); err != nil {
		return "", err
	}
	return ref, nil
}

// dockerSocket is the path of the daemon's socket.
func dockerSocket(host string) (string, error) {
	if host == "" {
		host = os.Getenv("DOCKER_HOST")
	}
	if host == "" {
		host = defaultDockerHost
	}
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok || !strings.HasPrefix(path, "/") {
		scheme, _, _ := strings.Cut(host, ":")
		return "", fmt.Errorf("docker daemon at %q: only unix:// sockets are spoken to; use docker save and docker-archive: %w", clip(scheme)+":…", fault.Unsupported)
	}
	return path, nil
}

// exportImage asks for GET /images/NAME/get (Docker Engine API).
func exportImage(ctx context.Context, socket, name string, set *settings) (io.ReadCloser, error) {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
		ResponseHeaderTimeout:  5 * time.Minute, // large images take a while to be put together
		MaxResponseHeaderBytes: maxSmall,
		DisableCompression:     true,
		DisableKeepAlives:      true,
	}
	u := url.URL{Scheme: "http", Host: "docker", Path: "/images/" + name + "/get"}
	if set.explicit {
		p, err := json.Marshal(jsonPlatform(set.platform))
		if err != nil {
			return nil, err
		}
		u.RawQuery = url.Values{"platform": {string(p)}}.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("docker daemon: image %s: %w", quoteReference(name), fault.Invalid)
	}
	req.Header.Set("User-Agent", set.UserAgent)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, daemonError(socket, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode}
	return nil, fmt.Errorf("docker daemon at %s: image %s: %w", socket, quoteReference(name), a)
}

func daemonError(socket string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("docker daemon: there is no socket %s; is the daemon running?: %w", socket, fault.Unavailable)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("docker daemon at %s: permission denied: %w", socket, fault.Forbidden)
	}
	return fmt.Errorf("docker daemon at %s: %w", socket, wireError(err))
}
