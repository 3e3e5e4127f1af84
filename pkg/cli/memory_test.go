package cli

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

func TestAllowedMemory(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no cgroups": {nil, 256 << 20},
		"version 2, as systemd writes MemoryMax=": {map[string]string{
			"proc/self/cgroup": "0::/system.slice/pialert-agent.service\n",
			"sys/fs/cgroup/system.slice/pialert-agent.service/memory.max": "100663296\n",
			"sys/fs/cgroup/system.slice/memory.max":                       "max\n",
		}, 96 << 20},
		"a slice allows less than the service": {map[string]string{
			"proc/self/cgroup":                                            "0::/system.slice/pialert-agent.service\n",
			"sys/fs/cgroup/system.slice/memory.max":                       "67108864\n",
			"sys/fs/cgroup/system.slice/pialert-agent.service/memory.max": "268435456\n",
		}, 64 << 20},
		"none": {map[string]string{
			"proc/self/cgroup":                           "0::/user.slice\n",
			"sys/fs/cgroup/user.slice/memory.max":        "max\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1\n", // of another hierarchy
		}, 256 << 20},
		"a container, whose own group is the root": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "134217728\n",
		}, 128 << 20},
		"version 1": {map[string]string{
			"proc/self/cgroup": "9:name=systemd:/\n4:memory:/box/one\n1:cpu:/box\n0::/\n",
			"sys/fs/cgroup/memory/box/one/memory.limit_in_bytes": "100663296\n",
			"sys/fs/cgroup/memory/box/memory.limit_in_bytes":     "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":         "9223372036854771712\n",
		}, 96 << 20},
		"version 1 in a container, which sees its host's names": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/0123\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n",
		}, 128 << 20},
		"nonsense": {map[string]string{
			"proc/self/cgroup":         "0::\x00\n::\n\n",
			"sys/fs/cgroup/memory.max": "-5\n",
		}, 256 << 20},
	} {
		root := fstest.MapFS{}
		for path, text := range test.files {
			root[path] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := allowedMemory(root); got != test.want {
			t.Errorf("%s: %d bytes are allowed, want %d", name, got, test.want)
		}
	}
}

// The collector works harder before the kernel kills, unless the environment says when.
func TestLimitMemory(t *testing.T) { // not parallel: the limit is the process's
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	limitMemory(fstest.MapFS{
		"proc/self/cgroup":               {Data: []byte("0::/agent\n")},
		"sys/fs/cgroup/agent/memory.max": {Data: []byte("100663296\n")},
	})
	if got := debug.SetMemoryLimit(-1); got != 64<<20 {
		t.Errorf("the limit is %d bytes where 96 MiB are allowed", got)
	}
	limitMemory(fstest.MapFS{})
	if got := debug.SetMemoryLimit(-1); got != 64<<20 {
		t.Errorf("a limit that was set became %d", got)
	}
}

// What a busy time took is given back to the system.
func TestGiveBack(t *testing.T) { // not parallel: it measures memory
	synctest.Test(t, func(t *testing.T) {
		ctx, done := context.WithCancel(t.Context())
		defer done()
		go giveBack(ctx)
		busy := make([][]byte, 64)
		for i := range busy {
			busy[i] = make([]byte, 1<<20)
		}
		runtime.KeepAlive(busy)
		busy = nil
		runtime.GC()
		kept := func() uint64 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapIdle - m.HeapReleased
		}
		if kept() <= enough {
			t.Fatal("nothing is kept that could be given back")
		}
		time.Sleep(2 * giveBackEvery) // in the bubble's time
		synctest.Wait()
		if n := kept(); n > enough {
			t.Errorf("%d bytes are kept after a while", n)
		}
	})
}
