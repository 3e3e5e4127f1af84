package cli

import (
	"context"
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// usualMemory is what the units allow a program, in bytes (MemoryMax=).
const usualMemory = 256 << 20

// limitMemory has the garbage collector work harder before the kernel kills the process for its memory: at two
// thirds of what its cgroup allows, or of what the units do where there is none. The rest is for what the
// collector does not see: the program itself, SQLite's memory, and files that the kernel keeps. GOMEMLIMIT in the
// environment is left as it is. The file system is the root.
func limitMemory(root fs.FS) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	debug.SetMemoryLimit(allowedMemory(root) / 3 * 2)
}

// allowedMemory returns the smallest limit of the process's memory cgroup and of those around it, of version 2
// (memory.max) or 1 (memory.limit_in_bytes); see cgroups(7). In a container its own cgroup is the mounted root.
func allowedMemory(root fs.FS) int64 {
	allowed, found := int64(math.MaxInt64), false
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		dir, file := "sys/fs/cgroup", "memory.max"
		switch controllers {
		case "":
		case "memory":
			dir, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			text, err := fs.ReadFile(root, path.Join(dir, group, file))
			limit, problem := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			// Version 1 writes no limit as a number of pages that no machine has.
			if err == nil && problem == nil && limit > 0 && limit < 1<<50 {
				allowed, found = min(allowed, limit), true
			}
			if group == "/" {
				break
			}
		}
	}
	if !found {
		return usualMemory
	}
	return allowed
}

// giveBackEvery is how often it is looked whether there is memory to give back, enough how much that takes.
const (
	giveBackEvery = time.Minute
	enough        = 8 << 20
)

// giveBack returns memory that a busy time took to the system, soon after it is over, until ctx ends. Go's runtime
// keeps it for the next one, on machines that have other things to do with theirs.
func giveBack(ctx context.Context) {
	tick := time.NewTicker(giveBackEvery)
	defer tick.Stop()
	free := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if metrics.Read(free); free[0].Value.Uint64() > enough {
				debug.FreeOSMemory()
			}
		}
	}
}
