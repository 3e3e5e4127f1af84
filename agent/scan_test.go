package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkScan scans recorded logs as the command does: one of sshd, and one of Apache whose requests stand among those of
// ordinary visitors. `make profile` tells the compiler by it which calls to make cheap.
func BenchmarkScan(b *testing.B) {
	const recordings = "internal/detect/testdata/real/"
	config := filepath.Join(b.TempDir(), "agent.yaml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"openssh-9.2-rfc3164.log", "openssh-9.2-rfc3339.log", "apache-2.4-access.log"} {
		visits := 0
		if strings.HasPrefix(name, "apache") {
			visits = 10
		}
		text, err := os.ReadFile(recordings + name)
		if err != nil {
			b.Fatal(err)
		}
		var log bytes.Buffer
		for log.Len() < 16<<20 {
			for line := range bytes.Lines(text) {
				log.Write(line)
				for i := range visits {
					fmt.Fprintf(&log, "198.51.100.%d - - [20/Nov/2026:12:00:%02d +0000] \"GET /blog/%d HTTP/1.1\" 200 10240 \"https://www.example.org/\" "+
						"\"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"\n", log.Len()%250+1, log.Len()%60, i)
				}
			}
		}
		path := filepath.Join(b.TempDir(), name)
		if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(log.Len()))
			for b.Loop() {
				command := rootCommand()
				command.SetOut(io.Discard)
				command.SetArgs([]string{"scan", "--summary", "--config", config, path})
				if err := command.Execute(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
