package containers

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var programs = []string{"pialert-agent", "pialert-display"}

// open reads the index that a layout holds.
func open(t *testing.T, folder string) v1.ImageIndex {
	t.Helper()
	path, err := layout.FromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("the layout names %d things, error %v, want one index", len(manifest.Manifests), err)
	}
	index, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// files unpacks an image.
func files(t *testing.T, image v1.Image) map[string]entry {
	t.Helper()
	all := map[string]entry{}
	for r := tar.NewReader(mutate.Extract(image)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all["/"+strings.TrimSuffix(header.Name, "/")] = entry{*header, content}
	}
}

type entry struct {
	tar.Header
	content []byte
}

// Each image is for its processor, from scratch, and runs as a user without a right.
func TestImages(t *testing.T) {
	machines := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64/v8": elf.EM_AARCH64, "linux/arm/v6": elf.EM_ARM}
	for _, program := range programs {
		index := open(t, filepath.Join(images, program))
		if err := validate.Index(index); err != nil {
			t.Errorf("%s: %v", program, err)
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range manifest.Manifests {
			platform := m.Platform.String()
			t.Run(program+" "+platform, func(t *testing.T) {
				machine, ok := machines[platform]
				if !ok || seen[platform] {
					t.Fatal("nobody asked for it")
				}
				seen[platform] = true
				image, err := index.Image(m.Digest)
				if err != nil {
					t.Fatal(err)
				}
				config, err := image.ConfigFile()
				if err != nil {
					t.Fatal(err)
				}
				if got := (v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant}); got.String() != platform {
					t.Errorf("it says of itself that it is for %s", got)
				}
				if c := config.Config; c.User != "65532:65532" || strings.Join(c.Entrypoint, " ") != "/usr/bin/"+program ||
					c.Healthcheck == nil || strings.Join(c.Healthcheck.Test, " ") != "CMD /usr/bin/"+program+" status" {
					t.Errorf("it runs as %q, starts %q, is healthy by %+v", c.User, c.Entrypoint, c.Healthcheck)
				}
				for _, label := range []string{"title", "description", "version", "created", "licenses", "source", "revision"} {
					if config.Config.Labels["org.opencontainers.image."+label] == "" {
						t.Errorf("the label %s is missing", label)
					}
				}
				if version := config.Config.Labels["org.opencontainers.image.version"]; version != "1.0.0" {
					t.Errorf("its version is %s", version)
				}

				all := files(t, image)
				binary := all["/usr/bin/"+program]
				if binary.Mode != 0o755 || binary.Uid != 0 {
					t.Errorf("the program has mode %o and user %d", binary.Mode, binary.Uid)
				}
				file, err := elf.NewFile(bytes.NewReader(binary.content))
				if err != nil {
					t.Fatal(err)
				}
				if file.Machine != machine {
					t.Errorf("the program is for %s", file.Machine)
				}
				if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
					t.Errorf("the program needs %v, error %v: an image from scratch has none", libraries, err)
				}
				info, err := buildinfo.Read(bytes.NewReader(binary.content))
				if err != nil {
					t.Fatal(err)
				}
				if m.Platform.Variant == "v6" {
					for _, s := range info.Settings {
						if s.Key == "GOARM" && s.Value != "6" {
							t.Errorf("a Pi Zero cannot run code for ARMv%s", s.Value)
						}
					}
				}
				if passwd := string(all["/etc/passwd"].content); !strings.Contains(passwd, program+":x:65532:65532:") {
					t.Errorf("/etc/passwd: %s", passwd)
				}
				if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(all["/etc/ssl/certs/ca-certificates.crt"].content) {
					t.Error("no roots of trust")
				}
				for _, folder := range []string{"/var/lib/pialert", "/run/" + program} {
					for name, f := range all {
						if strings.HasPrefix(name, folder+"/") && f.Uid != 65532 {
							t.Errorf("%s belongs to user %d", name, f.Uid)
						}
					}
				}
				checkBill(t, all["/usr/share/doc/"+program+"/"+program+".spdx.json"].content, program, info)
			})
		}
		if len(seen) != len(machines) {
			t.Errorf("%s: images for %v", program, seen)
		}
	}
}

// checkBill holds a bill of materials against what the program itself says that it is built of.
func checkBill(t *testing.T, text []byte, program string, info *buildinfo.BuildInfo) {
	t.Helper()
	var bill struct {
		SPDXVersion string `json:"spdxVersion"`
		Packages    []struct{ Name, VersionInfo string }
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, p := range bill.Packages {
		versions[p.Name] = p.VersionInfo
	}
	if bill.SPDXVersion != "SPDX-2.3" || versions[program] != "1.0.0" || "go"+versions["std"] != info.GoVersion {
		t.Errorf("the bill is %s, of %s %s and Go %s", bill.SPDXVersion, program, versions[program], versions["std"])
	}
	for _, module := range info.Deps {
		if versions[module.Path] != module.Version {
			t.Errorf("the bill has %s %q, the program %s", module.Path, versions[module.Path], module.Version)
		}
	}
}

// The same commit gives the same digests, whatever the time zone, the language and the modes of the
// checkout.
func TestReproducible(t *testing.T) {
	again := t.TempDir()
	if err := build(again, "1.0.0", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "GOFLAGS=-buildvcs=true"); err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		first, err := open(t, filepath.Join(images, program)).Digest()
		if err != nil {
			t.Fatal(err)
		}
		second, err := open(t, filepath.Join(again, program)).Digest()
		if err != nil {
			t.Fatal(err)
		}
		if first != second {
			t.Errorf("%s is %s once and %s another time", program, first, second)
		}
	}
}

// The time of the files is the commit's.
func TestNothingIsNewerThanTheCommit(t *testing.T) {
	out, err := exec.Command("git", "log", "-1", "--format=%ct").Output()
	if err != nil {
		t.Fatal(err)
	}
	var seconds int64
	if err := json.Unmarshal(out, &seconds); err != nil {
		t.Fatal(err)
	}
	commit := time.Unix(seconds, 0)
	index := open(t, filepath.Join(images, "pialert-agent"))
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range files(t, image) {
		if !f.ModTime.Equal(commit) {
			t.Errorf("%s is of %s, the commit of %s", name, f.ModTime, commit)
		}
	}
}

// A Pi Zero, which has an ARM1176 processor, can run the image for arm/v6.
func TestARMv6(t *testing.T) {
	index := open(t, filepath.Join(images, "pialert-display"))
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifest.Manifests {
		if m.Platform.Variant != "v6" {
			continue
		}
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		binary := filepath.Join(t.TempDir(), "pialert-display")
		if err := os.WriteFile(binary, files(t, image)["/usr/bin/pialert-display"].content, 0o700); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("qemu-arm-static", "-cpu", "arm1176", binary, "version").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "pialert-display 1.0.0") {
			t.Errorf("it answers %q, error %v", out, err)
		}
		return
	}
	t.Error("there is no image for arm/v6")
}
