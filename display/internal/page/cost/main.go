// Command cost tells one open page N pictures over loopback, one after the other, as the display does
// while something sweeps. It does nothing else, so that its instructions can be counted: what N
// pictures take is what a run with N more takes longer. The reader's end is in them.
//
//	cost N
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/display/internal/page/pagetest"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	pictures, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil {
		return fmt.Errorf("usage: cost N: %w", err)
	}
	history := &pagetest.History{}
	p := page.New(page.Options{History: history, State: func(context.Context) (page.State, error) { return page.State{}, nil }})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go p.Serve(ctx, listener, nil)
	go p.Run(ctx)
	answer, err := http.Get("http://" + listener.Addr().String() + "/live")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	next := func() error { // waits until the page was told a picture
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "data: {\"lights\"") {
				return nil
			}
		}
		return fmt.Errorf("the stream has ended: %v", lines.Err())
	}
	if err := next(); err != nil {
		return err
	}
	for n := range pictures {
		var frame animate.Frame
		for i := range frame.Pixels {
			frame.Pixels[i] = animate.Pixel{R: uint8(n + 1), G: uint8(16 * i), Brightness: 7}
		}
		p.Picture(frame)
		if err := next(); err != nil {
			return err
		}
	}
	return nil
}
