package main

import (
	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/display/internal/terminal"
)

// animated is the lamps as the scene knows them.
func animated(lamps []lamp.Config) []animate.Lamp {
	var all []animate.Lamp
	for _, c := range lamps {
		all = append(all, animate.Lamp{Color: rgb(c), LED: c.LED})
	}
	return all
}

// legend is the lamps as the terminal names them.
func legend(lamps []lamp.Config) []terminal.Lamp {
	var all []terminal.Lamp
	for _, c := range lamps {
		all = append(all, terminal.Lamp{Name: c.Name, Label: c.Label, Color: rgb(c)})
	}
	return all
}

func rgb(c lamp.Config) animate.RGB { return animate.RGB(c.RGB()) }
