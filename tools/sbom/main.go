// Command sbom writes the bill of materials of a built Go program as JSON: the modules that the linker
// put into it, with the checksums that go.sum holds.
//
//	sbom [-format cyclonedx|spdx] -version 1.2.3 -date 1767225600 PROGRAM > PROGRAM.cdx.json
package main

import (
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// formats are the standards that a bill is written in.
var formats = map[string]func(io.Writer, bill) error{"cyclonedx": writeCycloneDX, "spdx": writeSPDX}

// bill is what a program consists of.
type bill struct {
	program, version string
	module           string // that the program is from
	date             time.Time
	parts            []part // the standard library first
}

// part is a module that is linked into the program.
type part struct {
	name, version string
	sum           string // SHA-256 of the list of the module's files with theirs, in hex; empty if unknown
}

// purl is the part's package URL (github.com/package-url/purl-spec).
func (p part) purl() string { return "pkg:golang/" + p.name + "@" + p.version }

func main() {
	version := flag.String("version", "devel", "the program's version")
	date := flag.Int64("date", 0, "when it was built, in seconds since 1970")
	format := flag.String("format", "cyclonedx", "cyclonedx (1.6) or spdx (2.3)")
	flag.Parse()
	write := formats[*format]
	if flag.NArg() != 1 || write == nil {
		fmt.Fprintln(os.Stderr, "usage: sbom [-format cyclonedx|spdx] [-version VERSION] [-date SECONDS] PROGRAM")
		os.Exit(2)
	}
	b, err := read(flag.Arg(0), *version, time.Unix(*date, 0).UTC())
	if err == nil {
		err = write(os.Stdout, b)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// read asks a program what it was built of.
func read(path, version string, date time.Time) (bill, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return bill{}, fmt.Errorf("cannot read what %s was built of: %w", path, err)
	}
	b := bill{program: filepath.Base(path), version: version, module: info.Main.Path, date: date}
	b.parts = []part{{name: "std", version: strings.TrimPrefix(info.GoVersion, "go")}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		p := part{name: module.Path, version: module.Version}
		// go.sum's h1 is that SHA-256 in base64.
		if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(module.Sum, "h1:")); err == nil && len(sum) == 32 {
			p.sum = hex.EncodeToString(sum)
		}
		b.parts = append(b.parts, p)
	}
	return b, nil
}
