package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// packages is the folder of what TestMain built.
var packages string

// A version and a date of its own keep the tests from depending on the state of git.
const (
	version = "0.1.0+test"
	date    = "1767225600" // 2026-01-01
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "packages")
		if err == nil {
			defer os.RemoveAll(dir)
			packages = dir
			err = errors.Join(isRoot(), build(context.Background(), repository, dir))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "cannot test the packages:", err)
			return 1
		}
		return m.Run()
	}())
}

const repository = "../.."

func isRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("installing them takes root: run the tests with sudo")
	}
	return nil
}

// build makes the packages of the tree in dir for some processors, or for all.
func build(ctx context.Context, tree, dir string, architectures ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(tree, "packaging", "build"), append([]string{"-o", dir}, architectures...)...)
	command.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH="+date)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("packaging/build: %w\n%s", err, out)
	}
	return nil
}

// deb is the path of a program's Debian package.
func deb(program, architecture string) string {
	return filepath.Join(packages, fmt.Sprintf("%s_%s_%s.deb", program, version, architecture))
}
