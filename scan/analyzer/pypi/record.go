package pypi

import (
	"path"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/held"
)

// readRecord reads the RECORD of a dist-info folder, which lists the files of the package
// relative to the folder that it is installed in
// (https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
func readRecord(file string, data []byte) ([]analyzer.Fact, error) {
	var set held.Set
	for line := range strings.Lines(text(data)) {
		set.Below(folderOf(file), firstField(strings.TrimRight(line, "\r\n")))
	}
	return holding(file, &set)
}

// firstField is the first field of a line of comma-separated values.
func firstField(line string) string {
	if !strings.HasPrefix(line, `"`) {
		field, _, _ := strings.Cut(line, ",")
		return field
	}
	var b strings.Builder
	for rest := line[1:]; ; {
		part, more, closed := strings.Cut(rest, `"`)
		b.WriteString(part)
		if !closed || !strings.HasPrefix(more, `"`) {
			return b.String()
		}
		b.WriteByte('"')
		rest = more[1:]
	}
}

// readInstalledFiles reads the installed-files.txt of an egg-info folder, which lists the
// files relative to that folder.
func readInstalledFiles(file string, data []byte) ([]analyzer.Fact, error) {
	var set held.Set
	folder, info := folderOf(file), path.Base(about(file))
	for line := range strings.Lines(text(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '/' {
			line = path.Join(info, line)
		}
		set.Below(folder, line)
	}
	return holding(file, &set)
}

// readTopLevel reads the top_level.txt that setuptools writes: modules of the package that
// lie in no other (https://setuptools.pypa.io/en/latest/deprecated/python_eggs.html). It is
// all that distributions of Linux leave. The names of compiled ones have endings of their own,
// of which the plain ones are taken.
func readTopLevel(file string, data []byte) ([]analyzer.Fact, error) {
	var set held.Set
	for line := range strings.Lines(text(data)) {
		name := strings.TrimSpace(line)
		if strings.Trim(name, ".") == "" || strings.ContainsAny(name, `/\`) {
			continue
		}
		at := folderOf(file) + "/" + name
		set.Add(at + "/")
		for _, end := range []string{".py", ".so", ".abi3.so"} {
			set.Add(at + end)
		}
	}
	set.Add(about(file) + "/")
	return holding(file, &set)
}

// holding makes a part of what was collected, for Join to give to the package.
func holding(file string, set *held.Set) ([]analyzer.Fact, error) {
	list, err := set.List(nil)
	if len(list) == 0 {
		return nil, err
	}
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: partHolds, Key: about(file), Holds: list}}, err
}
