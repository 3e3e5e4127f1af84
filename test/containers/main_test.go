package containers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// images is the folder of the layouts that TestMain made.
var images string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "images")
		if err == nil {
			defer os.RemoveAll(dir)
			images = filepath.Join(dir, "1.0.0")
			err = build(images, "1.0.0")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
		return m.Run()
	}())
}

// build makes the images as `make images` does, with a version of our choice.
func build(folder, version string, env ...string) error {
	command := exec.Command("../../packaging/images", "-o", folder)
	command.Env = append(append(os.Environ(), "VERSION="+version), env...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make the images: %w\n%s", err, out)
	}
	return nil
}
