package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"mvdan.cc/sh/v3/syntax"
)

// TestWorkflows reads the files for CI systems: they are YAML, what they run are commands
// of a shell, and the steps that people rely on are there. Whether each command line of
// stella has flags that exist is a test beside the command.
func TestWorkflows(t *testing.T) {
	for name, steps := range map[string]func(*testing.T, []byte) []string{"github-actions.yml": githubSteps, "gitlab-ci.yml": gitlabSteps} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			scripts := steps(t, text)
			for _, script := range scripts {
				if _, err := syntax.NewParser().Parse(strings.NewReader(script), name); err != nil {
					t.Errorf("%v: %s", err, script)
				}
			}
			last := -1
			for _, want := range []string{
				"sha256sum -c", // the program is what it must be, before it runs
				"stella policy test policy.yaml policy_tests.yaml",
				"stella db update",
				"stella scan",
				"stella attest",
			} {
				i := slices.IndexFunc(scripts, func(s string) bool { return strings.Contains(s, want) })
				if i < 0 || i < last {
					t.Errorf("%q is step %d, after step %d", want, i, last)
				}
				last = i
			}
			i := slices.IndexFunc(scripts, func(s string) bool { return strings.Contains(s, "stella scan") })
			for _, want := range []string{"--policy policy.yaml", "cyclonedx-json=sbom.cdx.json", "sarif=scan.sarif", "--save verdict"} {
				if i >= 0 && !strings.Contains(scripts[i], want) {
					t.Errorf("the scan lacks %q: %s", want, scripts[i])
				}
			}
		})
	}
}

// githubSteps returns the scripts of a workflow of GitHub Actions, in their order.
func githubSteps(t *testing.T, text []byte) (out []string) {
	var w struct {
		On          map[string]any    `yaml:"on"`
		Permissions map[string]string `yaml:"permissions"`
		Jobs        map[string]struct {
			RunsOn string `yaml:"runs-on"`
			Steps  []struct {
				Name, Uses, Run string
				If              string
				With            map[string]any
			}
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	if len(w.On) == 0 || w.Permissions["contents"] != "read" || w.Permissions["security-events"] != "write" {
		t.Errorf("it runs on %v with the permissions %v", w.On, w.Permissions)
	}
	for _, s := range w.Jobs["scan"].Steps {
		switch {
		case s.Run != "":
			out = append(out, s.Run)
		case s.Uses == "":
			t.Errorf("step %q does nothing", s.Name)
		}
	}
	return out
}

// gitlabSteps returns the scripts of GitLab CI, by stage; before_script comes first.
func gitlabSteps(t *testing.T, text []byte) (out []string) {
	type job struct {
		Extends, Stage string
		Script         []string
		BeforeScript   []string `yaml:"before_script"`
	}
	var stages struct{ Stages []string }
	var all map[string]yaml.Node
	if err := yaml.Unmarshal(text, &stages); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	byStage := map[string][]string{}
	for name, node := range all {
		if name == "stages" || name == "variables" {
			continue
		}
		var j job
		if err := node.Decode(&j); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, ok := all[j.Extends]; j.Extends != "" && !ok {
			t.Errorf("%s extends %s, which is not there", name, j.Extends)
		}
		if j.Stage != "" && !slices.Contains(stages.Stages, j.Stage) {
			t.Errorf("%s is in stage %s, which is not there", name, j.Stage)
		}
		out = append(out, j.BeforeScript...)
		byStage[j.Stage] = append(byStage[j.Stage], j.Script...)
	}
	for _, stage := range stages.Stages {
		out = append(out, byStage[stage]...)
	}
	return out
}
