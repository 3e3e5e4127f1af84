package containers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pialert/pialert/test/suite"
)

// images is the folder of the layouts that TestMain made.
var images string

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) error {
		images = filepath.Join(s.Dir, "1.0.0")
		return build(images, "1.0.0")
	})
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
