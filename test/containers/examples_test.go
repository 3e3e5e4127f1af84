package containers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The compose file obeys the Compose specification's schema, and confines every service.
func TestCompose(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../../packaging/compose/compose.yaml"}, cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range project.Services {
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s is not confined: %+v", name, service)
		}
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if !volume.ReadOnly {
				t.Errorf("%s may write to the host's %s", name, volume.Source)
			}
			if strings.Contains(volume.Source, "packaging/compose") && filepath.Base(volume.Source) != "nats" { // the owner makes it
				if _, err := os.Stat(volume.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	for name, want := range map[string]struct {
		image        string
		capabilities []string
	}{
		"agent":     {"pialert-agent", nil},
		"display":   {"pialert-display", nil},
		"responder": {"pialert-agent", []string{"NET_ADMIN"}},
		"nats":      {"nats:2", []string{"DAC_OVERRIDE"}},
	} {
		service := project.Services[name]
		if service.Image != want.image || !slices.Equal(service.CapAdd, want.capabilities) {
			t.Errorf("%s is made of %s and has the capabilities %v", name, service.Image, service.CapAdd)
		}
	}
	if responder := project.Services["responder"]; responder.NetworkMode != "host" {
		t.Errorf("the responder bans in the network %q, where nobody comes from", responder.NetworkMode)
	}
}

// The DaemonSet of docs/containers.md has only fields that Kubernetes knows, and what an agent needs.
func TestDaemonSet(t *testing.T) {
	text, err := os.ReadFile("../../docs/containers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(text), "```yaml\napiVersion")
	example, _, ended := strings.Cut(example, "```")
	if !ok || !ended {
		t.Fatal("docs/containers.md has no DaemonSet")
	}
	var set appsv1.DaemonSet
	if err := yaml.UnmarshalStrict([]byte("apiVersion"+example), &set); err != nil {
		t.Fatal(err)
	}
	pod := set.Spec.Template
	for key, value := range set.Spec.Selector.MatchLabels {
		if pod.Labels[key] != value {
			t.Errorf("it selects pods with %s=%s and makes pods with %v", key, value, pod.Labels)
		}
	}
	volumes := map[string]corev1.Volume{}
	for _, volume := range pod.Spec.Volumes {
		volumes[volume.Name] = volume
	}
	for _, container := range pod.Spec.Containers {
		if c := container.SecurityContext; c == nil || !*c.ReadOnlyRootFilesystem || *c.AllowPrivilegeEscalation ||
			!slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s is not confined", container.Name)
		}
		for _, mount := range container.VolumeMounts {
			if _, ok := volumes[mount.Name]; !ok {
				t.Errorf("%s is mounted from nowhere", mount.MountPath)
			}
		}
	}
}
