package main

import (
	"testing"

	"github.com/pialert/pialert/pkg/config/configtest"
)

func TestSample(t *testing.T) {
	t.Parallel()
	configtest.Sample(t, "../packaging/display/display.yaml", defaults, func(sample, program *Config) {
		sample.Name, program.Name = "", "" // the sample has an example there
	})
}
