package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// sourceFlags say how images are opened.
type sourceFlags struct {
	platform  string
	plainHTTP bool
	offline   bool
	caFiles   []string
}

func (f *sourceFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.platform, "platform", "", "what to take from an image index, as os/architecture[/variant] (default: this machine's)")
	f.registerNetwork(fs)
}

// registerNetwork registers how registries are asked, where no image is chosen.
func (f *sourceFlags) registerNetwork(fs *pflag.FlagSet) {
	fs.BoolVar(&f.plainHTTP, "plain-http", false, "speak to the registry without encryption (loopback always may)")
	fs.BoolVar(&f.offline, "offline", false, "refuse every network connection")
	fs.StringArrayVar(&f.caFiles, "ca-file", nil, "trust the certificates of this PEM file too")
}

func (f *sourceFlags) open(ctx context.Context, ref string) (*scan.Image, error) {
	return image.Open(ctx, ref, f.options())
}

// options say how registries are asked.
func (f *sourceFlags) options() *image.Options {
	network := &image.Network{CAFiles: f.caFiles}
	if f.offline {
		network.Policy = image.NetworkAirGap
	}
	return &image.Options{Platform: f.platform, PlainHTTP: f.plainHTTP, Network: network, UserAgent: "stella/" + buildVersion().Version}
}

// inRegistry returns the reference of an image that is in a registry, without how it
// is reached.
func inRegistry(ref string) (string, bool) {
	for _, scheme := range []string{"docker://", "registry:"} {
		if rest, ok := strings.CutPrefix(ref, scheme); ok {
			return rest, true
		}
	}
	for _, scheme := range []string{"docker-daemon:", "docker-archive:", "oci-archive:", "oci:", "dir:", "sbom:"} {
		if strings.HasPrefix(ref, scheme) {
			return "", false
		}
	}
	return ref, true
}

// readSBOM reads a document from a file, or from standard input for "-".
func (p *program) readSBOM(file string) (*sbom.Document, string, error) {
	var r io.Reader = p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, "", fmt.Errorf("open SBOM: %w", err)
		}
		defer f.Close()
		r = f
	}
	d, name, err := format.Decode(p.work.reader(r))
	if err != nil {
		return nil, name, fmt.Errorf("%s: %w", file, err)
	}
	return d, name, nil
}

// cacheDir returns a folder below the user's cache folder, or "" when there is
// none.
func (p *program) cacheDir(name string) string {
	if base := p.env("XDG_CACHE_HOME"); base != "" {
		return filepath.Join(base, "stella", name)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(base, "stella", name)
}
