package pypi

import (
	"testing"

	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

// checkFile holds what must be true of any content of a file.
func checkFile(t *testing.T, path string, data []byte) {
	t.Helper()
	analyzertest.CheckNamed(t, Analyzer{}, path, data, sourceProperty, validName)
}

func fuzzFile(f *testing.F, path string) {
	analyzertest.Seed(f, path)
	f.Fuzz(func(t *testing.T, data []byte) { checkFile(t, path, data) })
}

func FuzzMetadata(f *testing.F)     { fuzzFile(f, "site-packages/a-1.0.dist-info/METADATA") }
func FuzzRecord(f *testing.F)       { fuzzFile(f, "usr/lib/site-packages/a-1.0.dist-info/RECORD") }
func FuzzFiles(f *testing.F)        { fuzzFile(f, "lib/site-packages/a.egg-info/installed-files.txt") }
func FuzzTopLevel(f *testing.F)     { fuzzFile(f, "lib/site-packages/a.egg-info/top_level.txt") }
func FuzzRequires(f *testing.F)     { fuzzFile(f, "site-packages/a.egg-info/requires.txt") }
func FuzzRequirements(f *testing.F) { fuzzFile(f, "app/requirements.txt") }
func FuzzPoetry(f *testing.F)       { fuzzFile(f, "app/poetry.lock") }
func FuzzPipfile(f *testing.F)      { fuzzFile(f, "app/Pipfile.lock") }
func FuzzUV(f *testing.F)           { fuzzFile(f, "app/uv.lock") }
func FuzzPDM(f *testing.F)          { fuzzFile(f, "app/pdm.lock") }
func FuzzSetup(f *testing.F)        { fuzzFile(f, "app/setup.py") }
func FuzzPylock(f *testing.F)       { fuzzFile(f, "app/pylock.toml") }
