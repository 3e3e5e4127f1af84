// Command confref writes what the configuration files may hold, from the code that reads them:
// the commented samples that the packages install, their manual pages, and docs/configuration.md.
// The words are the comments of the structs' fields and the values are what the programs print as
// their defaults, so neither can go stale.
//
//	confref -root .. -programs ../build
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

func main() {
	root := flag.String("root", "..", "the repository")
	programs := flag.String("programs", "../build", "folder of the built programs")
	flag.Parse()
	if err := run(*root, *programs); err != nil {
		fmt.Fprintln(os.Stderr, "confref:", err)
		os.Exit(1)
	}
}

// program is one of the two, with what its configuration may hold.
type program struct {
	short    string // agent or display
	host     string // an example of a host's name
	fields   []field
	defaults *yaml.Node
}

func run(root, programs string) error {
	page := bytes.NewBufferString(pageHead)
	for _, p := range []program{{short: "agent", host: "web1"}, {short: "display", host: "desk"}} {
		var err error
		if p.fields, err = (&reader{root: root}).fields(p.short, "Config"); err != nil {
			return err
		}
		if p.defaults, err = p.show(filepath.Join(programs, "pialert-"+p.short)); err != nil {
			return err
		}
		p.writeTable(page)
		folder := filepath.Join(root, "packaging", p.short)
		if err := os.WriteFile(filepath.Join(folder, p.short+".yaml"), p.sample(), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, p.short+".yaml.5"), p.man(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "docs", "configuration.md"), page.Bytes(), 0o644)
}

// show returns what the program prints as its configuration, on a host of the example's name.
func (p *program) show(binary string) (*yaml.Node, error) {
	file, err := os.CreateTemp("", "confref-*.yaml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	fmt.Fprintf(file, "name: %s\n", p.host)
	if err := file.Close(); err != nil {
		return nil, err
	}
	command := exec.Command(binary, "config", "show", "--config", file.Name())
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot learn the defaults of %s: %w", binary, err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(out, &document); err != nil {
		return nil, err
	}
	return document.Content[0], nil
}

// at returns the value of a key, or nil.
func at(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}
