package main

import (
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/attack"
)

// event is a log line and the lamp that it lights.
type event struct {
	at       time.Duration
	lamp     int
	severity attack.Severity
	events   int
	server   string
	line     string
}

// story is what happens. The lines are those that the daemons write.
var story = []event{
	{400 * time.Millisecond, 0, attack.Medium, 1, "web1", "sshd[81]: Failed password for root from 203.0.113.5 port 55225 ssh2"},
	{2400 * time.Millisecond, 1, attack.Medium, 1, "web1", `203.0.113.7 - - "POST /wp-login.php HTTP/1.1" 200`},
	{4400 * time.Millisecond, 2, attack.Medium, 3, "web2", "sshd[94]: Invalid user oracle from 2001:db8:bad::3 port 40022"},
	{6600 * time.Millisecond, 3, attack.Low, 1, "web1", `203.0.113.9 - - "GET /.env HTTP/1.1" 404`},
	{8600 * time.Millisecond, 3, attack.High, 1, "web1", `203.0.113.8 - - "GET /cgi-bin/.%2e/.%2e/.%2e/bin/sh HTTP/1.1" 400`},
}

// How long the film is before it begins anew, and the time between two of its frames.
const (
	length = 11 * time.Second
	step   = time.Second / 25
)

// totals are those of the default lamps after some weeks on a desk.
var totals = []uint64{1288, 94, 356, 210}

// lamps are the default ones.
func lamps() (all []animate.Lamp) {
	for _, one := range lamp.Defaults() {
		all = append(all, animate.Lamp{Color: animate.RGB(one.RGB()), LED: one.LED})
	}
	return all
}

// film is the frames, one every step.
type film []animate.Frame

// perform plays the story. It begins as it ends: all lamps have lit before.
func perform() (film, error) {
	config := animate.Defaults()
	config.Brightness = animate.Brightness{Lights: animate.MaxLights, Digits: animate.MaxDigits}
	start := time.Unix(0, 0).UTC()
	before := start.Add(-time.Minute)
	scene, err := animate.New(lamps(), config, before)
	if err != nil {
		return nil, err
	}
	count := append([]uint64(nil), totals...)
	grand := uint64(0)
	for _, n := range count {
		grand += n
	}
	for i := range totals {
		scene.Add(i, 1, attack.Low, false, before.Add(time.Duration(i)*time.Second))
	}
	scene.SetTotals(count, grand)
	var frames film
	next := 0
	for at := time.Duration(0); at < length; at += step {
		for next < len(story) && story[next].at <= at {
			e := story[next]
			for range e.events {
				scene.Add(e.lamp, 1, e.severity, true, start.Add(at))
			}
			count[e.lamp] += uint64(e.events)
			grand += uint64(e.events)
			scene.SetTotals(count, grand)
			next++
		}
		frames = append(frames, scene.Frame(start.Add(at)))
	}
	return frames, nil
}
