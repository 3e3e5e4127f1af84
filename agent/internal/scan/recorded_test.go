package scan

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pialert/pialert/agent/internal/detect"
)

// What a recording gave when it was made, it gives for ever: the same events in the same order, on
// one core and on several. testdata/events was written before matching was free of state; the
// counts in it are those of the truth beside the recordings. Who changes what an event says
// changes it there, line by line.
func TestSameEventsAsEver(t *testing.T) {
	golden, err := filepath.Glob("testdata/events/*.jsonl")
	if err != nil || len(golden) < 12 {
		t.Fatalf("%d recordings, error %v", len(golden), err)
	}
	for _, path := range golden {
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		recording := "../detect/testdata/real/" + name + ".log"
		if demo, ok := strings.CutPrefix(name, "demo-"); ok {
			recording = "../../../packaging/demo/" + demo + ".log"
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, cores := range []int{1, 4} {
			before := runtime.GOMAXPROCS(cores)
			out, _, err := run(t, Options{Files: []string{recording}, Format: JSON, Detect: detect.Options{Year: 2026}})
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(out, `"file":"`+recording+`"`, `"file":"`+filepath.Base(recording)+`"`)
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s on %d cores (-want +got):\n%s", name, cores, diff)
			}
		}
	}
}
