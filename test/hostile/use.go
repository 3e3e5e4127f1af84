package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/cgroup"
)

// reportUse says how much a program used and wrote, and fails if it is dead.
func reportUse(g *cgroup.Group, name string, p *program.Process) error {
	used, err := g.Peak()
	if err != nil {
		return err
	}
	kills, err := g.Kills()
	if err != nil {
		return err
	}
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Pid()))
	said := p.Stderr.String()
	fmt.Printf("%s: %d MiB at most, %d descriptors at the end, %d lines in its log\n", name, used>>20, len(descriptors), strings.Count(said, "\n"))
	if kills > 0 {
		return fmt.Errorf("the %s was killed for its memory %d times", name, kills)
	}
	if p.Ended() {
		return fmt.Errorf("the %s has ended:\n%s", name, said)
	}
	return nil
}
