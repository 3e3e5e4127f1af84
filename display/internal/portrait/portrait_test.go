package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
)

// TestThePictureMoves holds that it is well-formed, and that every animation has a time for each
// value, in order, from 0 on: browsers drop an animation that has not.
func TestThePictureMoves(t *testing.T) {
	film, err := perform()
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		animations := 0
		decoder := xml.NewDecoder(bytes.NewReader(film.svg(page)))
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", page.file, err)
			}
			start, ok := token.(xml.StartElement)
			if !ok || start.Name.Local != "animate" {
				continue
			}
			animations++
			attributes := map[string]string{}
			for _, a := range start.Attr {
				attributes[a.Name.Local] = a.Value
			}
			times, before := strings.Split(attributes["keyTimes"], ";"), -1.0
			if len(times) != strings.Count(attributes["values"], ";")+1 || times[0] != "0" {
				t.Errorf("%s: %d times for %s", page.file, len(times), attributes["values"])
			}
			for _, text := range times {
				at, err := strconv.ParseFloat(text, 64)
				if err != nil || at <= before || at >= 1 {
					t.Errorf("%s: time %q comes after %v", page.file, text, before)
				}
				before = at
			}
		}
		if animations < len(story)+animate.Pixels {
			t.Errorf("%s has %d animations", page.file, animations)
		}
	}
}

// TestTheStoryIsTrue holds what is seen of it: the eye of a red sweep in the middle, and the
// totals that the events lead to.
func TestTheStoryIsTrue(t *testing.T) {
	film, err := perform()
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) animate.Frame { return film[int(d/step)] }
	if p := at(story[0].at + 4*32*time.Millisecond).Pixels[4]; p.R < 150 || p.G > 20 || p.B > 20 {
		t.Errorf("LED 4 is %+v while red sweeps", p)
	}
	for i, want := range []uint64{1289, 95, 359, 211, 212} {
		if got := at(story[i].at + 400*time.Millisecond).Digits.Cells; got != animate.Total(want) {
			t.Errorf("after event %d the digits are not %d: %x", i, want, got)
		}
	}
}
