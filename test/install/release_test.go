package install

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// owner is somebody who makes releases, with throwaway keys.
type owner struct {
	*testing.T
	home, fingerprint string
}

func newOwner(t *testing.T) *owner {
	t.Helper()
	// gpg-agent's socket has a path that must be short.
	home, err := os.MkdirTemp("", "owner")
	if err != nil {
		t.Fatal(err)
	}
	o := &owner{T: t, home: home}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() // or the agent would live on
		os.RemoveAll(home)
	})
	o.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(home, "key"))
	o.run("gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", "Releases of a test", "ed25519", "sign", "1d")
	for line := range strings.Lines(o.run("gpg", "--batch", "--with-colons", "--list-secret-keys")) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			o.fingerprint = fields[9]
		}
	}
	return o
}

func (o *owner) try(name string, args ...string) (string, error) {
	command := exec.CommandContext(o.Context(), name, args...)
	command.Env = append(os.Environ(), "GNUPGHOME="+o.home, "SOURCE_DATE_EPOCH="+date, "HOME="+o.home,
		"GOCACHE="+strings.TrimSpace(goEnv("GOCACHE")), "GOMODCACHE="+strings.TrimSpace(goEnv("GOMODCACHE")))
	out, err := command.CombinedOutput()
	return string(out), err
}

func goEnv(name string) string {
	out, _ := exec.Command("go", "env", name).Output()
	return string(out)
}

func (o *owner) run(name string, args ...string) string {
	o.Helper()
	out, err := o.try(name, args...)
	if err != nil {
		o.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// release makes a release of a version for amd64 and adds it to the repository.
func (o *owner) release(version, dir, repository, url string) {
	o.Helper()
	o.run("env", "VERSION="+version, filepath.Join(tree, "packaging", "release"),
		"-k", filepath.Join(o.home, "key"), "-g", o.fingerprint, "-u", url, "-o", dir, "-r", repository, "amd64")
}

// in runs a shell command in a fresh Debian with the host's network, after rpm installed packages.
func in(t *testing.T, command string, rpms ...string) (string, error) {
	t.Helper()
	root, err := freshRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/chroot")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount"}, append([]string{script, root, t.TempDir(), command}, rpms...)...)...).CombinedOutput()
	return string(out), err
}

// TestRelease makes two releases into one repository and lives with it as a server does: a real
// apt installs by one line and upgrades, a real dnf reads it, and both refuse what was changed.
func TestRelease(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	dir, repository := t.TempDir(), t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(repository)))
	t.Cleanup(server.Close)
	o.release("0.9.0", dir, repository, server.URL)

	// The release itself.
	o.run("sh", "-c", "cd "+dir+" && sha256sum --check --strict SHA256SUMS && "+
		"ssh-keygen -Y verify -n pialert-release -I release -f pialert.signers -s SHA256SUMS.sig < SHA256SUMS")
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pialert-agent_0.9.0_amd64.deb", "pialert-display-0.9.0-1.x86_64.rpm", "pialert-0.9.0-amd64.tar.gz", "pialert-agent.cdx.json", "CHANGES.md"} {
		if !strings.Contains(string(sums), "  "+want+"\n") {
			t.Errorf("the sums lack %s", want)
		}
	}
	if out, err := o.try("sh", "-c", "cd "+dir+" && sed 's/^./0/' SHA256SUMS | ssh-keygen -Y verify -n pialert-release -I release -f pialert.signers -s SHA256SUMS.sig"); err == nil {
		t.Errorf("changed sums are believed: %s", out)
	}
	if bom, err := os.ReadFile(filepath.Join(dir, "pialert-display.cdx.json")); err != nil || !strings.Contains(string(bom), "pkg:golang/modernc.org/sqlite@") {
		t.Errorf("the bill of materials of the display lacks SQLite: %v", err)
	}

	// apt: only this repository, so that nothing comes from elsewhere.
	second := t.TempDir()
	upgraded := httptest.NewServer(http.FileServer(http.Dir(second)))
	t.Cleanup(upgraded.Close)
	if err := os.CopyFS(second, os.DirFS(repository)); err != nil {
		t.Fatal(err)
	}
	o.release("0.10.0", t.TempDir(), second, upgraded.URL)
	install := fmt.Sprintf(`set -e; rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
		get() { /usr/lib/apt/apt-helper download-file "$1" "$2" >/dev/null; }
		get %s/pialert.sources /etc/apt/sources.list.d/pialert.sources
		apt-get update -q && apt-get install -qy pialert-agent && pialert-agent version
		get %s/pialert.sources /etc/apt/sources.list.d/pialert.sources
		apt-get update -q && apt-get upgrade -qy && pialert-agent version && apt-cache madison pialert-agent`, server.URL, upgraded.URL)
	out, err := in(t, install)
	if err != nil || !strings.Contains(out, "pialert-agent 0.9.0") || !strings.Contains(out, "pialert-agent 0.10.0") ||
		!strings.Contains(out, " 0.9.0 | ") || strings.Contains(out, "W: GPG") {
		t.Errorf("apt: %v\n%s", err, out)
	}

	// dnf: the list is signed, and names what is there.
	query := func() (string, error) {
		return o.try("dnf", "-y", "--disablerepo=*", "--enablerepo=pialert", "--setopt=reposdir="+second, "--setopt=cachedir="+t.TempDir(),
			"--installroot="+t.TempDir(), "--releasever=9", "--forcearch=x86_64", "repoquery", "--latest-limit=1", "pialert-*")
	}
	if out, err := query(); err != nil || !strings.Contains(out, "pialert-agent-0:0.10.0-1.x86_64") || !strings.Contains(out, "pialert-display-0:0.10.0-1.x86_64") {
		t.Errorf("dnf: %v\n%s", err, out)
	}

	// Somebody who can write to the web server, without the key.
	spoil := func(path string) {
		path = filepath.Join(second, path)
		old, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, append(old, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	spoil("rpm/repodata/repomd.xml")
	if out, _ := query(); !strings.Contains(out, "Bad GPG signature") || strings.Contains(out, "pialert-agent-0:") {
		t.Errorf("dnf believes a list that was changed:\n%s", out)
	}
	evil := "set -e; rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*; /usr/lib/apt/apt-helper download-file " + upgraded.URL +
		"/pialert.sources /etc/apt/sources.list.d/pialert.sources; apt-get update -q; apt-get install -qy pialert-agent"
	spoil("apt/pool/pialert-agent_0.10.0_amd64.deb")
	if out, err := in(t, evil); err == nil || !strings.Contains(out, "unexpected size") {
		t.Errorf("apt installs a package that was changed: %v\n%s", err, out)
	}
	spoil("apt/dists/stable/main/binary-amd64/Packages")
	spoil("apt/dists/stable/main/binary-amd64/Packages.gz")
	if out, err := in(t, evil); err == nil {
		t.Errorf("apt believes a list that was changed:\n%s", out)
	}
}
