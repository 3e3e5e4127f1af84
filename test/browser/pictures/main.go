// Command pictures takes pictures of the page's sample for the documentation.
//
//	go run ./browser/pictures ../docs
//
// Beside them it keeps the sum of what the page sent to the browser, in page.sha256. While the page
// sends the same, it needs no browser and changes nothing; and a picture that looks as the one before
// is left as it is. Remove page.sha256 to have them taken anyway.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"

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
	sum, err := served(ctx, address)
	if err != nil {
		return err
	}
	stamp := filepath.Join(folder, "page.sha256")
	if kept, err := os.ReadFile(stamp); err == nil && string(kept) == sum {
		return nil
	}
	if err := take(ctx, folder, address); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(sum), 0o644)
}

// assets are the files that a page names.
var assets = regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)

// served returns the sum of all that the pictures are made of: the pages and the files that they name.
func served(ctx context.Context, address string) (string, error) {
	sum, seen := sha256.New(), map[string]bool{}
	var add func(path string) error
	add = func(path string) error {
		if seen[path] {
			return nil
		}
		seen[path] = true
		body, err := get(ctx, address+path)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n%s", path, len(body), body)
		for _, name := range assets.FindAllSubmatch(body, -1) {
			if err := add(string(name[1])); err != nil {
				return err
			}
		}
		return nil
	}
	for _, picture := range pictures {
		fmt.Fprintln(sum, picture)
		if err := add(picture.path); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x\n", sum.Sum(nil)), nil
}

func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// take takes the pictures.
func take(ctx context.Context, folder, address string) error {
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
