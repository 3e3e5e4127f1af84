// Command pictures takes pictures of the page's sample for the documentation. A picture that shows
// what the one before showed is left as it is, so that nothing changes where nothing changed.
//
//	go run ./browser/pictures ../docs
package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"github.com/pialert/pialert/test/browser"
	"github.com/pialert/pialert/test/browser/chromium"
)

// pictures are the files with what they show.
var pictures = []struct {
	name, path string
	screen     chromium.Screen
}{
	{"page-now", "/", chromium.Desktop},
	{"page-now-dark", "/", dark(chromium.Desktop)},
	{"page-now-phone", "/", chromium.Phone},
	{"page-history", "/history?range=7d", chromium.Desktop},
	{"page-sources", "/sources", dark(chromium.Desktop)},
	{"page-source", "/source/203.0.113.77?range=24h", chromium.Desktop},
}

func dark(s chromium.Screen) chromium.Screen {
	s.Dark = true
	return s
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pictures FOLDER")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, folder string) error {
	dir, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	address, stop, err := browser.Sample(ctx, "..", dir)
	if err != nil {
		return err
	}
	defer stop()
	tab, end, err := chromium.Start(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, picture := range pictures {
		picture.screen.Still = true
		if err := tab.Open(picture.screen, address+picture.path); err != nil {
			return err
		}
		if err := tab.Await("document.readyState === 'complete'"); err != nil {
			return err
		}
		taken, err := tab.Picture()
		if err != nil {
			return err
		}
		path := filepath.Join(folder, picture.name+".png")
		if kept, err := os.ReadFile(path); err == nil && same(kept, taken) {
			continue
		}
		if err := os.WriteFile(path, taken, 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return nil
}

// same says whether two pictures look the same: rounding in the drawing of letters and glows may
// differ from machine to machine.
func same(a, b []byte) bool {
	first, errA := png.Decode(bytes.NewReader(a))
	second, errB := png.Decode(bytes.NewReader(b))
	if errA != nil || errB != nil || first.Bounds() != second.Bounds() {
		return false
	}
	differ, bounds := 0, first.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if distance(first, second, x, y) > slight {
				differ++
			}
		}
	}
	return differ*few <= bounds.Dx()*bounds.Dy()
}

const (
	slight = 24 << 8 // a difference of a channel, of 0xffff, that nobody sees
	few    = 5000    // one pixel of so many may differ more
)

func distance(a, b image.Image, x, y int) uint32 {
	r1, g1, b1, _ := a.At(x, y).RGBA()
	r2, g2, b2, _ := b.At(x, y).RGBA()
	apart := func(p, q uint32) uint32 { return max(p, q) - min(p, q) }
	return max(apart(r1, r2), apart(g1, g2), apart(b1, b2))
}
