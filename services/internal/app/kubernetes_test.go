package app

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/services/internal/system"
)

// object is what of a manifest these tests look at.
type object struct {
	file     string
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name   string            `yaml:"name"`
		Labels map[string]string `yaml:"labels"`
	} `yaml:"metadata"`
	Spec struct {
		Replicas int `yaml:"replicas"`
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
			Component   string            `yaml:"app.kubernetes.io/component"` // of a Service
		} `yaml:"selector"`
		Template struct {
			Metadata struct {
				Labels map[string]string `yaml:"labels"`
			} `yaml:"metadata"`
			Spec pod `yaml:"spec"`
		} `yaml:"template"`
		Ports []struct {
			Name       string `yaml:"name"`
			Port       int    `yaml:"port"`
			TargetPort string `yaml:"targetPort"`
		} `yaml:"ports"`
	} `yaml:"spec"`
}

type pod struct {
	Token           *bool       `yaml:"automountServiceAccountToken"`
	ServiceLinks    *bool       `yaml:"enableServiceLinks"`
	HostNetwork     bool        `yaml:"hostNetwork"`
	HostPID         bool        `yaml:"hostPID"`
	Grace           int         `yaml:"terminationGracePeriodSeconds"`
	SecurityContext podSecurity `yaml:"securityContext"`
	Containers      []container `yaml:"containers"`
	InitContainers  []container `yaml:"initContainers"`
	Volumes         []volume    `yaml:"volumes"`
}

type podSecurity struct {
	NonRoot bool `yaml:"runAsNonRoot"`
	User    int  `yaml:"runAsUser"`
	Group   int  `yaml:"runAsGroup"`
	FSGroup int  `yaml:"fsGroup"`
	Seccomp struct {
		Type string `yaml:"type"`
	} `yaml:"seccompProfile"`
}

type container struct {
	Image string   `yaml:"image"`
	Args  []string `yaml:"args"`
	Env   []struct {
		Name      string `yaml:"name"`
		Value     string `yaml:"value"`
		ValueFrom any    `yaml:"valueFrom"`
	} `yaml:"env"`
	Ports []struct {
		Name string `yaml:"name"`
		Port int    `yaml:"containerPort"`
	} `yaml:"ports"`
	Liveness  probe `yaml:"livenessProbe"`
	Readiness probe `yaml:"readinessProbe"`
	Resources struct {
		Requests map[string]string `yaml:"requests"`
		Limits   map[string]string `yaml:"limits"`
	} `yaml:"resources"`
	Security struct {
		Escalation   *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
		Privileged   bool  `yaml:"privileged"`
		Capabilities struct {
			Drop []string `yaml:"drop"`
			Add  []string `yaml:"add"`
		} `yaml:"capabilities"`
	} `yaml:"securityContext"`
	Mounts []struct {
		Name     string `yaml:"name"`
		Path     string `yaml:"mountPath"`
		ReadOnly bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTP struct {
		Path string `yaml:"path"`
		Port string `yaml:"port"`
	} `yaml:"httpGet"`
}

// item is a key of a secret or a map, and the file that it becomes.
type item struct {
	Key  string `yaml:"key"`
	Path string `yaml:"path"`
}

type volume struct {
	Name      string `yaml:"name"`
	ConfigMap struct {
		Name string `yaml:"name"`
	} `yaml:"configMap"`
	Projected struct {
		Mode    os.FileMode `yaml:"defaultMode"`
		Sources []struct {
			Secret struct {
				Name  string `yaml:"name"`
				Items []item `yaml:"items"`
			} `yaml:"secret"`
			ConfigMap struct {
				Name  string `yaml:"name"`
				Items []item `yaml:"items"`
			} `yaml:"configMap"`
		} `yaml:"sources"`
	} `yaml:"projected"`
	EmptyDir *struct{} `yaml:"emptyDir"`
	Claim    struct {
		Name string `yaml:"claimName"`
	} `yaml:"persistentVolumeClaim"`
	HostPath any `yaml:"hostPath"`
}

// kustomization is what of kustomization.yaml these tests look at.
type kustomization struct {
	Resources []string `yaml:"resources"`
	Images    []struct {
		Name    string `yaml:"name"`
		NewName string `yaml:"newName"`
		NewTag  string `yaml:"newTag"`
	} `yaml:"images"`
	Maps []struct {
		Name  string   `yaml:"name"`
		Files []string `yaml:"files"`
	} `yaml:"configMapGenerator"`
}

// manifests reads all objects that the kustomization has.
func manifests(t *testing.T) (k kustomization, out []object) {
	t.Helper()
	parse(t, "kubernetes/kustomization.yaml", &k)
	files, err := filepath.Glob(filepath.Join(deploy, "kubernetes", "*.yaml"))
	if err != nil || len(files) != len(k.Resources)+1 {
		t.Errorf("%d files, and %d of them are in kustomization.yaml: %v", len(files), len(k.Resources), err)
	}
	for _, name := range k.Resources {
		text, err := os.ReadFile(filepath.Join(deploy, "kubernetes", name))
		if err != nil {
			t.Fatal(err)
		}
		for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
			o := object{file: name}
			err := d.Decode(&o)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out = append(out, o)
		}
	}
	return k, out
}

// kubernetes reads the manifests.
func kubernetes(t *testing.T) (out []workload) {
	dir := secrets(t)
	k, list := manifests(t)
	if len(k.Images) != 1 || !pinned.MatchString(k.Images[0].NewName+":"+k.Images[0].NewTag) {
		t.Errorf("images %+v: want one, of a version", k.Images)
	}
	claims := map[string]bool{}
	for _, o := range list {
		claims[o.Metadata.Name] = claims[o.Metadata.Name] || o.Kind == "PersistentVolumeClaim"
	}
	for _, o := range list {
		if o.Kind != "Deployment" && o.Kind != "Job" {
			continue
		}
		p := o.Spec.Template.Spec
		confined(t, &o, &p)
		if len(p.Containers) != 1 || len(p.InitContainers) != 0 {
			t.Fatalf("%s: %d containers", o.file, len(p.Containers))
		}
		c := p.Containers[0]
		w := workload{name: strings.TrimPrefix(o.Metadata.Name, "stella-"), args: c.Args, env: map[string]string{}, files: map[string]string{}, mode: 0o440}
		for _, e := range c.Env {
			if e.ValueFrom == nil {
				w.env[e.Name] = e.Value
			}
		}
		for _, m := range c.Mounts {
			i := slices.IndexFunc(p.Volumes, func(v volume) bool { return v.Name == m.Name })
			if i < 0 {
				t.Fatalf("%s: no volume is called %s", o.file, m.Name)
			}
			v := p.Volumes[i]
			if v.Claim.Name != "" && !claims[v.Claim.Name] {
				t.Errorf("%s: nothing claims %s", o.file, v.Claim.Name)
			}
			if writable := v.EmptyDir != nil || v.Claim.Name != ""; writable {
				w.folders = append(w.folders, m.Path)
			} else if !m.ReadOnly {
				t.Errorf("%s: %s can be written", o.file, m.Path)
			}
			v.fill(t, &w, m.Path, dir, &k)
		}
		out = append(out, w)
	}
	return out
}

// fill notes the files of a volume.
func (v *volume) fill(t *testing.T, w *workload, at, secrets string, k *kustomization) {
	t.Helper()
	if v.HostPath != nil {
		t.Errorf("%s: %s is of the machine", w.name, at)
	}
	for _, m := range k.Maps {
		if m.Name == v.ConfigMap.Name {
			for _, f := range m.Files {
				w.files[at+"/"+filepath.Base(f)] = filepath.Join(deploy, "kubernetes", f)
			}
		}
	}
	for _, s := range v.Projected.Sources {
		if v.Projected.Mode != 0o440 {
			t.Errorf("%s: secrets have mode %o", w.name, v.Projected.Mode)
		}
		for _, i := range s.Secret.Items {
			if s.Secret.Name != "stella-secrets" || i.Key != i.Path {
				t.Errorf("%s: %+v of %s", w.name, i, s.Secret.Name)
			}
			w.files[at+"/"+i.Path] = filepath.Join(secrets, i.Key)
		}
		for _, i := range s.ConfigMap.Items {
			if s.ConfigMap.Name != "stella-trust" || "trust/"+i.Key != i.Path {
				t.Errorf("%s: %+v of %s", w.name, i, s.ConfigMap.Name)
			}
			w.files[at+"/"+i.Path] = filepath.Join(secrets, "trust", i.Key)
		}
	}
}

// confined checks that a pod has no more rights than the restricted profile of Kubernetes
// lets it have, and is asked how it is.
func confined(t *testing.T, o *object, p *pod) {
	t.Helper()
	want := podSecurity{NonRoot: true, User: 65532, Group: 65532, FSGroup: 65532}
	want.Seccomp.Type = "RuntimeDefault"
	if diff := cmp.Diff(want, p.SecurityContext); diff != "" {
		t.Errorf("%s: security of its pod (-want +got):\n%s", o.file, diff)
	}
	if p.Token == nil || *p.Token || p.ServiceLinks == nil || *p.ServiceLinks || p.HostNetwork || p.HostPID {
		t.Errorf("%s: it has a token, names of services, or what is the machine's", o.file)
	}
	for _, c := range p.Containers {
		s := c.Security
		if s.Escalation == nil || *s.Escalation || !s.ReadOnly || s.Privileged || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("%s: its container is not confined: %+v", o.file, s)
		}
		if c.Image != "stella" || c.Resources.Limits["memory"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Requests["cpu"] == "" {
			t.Errorf("%s: image %s, resources %+v", o.file, c.Image, c.Resources)
		}
		if o.Kind != "Deployment" {
			continue
		}
		if p.Grace <= 10 {
			t.Errorf("%s: %d s to stop, and shutdown is 10s", o.file, p.Grace)
		}
		if c.Liveness.HTTP.Path != "/healthz" || c.Readiness.HTTP.Path != "/readyz" || c.Liveness.HTTP.Port != "management" || c.Readiness.HTTP.Port != "management" {
			t.Errorf("%s: probes %+v, %+v", o.file, c.Liveness, c.Readiness)
		}
	}
}

// TestServices: who has an API can be reached under its name, and who runs more than once
// goes on while machines are emptied.
func TestServices(t *testing.T) {
	_, list := manifests(t)
	services, budgets := map[string]int{}, map[string]bool{}
	ports := map[string]map[string]int{}
	for _, o := range list {
		component := o.Spec.Selector.MatchLabels["app.kubernetes.io/component"]
		switch o.Kind {
		case "Service":
			if len(o.Spec.Ports) != 1 || o.Spec.Ports[0].TargetPort != "api" || o.Spec.Selector.Component != o.Metadata.Name {
				t.Errorf("%s: service %s: %+v", o.file, o.Metadata.Name, o.Spec)
				continue
			}
			services[o.Metadata.Name] = o.Spec.Ports[0].Port
		case "PodDisruptionBudget":
			budgets[component] = true
		case "Deployment":
			if labels := o.Spec.Template.Metadata.Labels; !cmp.Equal(labels, o.Spec.Selector.MatchLabels) || !cmp.Equal(labels, o.Metadata.Labels) || component != o.Spec.Template.Spec.Containers[0].Args[1] {
				t.Errorf("%s: labels %v, %v", o.file, labels, o.Spec.Selector.MatchLabels)
			}
			named := map[string]int{}
			for _, p := range o.Spec.Template.Spec.Containers[0].Ports {
				named[p.Name] = p.Port
			}
			ports[component] = named
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(append(system.Systems(), "gateway"))), slices.Sorted(maps.Keys(services))); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	for name, port := range services {
		if ports[name]["api"] != port {
			t.Errorf("service %s is at %d, and its process at %d", name, port, ports[name]["api"])
		}
	}
	for _, o := range list {
		if o.Kind == "Deployment" {
			component := o.Spec.Selector.MatchLabels["app.kubernetes.io/component"]
			if (o.Spec.Replicas > 1) != budgets[component] {
				t.Errorf("%s: %d processes, and a budget: %s", o.file, o.Spec.Replicas, strconv.FormatBool(budgets[component]))
			}
			if ports[component]["management"] != 9090 {
				t.Errorf("%s: its management port is %d", o.file, ports[component]["management"])
			}
		}
	}
}
