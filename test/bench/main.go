// Command bench measures what PiAlert promises and prints it as a Markdown table.
//
//	go -C test run ./bench -programs ../build
//
// Speeds stand beside a peer's on the same input in the same run, since a figure of one machine
// says little about another. Speeds are those of the best of several rounds: what else the
// machine does can only make a round slower. The files to scan are this project's own recordings, repeated; with
// -sshd and -access other ones are.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/pialert/pialert/packaging/demo/program"
)

// repository is the folder of the programs' module, as seen from the one that this is run in.
const repository = ".."

// recordings are the logs of a real sshd and a real Apache under attack.
const recordings = repository + "/agent/internal/detect/testdata/real/"

func main() {
	var b bench
	programs := flag.String("programs", repository+"/build", "`folder` of the two programs")
	only := flag.String("only", "", "measure only these, of "+strings.Join(names(), ","))
	flag.StringVar(&b.sshd, "sshd", recordings+"openssh-9.2-rfc3164.log", "`log` of sshd to scan, repeated")
	flag.StringVar(&b.access, "access", "", "access `log` to scan, repeated (default: a recorded one among ten times as many visits)")
	flag.IntVar(&b.vastDays, "days", 90, "of how many `days` the history of a fleet is, for -only vast")
	flag.StringVar(&b.vastState, "keep", "", "`folder` that keeps the history of a fleet for the next run")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b.programs = program.In(*programs)
	if err := b.run(ctx, *only); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// bench is what the measurements share.
type bench struct {
	programs     program.Binaries
	sshd, access string
	dir          string // of files that are gone afterwards
	vastDays     int
	vastState    string
}

// measurements are all there are, in the order of the table.
var measurements = []struct {
	name    string
	measure func(*bench, context.Context) error
	asked   bool // only if it is named: it takes too long and too much room for every run
}{
	{"scan", (*bench).scan, false},
	{"latency", (*bench).latency, false},
	{"delivery", (*bench).delivery, false},
	{"fleet", (*bench).fleet, false},
	{"idle", (*bench).idle, false},
	{"frames", (*bench).frames, false},
	{"crash", (*bench).crash, false},
	{"page", (*bench).page, false},
	{"paint", (*bench).paint, false},
	{"history", (*bench).history, false},
	{"bans", (*bench).bans, false},
	{"syslog", (*bench).syslog, false},
	{"vast", (*bench).vast, true},
}

func names() (all []string) {
	for _, m := range measurements {
		all = append(all, m.name)
	}
	return all
}

func (b *bench) run(ctx context.Context, only string) (err error) {
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	fmt.Printf("%s, %d cores, %s, load %s\n\n", processor(), runtime.NumCPU(), runtime.Version(), load())
	fmt.Println("| what | measured | wanted |\n| --- | --- | --- |")
	for _, m := range measurements {
		if only == "" && m.asked || only != "" && !strings.Contains(","+only+",", ","+m.name+",") {
			continue
		}
		if err := m.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// row prints one line of the table.
func row(what, wanted, format string, args ...any) {
	fmt.Printf("| %s | %s | %s |\n", what, fmt.Sprintf(format, args...), wanted)
}

// processor returns the name of the machine's processor.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// load returns how many processes wanted a core during the last minute.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// crash runs the crash test, whose last line says it all.
func (b *bench) crash(ctx context.Context) error {
	command := exec.CommandContext(ctx, "go", "run", "./crash", "-programs", strings.TrimSuffix(b.programs.Agent, "/pialert-agent"))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	row("SIGKILL at random moments", "written = counted", "%s", strings.TrimPrefix(lines[len(lines)-1], "crash-test: "))
	return nil
}
