package blinkt_test

import (
	"math/rand/v2"
	"testing"

	"github.com/pialert/pialert/display/internal/blinkt"
	"github.com/pialert/pialert/display/internal/pins/pinstest"
)

func TestDrawSendsWhatTheChainUnderstands(t *testing.T) {
	chain := pinstest.NewAPA102(t)
	dev := blinkt.New(chain.Data(), chain.Clock())
	picture := [blinkt.Count]blinkt.Pixel{
		0: {Brightness: 7, R: 255},
		2: {Brightness: 31, B: 0xAA},
		4: {Brightness: 200, G: 1}, // brighter than there is
		7: {Brightness: 1, R: 1, G: 2, B: 3},
	}
	if !dev.Draw(&picture) {
		t.Error("the first picture was not sent")
	}
	frames := chain.Frames(blinkt.Count)
	if len(frames) != 1 {
		t.Fatalf("%d frames", len(frames))
	}
	want := []pinstest.LED{{Brightness: 7, R: 255}, {}, {Brightness: 31, B: 0xAA}, {}, {Brightness: 31, G: 1}, {}, {}, {Brightness: 1, R: 1, G: 2, B: 3}}
	for i, led := range frames[0] {
		if led != want[i] {
			t.Errorf("LED %d is %+v, want %+v", i, led, want[i])
		}
	}
}

func TestDrawSendsOnlyChanges(t *testing.T) {
	chain := pinstest.NewAPA102(t)
	dev := blinkt.New(chain.Data(), chain.Clock())
	dark := [blinkt.Count]blinkt.Pixel{}
	if !dev.Draw(&dark) {
		t.Error("what the board shows at first is unknown, so even darkness must be sent")
	}
	if dev.Draw(&dark) {
		t.Error("the same picture was sent twice")
	}
	if n := len(chain.Frames(blinkt.Count)); n != 1 {
		t.Errorf("%d frames, want 1", n)
	}
}

// Any picture comes out of the wire as it went in.
func TestRandomPictures(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	chain := pinstest.NewAPA102(t)
	dev := blinkt.New(chain.Data(), chain.Clock())
	for range 200 {
		var picture [blinkt.Count]blinkt.Pixel
		for i := range picture {
			bits := random.Uint64()
			picture[i] = blinkt.Pixel{Brightness: uint8(bits) & 31, R: uint8(bits >> 8), G: uint8(bits >> 16), B: uint8(bits >> 24)}
		}
		dev.Draw(&picture)
		for i, led := range chain.Frames(blinkt.Count)[0] {
			if p := picture[i]; led != (pinstest.LED{Brightness: p.Brightness, R: p.R, G: p.G, B: p.B}) {
				t.Fatalf("LED %d is %+v, want %+v", i, led, p)
			}
		}
	}
}

// BenchmarkDraw reports the pin writes that a changed frame takes: they, not the computing, are
// what a Pi Zero spends its time on.
func BenchmarkDraw(b *testing.B) {
	chain := pinstest.NewAPA102(b)
	dev := blinkt.New(chain.Data(), chain.Clock())
	var picture [blinkt.Count]blinkt.Pixel
	frames := 0
	for b.Loop() {
		for i := range picture {
			picture[i] = blinkt.Pixel{Brightness: 7, R: uint8(frames + 16*i), B: uint8(frames)}
		}
		dev.Draw(&picture)
		chain.Frames(blinkt.Count)
		frames++
	}
	b.ReportMetric(float64(chain.Writes())/float64(frames), "pinwrites/frame")
}
