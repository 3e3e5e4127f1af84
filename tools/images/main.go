// Command images makes container images of the built programs: for each an OCI layout that holds an
// index of one image per processor. It needs no daemon, no network and no root, and gives the same
// digests for the same input.
//
//	images -version 1.2.3 -revision COMMIT -date 1767225600 -tree FOLDER -zones ZIP -out dist/images
//
// FOLDER holds the programs as amd64/pialert-agent, arm64/…, armhf/… (ARMv6, which every Pi runs), and
// beside them what each image also has: pialert-agent.spdx.json, agent.yaml, LICENSE. An image is built
// from scratch: the program, its sample configuration, the roots of trust that Mozilla's programme names,
// the time zones that come with Go, and the user that it runs as.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// platforms are the processors, by the folders of their programs. Without its variant an ARMv6 image
// would count as ARMv7, and a Pi Zero could be given code that it cannot run.
var platforms = []struct {
	folder string
	v1.Platform
}{
	{"amd64", v1.Platform{OS: "linux", Architecture: "amd64"}},
	{"arm64", v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}},
	{"armhf", v1.Platform{OS: "linux", Architecture: "arm", Variant: "v6"}},
}

func main() {
	b := builder{}
	var date int64
	var out string
	flag.StringVar(&b.version, "version", "devel", "the programs' version")
	flag.StringVar(&b.revision, "revision", "", "the commit that they were built from")
	flag.Int64Var(&date, "date", 0, "when they were built, in seconds since 1970")
	flag.StringVar(&b.tree, "tree", "", "folder of the programs and what goes with them")
	flag.StringVar(&b.zones, "zones", "", "zoneinfo.zip with the time zones")
	flag.StringVar(&out, "out", "", "folder that the layouts go to")
	flag.Parse()
	if b.tree == "" || b.zones == "" || out == "" || flag.NArg() != 0 {
		flag.Usage()
		os.Exit(2)
	}
	b.date = time.Unix(date, 0).UTC()
	for _, p := range programs {
		if err := b.write(p, filepath.Join(out, p.name)); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
}

// write replaces the layout in a folder.
func (b builder) write(p program, folder string) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		image, err := b.image(p, platform.folder, platform.Platform)
		if err != nil {
			return fmt.Errorf("cannot make the image of %s for %s: %w", p.name, platform.Platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &platform.Platform},
		})
	}
	index = mutate.Annotations(index, b.labels(p)).(v1.ImageIndex)
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	// The layout names one thing, so that its tools need no name for it.
	path, err := layout.Write(folder, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return err
	}
	err = path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": b.version}))
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s %s\n", digest, folder)
	return nil
}
