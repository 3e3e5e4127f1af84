package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"path"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// tree collects the files of a layer. Their order is that of the calls; folders come before what is
// in them.
type tree struct {
	date    time.Time
	entries []entry
	known   map[string]bool
}

type entry struct {
	tar.Header
	content []byte
}

// file adds a file of root's.
func (t *tree) file(name string, content []byte, mode int64) {
	t.parents(name)
	t.add(tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(content))}, content)
}

// folder adds a folder that belongs to a user and their group.
func (t *tree) folder(name string, mode int64, owner int) {
	t.parents(name)
	t.add(tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (t *tree) parents(name string) {
	if parent := path.Dir(name); parent != "/" && !t.known[parent] {
		t.folder(parent, 0o755, 0)
	}
}

func (t *tree) add(header tar.Header, content []byte) {
	if t.known == nil {
		t.known = map[string]bool{}
	}
	t.known[header.Name] = true
	header.Name = header.Name[1:]
	header.ModTime = t.date
	t.entries = append(t.entries, entry{header, content})
}

// layer packs the tree.
func (t *tree) layer() (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, e := range t.entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

// passwd and group name whom the program runs as, so that the responder, which answers only some
// users, knows the agent's by the name that it has on every host.
func passwd(p program) []byte {
	return fmt.Appendf(nil, "root:x:0:0:root:/:/nonexistent\n%s:x:%d:%d:%s:%s:/nonexistent\n", p.name, user, user, p.title, p.state)
}

func group(p program) []byte { return fmt.Appendf(nil, "root:x:0:\n%s:x:%d:\n", p.name, user) }

// roots are the certificates that TLS trusts. Those whose trust Mozilla limits are left out: a file
// cannot say the limits.
func roots() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return out.Bytes()
}
