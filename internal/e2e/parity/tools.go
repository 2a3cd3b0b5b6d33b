package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
	"github.com/stella-ops/stella/scan/sbom"
)

// tool finds packages.
type tool struct {
	name string
	find func(ctx context.Context, s subject) (set, error)
}

// ours scans with the SDK and every analyzer. Packages without a package URL count under
// their type.
func ours(ctx context.Context, s subject) (set, error) {
	open := func() (*scan.Image, error) { return image.OpenDir(ctx, s.path, nil) }
	if s.image {
		open = func() (*scan.Image, error) { return image.OpenDockerArchive(ctx, s.path, "", nil) }
	}
	img, err := open()
	if err != nil {
		return nil, err
	}
	defer img.Close()
	r, err := (&scan.Scanner{Analyzers: all.Set()}).Scan(ctx, img)
	if err != nil {
		return nil, err
	}
	out := set{}
	for _, p := range r.Document.Packages {
		if i, ok := fromPURL(p.PURL.String()); ok {
			out[i] = true
		} else if p.Type != sbom.TypeFile {
			out[id{"no package URL", p.Name, p.Version}] = true
		}
	}
	return out, nil
}

// theirs returns the peers that are in a folder. All of them write their lists to standard
// output and keep what they must in work.
func theirs(dir, work string) []tool {
	env := append(os.Environ(), "SYFT_CHECK_FOR_APP_UPDATE=false", "TRIVY_CACHE_DIR="+filepath.Join(work, "trivy"), "TRIVY_SKIP_VERSION_CHECK=true",
		"TRIVY_OFFLINE_SCAN=true", "TRIVY_SKIP_JAVA_DB_UPDATE=true", "TRIVY_DISABLE_TELEMETRY=true", "HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9")
	peer := func(name string, args func(s subject) []string, read func([]byte) (set, error)) (t tool, ok bool) {
		program := filepath.Join(dir, name)
		if _, err := os.Stat(program); err != nil {
			return t, false
		}
		return tool{name, func(ctx context.Context, s subject) (set, error) {
			var out, diag bytes.Buffer
			c := exec.CommandContext(ctx, program, args(s)...)
			c.Env, c.Stdout, c.Stderr = env, &out, &diag
			err := c.Run()
			found, bad := read(out.Bytes())
			if bad != nil { // exit codes of osv-scanner tell findings and missing data too
				return nil, fmt.Errorf("%w (%v: %.300s)", bad, err, diag.Bytes())
			}
			return found, nil
		}}, true
	}
	var out []tool
	if t, ok := peer("syft", func(s subject) []string {
		return []string{"scan", "-q", "-o", "cyclonedx-json", prefix(s, "docker-archive:", "dir:") + s.path}
	}, readCycloneDX); ok {
		out = append(out, t)
	}
	if t, ok := peer("trivy", func(s subject) []string {
		if s.image {
			return []string{"image", "-q", "--format", "cyclonedx", "--input", s.path}
		}
		return []string{"fs", "-q", "--format", "cyclonedx", s.path}
	}, readCycloneDX); ok {
		out = append(out, t)
	}
	if t, ok := peer("osv-scanner", func(s subject) []string {
		if s.image {
			return []string{"scan", "image", "--offline", "--all-packages", "--format", "json", "--archive", s.path}
		}
		return []string{"scan", "source", "--offline", "--no-resolve", "--all-packages", "--no-ignore", "--format", "json", "-r", s.path}
	}, readOSV); ok {
		out = append(out, t)
	}
	return out
}

func prefix(s subject, image, dir string) string {
	if s.image {
		return image
	}
	return dir
}

// readCycloneDX returns the components of a document, nested ones included.
func readCycloneDX(data []byte) (set, error) {
	type component struct {
		Type, Name, Version, PURL string
		Components                []component
	}
	var doc struct{ Components []component }
	if err := json.Unmarshal(data, &doc, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, err
	}
	out := set{}
	var walk func(list []component)
	walk = func(list []component) {
		for _, c := range list {
			if p, ok := fromPURL(c.PURL); ok {
				out[p] = true
			} else if c.Type == "library" {
				out[id{"no package URL", c.Name, c.Version}] = true
			}
			walk(c.Components)
		}
	}
	walk(doc.Components)
	return out, nil
}

// readOSV returns the packages of osv-scanner's own format.
func readOSV(data []byte) (set, error) {
	var doc struct {
		Results []struct {
			Packages []struct {
				Package struct{ Name, Version, Ecosystem string }
			}
		}
	}
	if err := json.Unmarshal(data, &doc, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, err
	}
	out := set{}
	for _, r := range doc.Results {
		for _, p := range r.Packages {
			out[fromOSV(p.Package.Name, p.Package.Version, p.Package.Ecosystem)] = true
		}
	}
	return out, nil
}

// unpack writes the regular files of a tar.gz below dir.
func unpack(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := write(root, filepath.Clean(h.Name), r); err != nil {
			return err
		}
	}
}

func write(root *os.Root, name string, r io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
