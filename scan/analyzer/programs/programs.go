// Package programs lists the executables, shared objects and scripts of an image, as
// evidence: what a scan cannot name by a package it names by its digest. Which of them no
// package accounts for is found out when the layers are put together; these become elements
// of type "file" (see sbom.TypeFile). The others are known for what they load and start, by
// which package usage follows an image's entrypoint.
//
// ELF, PE, Mach-O and WebAssembly files are told by their first bytes, whatever they are
// called and whether or not they may be executed: a loader runs them all the same. Scripts
// are files that begin with "#!" and may be executed, and shell scripts without that
// permission. Object files and kernel modules are no programs.
//
// A file among the system's own programs, or in a folder, is not hashed here, since a package
// mostly accounts for it; it is read once more if none does.
package programs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
)

// Name is the name of the analyzer.
const Name = "programs"

// Analyzer finds programs. The zero value is ready to use.
type Analyzer struct{}

// Info names the analyzer "programs".
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: Name, Version: 1} }

// Paths wants everything that begins like a program.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Forward: true, Magic: []string{
		"\x7fELF", "#!", "MZ", "\x00asm",
		"\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xfe\xed\xfa\xce",
		"\xca\xfe\xba\xbe\x00\x00\x00\x01", "\xca\xfe\xba\xbe\x00\x00\x00\x02",
		"\xca\xfe\xba\xbe\x00\x00\x00\x03", "\xca\xfe\xba\xbe\x00\x00\x00\x04",
	}}
}

// Extract returns one fact of the kind "program", or none where f is no program after all. A
// program that is damaged is one whose Unknown says so. Errors are those of reading f.
func (Analyzer) Extract(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	p, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	if p == nil {
		return nil, ctx.Err()
	}
	p.Size, p.Mode = f.Size, mode(f)
	return []analyzer.Fact{{Kind: analyzer.KindProgram, Program: p}}, nil
}

// read gives the file to the reader of its format: by parts where it is at hand, and as it
// streams by where it is large.
func read(f *analyzer.File) (*analyzer.Program, error) {
	at, err := f.ReaderAt()
	switch {
	case errors.Is(err, analyzer.ErrForward):
		return readForward(f)
	case err != nil:
		return nil, err
	}
	src := &source{at: at, size: f.Size, head: f.Scratch(headBytes)}
	p := parse(src, f)
	if src.err != nil {
		return nil, src.err
	}
	if p == nil || !hashed(f, p) {
		return p, nil
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(h, io.NewSectionReader(at, 0, f.Size), f.Scratch(copyBytes)); err != nil {
		return nil, err
	}
	p.SHA256 = hexOf(h)
	return p, nil
}

// parse tells the formats apart. It returns nil for what is no program.
func parse(src *source, f *analyzer.File) *analyzer.Program {
	head := src.first()
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return readELF(src, head)
	case bytes.HasPrefix(head, []byte("#!")):
		return readScript(src, f)
	case bytes.HasPrefix(head, []byte("MZ")):
		return readPE(src, head)
	case bytes.HasPrefix(head, []byte("\x00asm")):
		return &analyzer.Program{Kind: analyzer.Executable, Format: "wasm"}
	}
	return readMachO(head)
}

// smallScript is the size to which scripts are hashed wherever they are.
const smallScript = 64 << 10

func hashed(f *analyzer.File, p *analyzer.Program) bool {
	if f.Lasting {
		return false
	}
	return !system(f.Path) || p.Kind == analyzer.Script && f.Size <= smallScript
}

// system reports whether path is a place where only package managers put programs.
func system(path string) bool {
	top, rest, _ := strings.Cut(path, "/")
	switch top {
	case "bin", "sbin", "lib", "lib32", "lib64", "libx32", "boot":
		return true
	case "usr":
		top, _, _ = strings.Cut(rest, "/")
		switch top {
		case "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "games", "share", "include", "src":
			return true
		}
	}
	return false
}

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// mode returns the permission bits as a tar header has them.
func mode(f *analyzer.File) uint32 {
	m := uint32(f.Mode.Perm())
	if f.Mode&setuid != 0 {
		m |= 0o4000
	}
	if f.Mode&setgid != 0 {
		m |= 0o2000
	}
	return m
}
