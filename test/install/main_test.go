package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/test/suite"
)

// packages is the folder of what TestMain built, of tree: a copy of the repository, which may change
// meanwhile.
var packages, tree string

// A version and a date of its own keep the tests from depending on the state of git.
const (
	version = "0.1.0+test"
	date    = "1767225600" // 2026-01-01
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) error {
		tree, packages = filepath.Join(s.Dir, "tree"), filepath.Join(s.Dir, "dist")
		return errors.Join(isRoot(), copyTree(tree), build(context.Background(), tree, packages, nil))
	})
}

const repository = "../.."

func isRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("installing them takes root: run the tests with sudo")
	}
	return nil
}

// build makes the packages of the tree in dir, for one processor or for all.
func build(ctx context.Context, tree, dir string, architectures []string, environment ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(tree, "packaging", "build"), append([]string{"-o", dir}, architectures...)...)
	command.Env = append(append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH="+date), environment...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("packaging/build: %w\n%s", err, out)
	}
	return nil
}

// copyTree copies what git knows of the repository, or would add.
func copyTree(to string) error {
	list, err := exec.Command("git", "-C", repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("cannot list the repository: %w", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		from, path := filepath.Join(repository, name), filepath.Join(to, name)
		info, err := os.Stat(from)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not committed
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, info.Mode())); err != nil {
			return err
		}
	}
	return nil
}

// deb is the path of a program's Debian package.
func deb(program, architecture string) string {
	return filepath.Join(packages, fmt.Sprintf("%s_%s_%s.deb", program, version, architecture))
}
