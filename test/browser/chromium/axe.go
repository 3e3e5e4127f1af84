package chromium

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// axe-core judges how accessible a page is. npm brings it, and it must be this one.
const (
	axeVersion = "axe-core@4.14.1"
	axeFile    = "package/axe.min.js"
	axeSHA512  = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// Axe returns axe-core's code: from a folder, or from npm the first time.
func Axe(ctx context.Context, dir string) (string, error) {
	archive := filepath.Join(dir, "axe-core-4.14.1.tgz")
	packed, err := os.ReadFile(archive)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		out, err := exec.CommandContext(ctx, "npm", "pack", "--silent", "--pack-destination", dir, axeVersion).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("cannot get %s from npm: %w: %s", axeVersion, err, out)
		}
		packed, err = os.ReadFile(archive)
		if err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	if sum := sha512.Sum512(packed); base64.StdEncoding.EncodeToString(sum[:]) != axeSHA512 {
		return "", errors.Join(fmt.Errorf("%s is not the one that is expected", archive), os.Remove(archive))
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(unpacked); ; {
		header, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("no %s in %s: %w", axeFile, archive, err)
		}
		if header.Name == axeFile {
			code, err := io.ReadAll(files)
			return string(code), err
		}
	}
}

// Violation is what axe-core found wrong.
type Violation struct {
	ID    string
	Nodes []struct{ HTML, FailureSummary string }
}

// Judge has axe-core look at the page.
func (b *Browser) Judge(axe string) (found []Violation, err error) {
	if err := b.Value(axe+"\n;0", nil); err != nil {
		return nil, err
	}
	err = b.Value(`axe.run(document, {resultTypes: ['violations']}).then(r => {
		if (!r.passes.length) throw new Error('axe looked at nothing')
		return r.violations
	})`, &found)
	return found, err
}
