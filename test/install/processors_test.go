package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOtherProcessors runs the programs of the .debs for other processors under QEMU: armhf on the
// ARM1176 of a Pi Zero, which stops at any instruction newer than ARMv6.
func TestOtherProcessors(t *testing.T) {
	t.Parallel()
	for _, processor := range []struct {
		architecture, machine string
		emulator              []string
	}{
		{"armhf", "linux/arm", []string{"qemu-arm-static", "-cpu", "arm1176"}},
		{"arm64", "linux/arm64", []string{"qemu-aarch64-static", "-cpu", "cortex-a53"}},
	} {
		t.Run(processor.architecture, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for _, program := range []string{"pialert-agent", "pialert-display"} {
				run(t, "dpkg-deb", "--extract", deb(program, processor.architecture), root)
			}
			emulated := func(program string, args ...string) string {
				t.Helper()
				line := append(processor.emulator[1:len(processor.emulator):len(processor.emulator)], filepath.Join(root, "usr/bin", program))
				command := exec.CommandContext(t.Context(), processor.emulator[0], append(line, args...)...)
				out, err := command.CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v\n%s", strings.Join(command.Args, " "), err, out)
				}
				return string(out)
			}
			for _, program := range []string{"pialert-agent", "pialert-display"} {
				out := emulated(program, "version")
				if want := program + " " + version + " ("; !strings.HasPrefix(out, want) || !strings.HasSuffix(out, ", "+processor.machine+")\n") {
					t.Errorf("version prints %q", out)
				}
			}
			sample := filepath.Join(t.TempDir(), "auth.log")
			line := "Feb 10 09:00:00 web1 sshd[4711]: Failed password for invalid user admin from 203.0.113.7 port 40022 ssh2\n"
			if err := os.WriteFile(sample, []byte(line), 0o600); err != nil {
				t.Fatal(err)
			}
			if out := emulated("pialert-agent", "scan", "--format", "json", sample); strings.Count(out, "\n") != 1 || !strings.Contains(out, "203.0.113.7") {
				t.Errorf("scan prints %q, want one event", out)
			}
			if out := emulated("pialert-display", "demo", "--driver", "terminal"); !strings.Contains(out, "wordpress_login from ") {
				t.Errorf("demo prints no event: %q", out)
			}
		})
	}
}
