package main

import "context"

// syslogPackage is what takes the lines of other machines.
const syslogPackage = "./agent/internal/source/syslog"

// syslog measures how fast messages from other machines are taken.
func (b *bench) syslog(ctx context.Context) error {
	best := map[string]float64{}
	for range 3 {
		found, err := benchmarks(ctx, repository, syslogPackage, "FramesAndLines", 1000)
		if err != nil {
			return err
		}
		for name, metrics := range found {
			best[name] = max(best[name], metrics["messages/s"])
		}
	}
	for _, framing := range []string{"newline", "counted"} {
		row("messages of syslog ("+framing+") framed and cut, one core", "1 million/s", "%.1f million/s", best["BenchmarkFramesAndLines/"+framing]/1e6)
	}
	var fastest, lost float64
	for range 3 {
		found, err := benchmark(ctx, repository, syslogPackage, "UDP", 300_000)
		if err != nil {
			return err
		}
		if found["messages/s"] > fastest {
			fastest, lost = found["messages/s"], found["lost"]
		}
	}
	row("300,000 datagrams of one sender on loopback, 8 MiB buffer", "300,000/s, none lost", "%.0f/s, %.0f lost", fastest, lost)
	found, err := benchmark(ctx, repository, syslogPackage, "Senders", 1)
	if err != nil {
		return err
	}
	row("memory after 100,000 senders, of which 10,000 are remembered", "bounded", "%.0f KiB", found["KiB"])
	return nil
}
