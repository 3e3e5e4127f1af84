// Command shoot runs a program in a terminal of its own and writes pictures of what it shows:
//
//	go run ./screen/shoot -columns 80 -rows 24 -every 1s -out /tmp/shots -- ../build/pialert-display demo --driver terminal
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pialert/pialert/test/screen"
)

func main() {
	columns, rows := flag.Int("columns", 80, "`columns` of the terminal"), flag.Int("rows", 24, "`rows` of the terminal")
	every := flag.Duration("every", time.Second, "`time` between pictures")
	out := flag.String("out", ".", "`folder` of the pictures")
	light := flag.Bool("light", false, "on white")
	env := flag.String("color", "truecolor", "COLORTERM")
	flag.Parse()
	if err := run(*columns, *rows, *every, *out, *light, *env, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(columns, rows int, every time.Duration, out string, light bool, depth string, command []string) error {
	master, slave, err := screen.OpenTerminal(columns, rows)
	if err != nil {
		return err
	}
	defer master.Close()
	child := exec.CommandContext(context.Background(), command[0], command[1:]...)
	child.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM="+depth, "NO_COLOR=")
	child.Stdin, child.Stdout, child.Stderr = slave, slave, slave
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := child.Start(); err != nil {
		return err
	}
	slave.Close()
	pieces := make(chan []byte)
	go func() {
		defer close(pieces)
		for {
			piece := make([]byte, 1<<16)
			n, err := master.Read(piece)
			if err != nil {
				return
			}
			pieces <- piece[:n]
		}
	}()
	s, scheme := screen.New(columns, rows), screen.Dark
	if light {
		scheme = screen.Light
	}
	shoot := func(name string) error {
		var picture bytes.Buffer
		if err := s.PNG(&picture, scheme); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(out, name+".png"), picture.Bytes(), 0o644)
	}
	tick, written := time.NewTicker(every), 0
	for i := 0; ; {
		select {
		case piece, ok := <-pieces:
			if !ok {
				err := child.Wait()
				fmt.Printf("%d bytes, %v, mistakes: %q\n", written, err, s.Mistakes)
				return shoot("last")
			}
			written += len(piece)
			s.Write(piece)
		case <-tick.C:
			i++
			if err := shoot(fmt.Sprintf("%03d", i)); err != nil {
				return err
			}
		}
	}
}
