package install

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestPackagesForEveryProcessor(t *testing.T) {
	t.Parallel()
	want := []string{"SHA256SUMS", "pialert-agent.cdx.json", "pialert-display.cdx.json"}
	for _, program := range []string{"pialert-agent", "pialert-display"} {
		want = append(want,
			program+"_"+version+"_amd64.deb", program+"_"+version+"_arm64.deb", program+"_"+version+"_armhf.deb",
			program+"-"+version+"-1.x86_64.rpm", program+"-"+version+"-1.aarch64.rpm", program+"-"+version+"-1.armv6hl.rpm")
	}
	for _, architecture := range []string{"amd64", "arm64", "armhf"} {
		want = append(want, "pialert-"+version+"-"+architecture+".tar.gz")
	}
	slices.Sort(want)
	entries, err := os.ReadDir(packages)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("dist holds\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = packages
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestLintian(t *testing.T) {
	t.Parallel()
	for program, architecture := range map[string]string{"pialert-agent": "amd64", "pialert-display": "armhf"} {
		out := run(t, "lintian", "--allow-root", "--profile", "debian", "--fail-on", "error,warning", deb(program, architecture))
		if out != "" {
			t.Errorf("%s: %s", program, out)
		}
	}
}

// TestRPM looks at what rpm says of its packages: there is no fresh Fedora to install them in.
func TestRPM(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"pialert-agent", "pialert-display"} {
		short := strings.TrimPrefix(program, "pialert-")
		path := filepath.Join(packages, program+"-"+version+"-1.armv6hl.rpm")
		if arch := run(t, "rpm", "-qp", "--nosignature", "--queryformat", "%{ARCH}", path); arch != "armv6hl" {
			t.Errorf("%s is for %s", path, arch)
		}
		configuration := "/etc/pialert/" + short + ".yaml\n"
		if short == "agent" {
			configuration = "/etc/fail2ban/action.d/pialert.conf\n" + configuration
		}
		if out := run(t, "rpm", "-qp", "--nosignature", "--configfiles", path); out != configuration {
			t.Errorf("configuration files of %s: %q", path, out)
		}
		for _, want := range []string{
			"/usr/bin/" + program, "/usr/lib/systemd/system/" + program + ".service", "/usr/lib/sysusers.d/" + program + ".conf",
			"/usr/share/man/man1/" + program + ".1.gz", "/usr/share/man/man1/" + program + "-config-check.1.gz",
			"/usr/share/man/man5/" + program + ".yaml.5.gz", "/usr/share/bash-completion/completions/" + program,
			"/usr/share/zsh/vendor-completions/_" + program, "/usr/share/fish/vendor_completions.d/" + program + ".fish",
			"/usr/share/doc/" + program + "/changelog.gz", "/usr/share/doc/" + program + "/copyright",
		} {
			if list := run(t, "rpm", "-qpl", "--nosignature", path); !slices.Contains(strings.Split(list, "\n"), want) {
				t.Errorf("%s lacks %s", path, want)
			}
		}
	}
}

// TestReproducible builds again, elsewhere, from files with other modes, and in another time zone.
func TestReproducible(t *testing.T) {
	t.Parallel()
	elsewhere, again := filepath.Join(t.TempDir(), "elsewhere"), t.TempDir()
	if err := os.CopyFS(elsewhere, os.DirFS(tree)); err != nil {
		t.Fatal(err)
	}
	run(t, "chmod", "-R", "go=", elsewhere)
	if err := build(t.Context(), elsewhere, again, []string{"amd64"}, "TZ=Pacific/Chatham", "LC_ALL=C.UTF-8"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(again)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 8 { // two .deb, two .rpm, two bills of materials, the archive, the sums
		t.Fatalf("there are %d files", len(entries))
	}
	for _, entry := range entries {
		if entry.Name() != "SHA256SUMS" && sum(t, filepath.Join(again, entry.Name())) != sum(t, filepath.Join(packages, entry.Name())) {
			t.Errorf("%s differs from build to build", entry.Name())
		}
	}
}

func sum(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(content)
}
