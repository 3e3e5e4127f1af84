package main

import (
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// survivor is a change that no test can notice, or need not.
type survivor struct {
	File     string `yaml:"file"`
	Function string `yaml:"function"`
	What     string `yaml:"what"`
	Line     string `yaml:"line"` // its text, so that the entry holds while lines move
	Why      string `yaml:"why"`
}

type survivors []survivor

func loadSurvivors(path string) (survivors, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all survivors
	if err := yaml.Unmarshal(content, &all); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	for _, one := range all {
		if strings.TrimSpace(one.Why) == "" {
			return nil, fmt.Errorf("%s: %s, %s: say why it may survive", path, one.File, one.Line)
		}
	}
	return all, nil
}

// reason says why a change may survive; empty if nobody said so.
func (all survivors) reason(m mutation) string {
	_, line := m.line()
	for _, one := range all {
		if one.File == m.file && one.Function == m.function && one.What == m.what && one.Line == line {
			return one.Why
		}
	}
	return ""
}
