package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Go that cannot build this is told what to install; one that can fetch what it needs is let go
// on. The versions are those of Debian 12, Ubuntu 22.04, Ubuntu 24.04 and Debian 13.
func TestGoOfTheDistributions(t *testing.T) {
	t.Parallel()
	for version, works := range map[string]bool{"1.18.1": false, "1.19.8": false, "1.22.2": true, "1.24.4": true, "1.26.0": true, "1.27": true, "": false} {
		bin := t.TempDir()
		if version != "" {
			script := fmt.Sprintf("#!/bin/sh\necho go version go%s linux/amd64\n", version)
			if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		command := exec.Command("../../tools/needgo")
		command.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
		out, err := command.CombinedOutput()
		if (err == nil) != works {
			t.Errorf("with Go %q: %v\n%s", version, err, out)
		}
		if !works && (!strings.Contains(string(out), "error: ") || !strings.Contains(string(out), "hint: curl -fL https://go.dev/dl/go1.")) {
			t.Errorf("with Go %q it is only said:\n%s", version, out)
		}
	}
}

// Without this, distributions that set GOTOOLCHAIN to local would build nothing.
func TestTheMakefileLetsGoFetchGo(t *testing.T) {
	t.Parallel()
	command := exec.Command("make", "-C", "../..", "--no-print-directory", "-s", "-f", "Makefile", "-f", "-", "print")
	command.Stdin = strings.NewReader("print:\n\t@echo $$GOTOOLCHAIN\n")
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "GOTOOLCHAIN=") && !strings.HasPrefix(entry, "MAKE") {
			command.Env = append(command.Env, entry)
		}
	}
	out, err := command.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "auto" {
		t.Errorf("GOTOOLCHAIN is %q, %v", out, err)
	}
}
