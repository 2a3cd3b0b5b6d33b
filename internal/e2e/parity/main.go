// Command parity compares what this scanner and others find: in images, in the
// lockfiles and in the package databases of the shared data. It prints, for
// each subject and ecosystem, how many packages each tool has, and those that
// a peer has and we do not, and the other way round; docs/parity.md says who
// is right.
//
//	go run ./internal/e2e/parity -peers DIR [-images DIR] [-data DIR] [-each N]
//
// Peers are the programs syft, trivy and osv-scanner in one folder; those that
// are not there are left out. They run without network and without advisories.
// Images are docker-archives (*.tar); data is the folder with lockfiles and pkgdb.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	peers := flag.String("peers", "", "folder of the programs to compare with")
	images := flag.String("images", "", "folder of docker-archives")
	data := flag.String("data", os.Getenv("STELLA_TESTDATA"), "folder of the shared data")
	only := flag.String("only", "", "subjects whose name has this in it")
	each := flag.Int("each", 20, "differences of one kind that are listed by name")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *peers, *images, *data, *only, *each); err != nil {
		fmt.Fprintln(os.Stderr, "parity:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, peers, images, data, only string, each int) error {
	work, err := os.MkdirTemp("", "parity")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	list, err := subjects(images, data, work)
	if err != nil {
		return err
	}
	if err := emptyJavaIndex(ctx, filepath.Join(work, "trivy")); err != nil {
		return err
	}
	tools := append([]tool{{name: "stella", find: ours}}, theirs(peers, work)...)
	for _, s := range list {
		if !strings.Contains(s.name, only) {
			continue
		}
		found := make([]set, len(tools))
		for i, t := range tools {
			if found[i], err = t.find(ctx, s); err != nil {
				fmt.Fprintf(w, "%s: %s: %v\n", s.name, t.name, err)
			}
		}
		report(w, s.name, tools, found, each)
	}
	return ctx.Err()
}

// subject is one thing to look into: an archive or a folder.
type subject struct {
	name, path string
	image      bool
}

// subjects lists the images, and unpacks the data into work: a folder for each pack of
// lockfiles, and one for each root file system of a package database.
func subjects(images, data, work string) ([]subject, error) {
	var out []subject
	archives, err := filepath.Glob(filepath.Join(images, "*.tar"))
	if err != nil {
		return nil, err
	}
	if images != "" {
		for _, a := range archives {
			out = append(out, subject{strings.TrimSuffix(filepath.Base(a), ".tar"), a, true})
		}
	}
	if data == "" {
		return out, nil
	}
	for _, kind := range []string{"lockfiles", "pkgdb"} {
		packs, err := filepath.Glob(filepath.Join(data, kind, "*.tar.gz"))
		if err != nil {
			return nil, err
		}
		for _, p := range packs {
			name := strings.TrimSuffix(filepath.Base(p), ".tar.gz")
			dir := filepath.Join(work, kind, name)
			if err := unpack(p, dir); err != nil {
				return nil, fmt.Errorf("unpack %s: %w", p, err)
			}
			roots, err := rootsIn(dir)
			if err != nil {
				return nil, err
			}
			if len(roots) == 0 || kind == "lockfiles" {
				roots = []string{dir}
			}
			for _, r := range roots {
				rel, err := filepath.Rel(filepath.Dir(dir), r)
				if err != nil {
					return nil, err
				}
				out = append(out, subject{kind + "/" + rel, r, false})
			}
		}
	}
	return out, nil
}

// rootsIn returns the folders of root file systems, sorted: those with an etc/os-release or a
// package database in its place.
func rootsIn(dir string) ([]string, error) {
	marks := []string{"/etc/os-release", "/usr/lib/os-release", "/lib/apk/db/installed", "/var/lib/dpkg/status", "/var/lib/rpm/Packages", "/var/lib/rpm/rpmdb.sqlite"}
	var out []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, m := range marks {
			if root, ok := strings.CutSuffix(filepath.ToSlash(p), m); ok {
				out = append(out, filepath.FromSlash(root))
			}
		}
		return nil
	})
	slices.Sort(out)
	return slices.Compact(out), err
}
