package main

import (
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is whom the programs run as: nobody that a host has by chance.
const user = 65532

// program is what an image is made of.
type program struct {
	name        string
	title       string
	description string
	config      string // its sample configuration, in /etc/pialert
	state       string // folder of what it keeps
	run         string // folder of its sockets
	ports       []string
}

var programs = []program{
	{
		name: "pialert-agent", title: "PiAlert agent", config: "agent.yaml",
		description: "Follows a server's logs, recognises attacks, and delivers each exactly once to the displays.",
		state:       "/var/lib/pialert/agent", run: "/run/pialert-agent",
		ports: []string{"7483/tcp"},
	},
	{
		name: "pialert-display", title: "PiAlert display", config: "display.yaml",
		description: "Counts the attacks that agents report and shows them on lamps, digits and a page.",
		state:       "/var/lib/pialert/display", run: "/run/pialert-display",
		ports: []string{"9480/tcp"},
	},
}

// builder knows what all images have in common.
type builder struct {
	version, revision string
	date              time.Time
	tree, zones       string
}

// labels are those that the OCI's image specification names (annotations.md).
func (b builder) labels(p program) map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":         p.title,
		"org.opencontainers.image.description":   p.description,
		"org.opencontainers.image.version":       b.version,
		"org.opencontainers.image.created":       b.date.Format(time.RFC3339),
		"org.opencontainers.image.licenses":      "MIT",
		"org.opencontainers.image.url":           "https://github.com/pialert/pialert",
		"org.opencontainers.image.source":        "https://github.com/pialert/pialert",
		"org.opencontainers.image.documentation": "https://github.com/pialert/pialert/blob/main/docs/containers.md",
	}
	if b.revision != "" {
		labels["org.opencontainers.image.revision"] = b.revision
	}
	return labels
}

// image makes the image of a program for one processor. What seldom changes is a layer of its own.
func (b builder) image(p program, folder string, platform v1.Platform) (v1.Image, error) {
	system, err := b.system(p)
	if err != nil {
		return nil, err
	}
	own, err := b.own(p, folder)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, layer := range []struct {
		v1.Layer
		what string
	}{{system, "the user, roots of trust and time zones"}, {own, "the program"}} {
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer.Layer, History: v1.History{Created: v1.Time{Time: b.date}, CreatedBy: layer.what},
		})
		if err != nil {
			return nil, err
		}
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = platform.OS, platform.Architecture, platform.Variant
	file.Created = v1.Time{Time: b.date}
	file.Config = v1.Config{
		User:         "65532:65532",
		Entrypoint:   []string{"/usr/bin/" + p.name},
		Cmd:          []string{"run"},
		Env:          []string{"PATH=/usr/bin", "ZONEINFO=/usr/share/zoneinfo.zip", "TMPDIR=" + p.run},
		WorkingDir:   "/",
		Labels:       b.labels(p),
		StopSignal:   "SIGTERM",
		ExposedPorts: map[string]struct{}{},
		// Whoever mounts nothing there gets a volume that belongs to the user, also where the rest is
		// read-only.
		Volumes: map[string]struct{}{p.state: {}, p.run: {}},
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/usr/bin/" + p.name, "status"},
			Interval: 30 * time.Second, Timeout: 5 * time.Second, StartPeriod: 10 * time.Second, Retries: 3,
		},
	}
	for _, port := range p.ports {
		file.Config.ExposedPorts[port] = struct{}{}
	}
	return mutate.ConfigFile(image, file)
}

// system is the layer that all processors share.
func (b builder) system(p program) (v1.Layer, error) {
	zones, err := os.ReadFile(b.zones)
	if err != nil {
		return nil, err
	}
	t := tree{date: b.date}
	t.file("/etc/passwd", passwd(p), 0o644)
	t.file("/etc/group", group(p), 0o644)
	t.file("/etc/ssl/certs/ca-certificates.crt", roots(), 0o644)
	t.file("/usr/share/zoneinfo.zip", zones, 0o644)
	t.folder(p.state, 0o700, user)
	t.folder(p.run, 0o750, user)
	return t.layer()
}

// own is the layer of what was built.
func (b builder) own(p program, folder string) (v1.Layer, error) {
	t := tree{date: b.date}
	for _, f := range []struct {
		from, to string
		mode     int64
	}{
		{filepath.Join(folder, p.name), "/usr/bin/" + p.name, 0o755},
		{p.config, "/etc/pialert/" + p.config, 0o644},
		{"LICENSE", "/usr/share/doc/" + p.name + "/copyright", 0o644},
		{p.name + ".spdx.json", "/usr/share/doc/" + p.name + "/" + p.name + ".spdx.json", 0o644},
	} {
		content, err := os.ReadFile(filepath.Join(b.tree, f.from))
		if err != nil {
			return nil, err
		}
		t.file(f.to, content, f.mode)
	}
	return t.layer()
}
