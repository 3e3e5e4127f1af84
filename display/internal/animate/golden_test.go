package animate_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/attack"
)

var update = flag.Bool("update", false, "write the golden file and the picture in docs anew")

const (
	goldenFile = "testdata/sweeps.golden"
	picture    = "../../../docs/sweeps.svg"
)

// scenes are the sweeps that the golden file and the picture show.
var scenes = []struct {
	title    string
	lamp     int
	events   int
	severity attack.Severity
}{
	{"a failed password", red, 1, attack.Medium},
	{"three at once", blue, 3, attack.Medium},
	{"a thousand at once", red, 1000, attack.Medium},
	{"an exploit", green, 1, attack.High},
}

// perform plays a scene from rest to rest and hands out its frames, as often as every says.
func perform(t *testing.T, index int, every time.Duration, look func(at time.Duration, frame animate.Frame)) {
	t.Helper()
	s := scenes[index]
	scene := newScene(t)
	totals := []uint64{16, 4, 120}
	scene.SetTotals(totals, 140)
	scene.Add(s.lamp, s.events, s.severity, true, noon)
	totals[s.lamp] += uint64(s.events)
	scene.SetTotals(totals, 140+uint64(s.events))
	for at := time.Duration(0); at < 3*time.Second; at += every {
		look(at, scene.Frame(after(at)))
		if scene.NextChange(after(at)).Sub(after(at)) > time.Second {
			return
		}
	}
	t.Fatalf("%s does not end", s.title)
}

func TestFramesAreThoseOfTheGoldenFile(t *testing.T) {
	var got bytes.Buffer
	got.WriteString("# Milliseconds; eight LEDs as rrggbb/current, duty cycles; the digits.\n")
	for i, s := range scenes {
		fmt.Fprintf(&got, "\n%s\n", s.title)
		perform(t, i, time.Second/60, func(at time.Duration, frame animate.Frame) {
			fmt.Fprintf(&got, "%4d ", at.Milliseconds())
			for _, p := range frame.Pixels {
				if p == (animate.Pixel{}) {
					got.WriteString(" ---------")
				} else {
					fmt.Fprintf(&got, " %02x%02x%02x/%-2d", p.R, p.G, p.B, p.Brightness)
				}
			}
			fmt.Fprintf(&got, "  [%s]\n", show(frame.Digits.Cells))
		})
	}
	compare(t, goldenFile, got.Bytes())
}

// TestThePictureShowsTheFrames draws the scenes of the golden file for people: time goes down,
// the LEDs stand side by side.
func TestThePictureShowsTheFrames(t *testing.T) {
	const (
		every         = 32 * time.Millisecond
		pitch, row    = 14, 13
		panel, margin = 8*pitch + 66, 16
		top           = 44
	)
	var body bytes.Buffer
	rows := 0
	for i, s := range scenes {
		left := margin + i*panel
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"20\" fill=\"#ddd\">%s</text>\n", left, s.title)
		line, digits := 0, ""
		perform(t, i, every, func(at time.Duration, frame animate.Frame) {
			y := top + line*row
			fmt.Fprintf(&body, "<use href=\"#off\" x=\"%d\" y=\"%d\"/>", left, y)
			for led, p := range frame.Pixels {
				if p.Brightness > 0 {
					fmt.Fprintf(&body, "<circle cx=\"%d\" cy=\"%d\" r=\"5\" fill=\"%s\"/>", left+5+led*pitch, y, onScreen(p))
				}
			}
			if now := show(frame.Digits.Cells); now != digits {
				digits = now
				fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" fill=\"#ff5040\" xml:space=\"preserve\">%s</text>", left+8*pitch+4, y+4, now)
			}
			body.WriteByte('\n')
			line++
		})
		rows = max(rows, line)
	}
	width, height := 2*margin+len(scenes)*panel, top+rows*row+margin

	var got bytes.Buffer
	fmt.Fprintf(&got, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\""+
		" font-family=\"monospace\" font-size=\"12\">\n", width, height, width, height)
	got.WriteString("<title>Sweeps: each row is a picture of the eight LEDs, 32 ms after the one above</title>\n<defs><g id=\"off\" fill=\"#2a2a2a\">")
	for led := range animate.Pixels {
		fmt.Fprintf(&got, "<circle cx=\"%d\" cy=\"0\" r=\"4\"/>", 5+led*pitch)
	}
	got.WriteString("</g></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#111\"/>\n")
	got.Write(body.Bytes())
	got.WriteString("</svg>\n")
	compare(t, picture, got.Bytes())
}

// onScreen returns a colour that looks on a screen as the LED does on a desk.
func onScreen(p animate.Pixel) string {
	current := math.Pow(float64(p.Brightness)/animate.MaxLights, 0.2)
	value := func(duty uint8) int { return int(math.Round(255 * current * math.Pow(float64(duty)/255, 1/2.2))) }
	return fmt.Sprintf("#%02x%02x%02x", value(p.R), value(p.G), value(p.B))
}

func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || !bytes.Equal(gotLines[i], wantLines[i]) {
			t.Fatalf("line %d is not that of %s; if the change is meant, run go test -run 'Golden|Picture' -update and look at it", i+1, path)
		}
	}
}
