// Command portrait draws the picture that the README begins with: the device while log lines
// become light, as animated SVG for a dark and for a light page. The lights and digits are the
// frames that the program itself draws for these events.
//
//	go run ./display/internal/portrait docs
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: portrait FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	film, err := perform()
	if err != nil {
		return err
	}
	for _, page := range pages {
		if err := os.WriteFile(filepath.Join(dir, page.file), film.svg(page), 0o644); err != nil {
			return err
		}
	}
	return nil
}
