package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/pkg/config"
)

// Flood says how many web requests of one method are too many.
type Flood struct {
	// MaxRequests is how many an address, or a /24 or /64 network, may make within the window.
	MaxRequests int `yaml:"max_requests"`
	// Window is the span that slides over the requests.
	Window config.Duration `yaml:"window"`
}

// Scan says how many different paths that are not there are too many.
type Scan struct {
	// Paths is how many of them, asked for from a /24 or /64 network within the window, make a scan: 2 to 32.
	Paths int `yaml:"paths"`
	// Window is the span in which they are asked for.
	Window config.Duration `yaml:"window"`
}

// Spray says how many different user names for ssh are too many.
type Spray struct {
	// Users is how many of them, tried from a /24 or /64 network within the window, make a spray: 2 to 32.
	Users int `yaml:"users"`
	// Window is the span in which they are tried.
	Window config.Duration `yaml:"window"`
}

// Distributed says how many addresses that try one user name for ssh are too many.
type Distributed struct {
	// Addresses is how many of them, within the window, make a distributed attack: 2 to 32. All of a /64
	// of IPv6 are one.
	Addresses int `yaml:"addresses"`
	// Window is the span in which they try.
	Window config.Duration `yaml:"window"`
}

// floods returns what makes a flood.
func (c *Config) floods() *episode.Limits {
	limits := episode.DefaultLimits
	limits.MaxRequests, limits.Window = uint32(c.Flood.MaxRequests), time.Duration(c.Flood.Window)
	return &limits
}

// spreads returns what makes scans and sprays.
func (c *Config) spreads() *episode.Spreads {
	limits := episode.DefaultSpreads
	limits.Scans.Distinct, limits.Scans.Window = c.Scan.Paths, time.Duration(c.Scan.Window)
	limits.Sprays.Distinct, limits.Sprays.Window = c.Spray.Users, time.Duration(c.Spray.Window)
	limits.Distributed.Distinct, limits.Distributed.Window = c.Distributed.Addresses, time.Duration(c.Distributed.Window)
	return &limits
}

func (c *Config) validateEpisodes() error {
	var problems []error
	within := func(path string, n, least, most int) {
		if n < least || n > most {
			problems = append(problems, &config.FieldError{Path: path, Value: n, Problem: fmt.Sprintf("give %d to %d", least, most)})
		}
	}
	window := func(path string, span config.Duration) {
		if span < config.Duration(time.Second) || span > config.Duration(time.Hour) {
			problems = append(problems, &config.FieldError{Path: path, Value: span, Problem: "give 1s to 1h"})
		}
	}
	within("flood.max_requests", c.Flood.MaxRequests, 1, 1_000_000)
	window("flood.window", c.Flood.Window)
	within("scan.paths", c.Scan.Paths, 2, episode.MaxDistinct)
	window("scan.window", c.Scan.Window)
	within("spray.users", c.Spray.Users, 2, episode.MaxDistinct)
	window("spray.window", c.Spray.Window)
	within("distributed.addresses", c.Distributed.Addresses, 2, episode.MaxDistinct)
	window("distributed.window", c.Distributed.Window)
	return errors.Join(problems...)
}
