package scan

import (
	"bytes"
	"fmt"
	"testing"
	"testing/iotest"

	"github.com/pialert/pialert/agent/internal/detect"
	"github.com/pialert/pialert/agent/internal/rule"
)

// However many goroutines match blocks of however few lines, the blocks are taken one by one, in the order
// in which they were read.
func TestBlocksAreTakenInOrder(t *testing.T) {
	t.Parallel()
	rules, err := detect.Load()
	if err != nil {
		t.Fatal(err)
	}
	source, err := detect.NewSource("auth.log", rule.TypeAuto, "")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for i := range 300 {
		fmt.Fprintf(&text, "Nov 20 12:00:00 vps sshd[%d]: Invalid user u%d from 192.0.2.%d port %d\n", i, i, i%250, i+1)
	}
	for _, goroutines := range []int{1, 2, 3, 16} {
		var matchers []*detect.Matcher
		for range goroutines {
			matchers = append(matchers, detect.NewMatcher(detect.Options{Rules: rules}))
		}
		for range 5 {
			var taken []byte
			blocks := 0
			p := parallel{source: source, in: iotest.HalfReader(iotest.OneByteReader(bytes.NewReader(text.Bytes()))), take: func(b *block) {
				taken = append(taken, b.lines...)
				blocks++
			}}
			if err := p.run(t.Context(), matchers); err != nil {
				t.Fatal(err)
			}
			if blocks < 300 || !bytes.Equal(taken, text.Bytes()) {
				t.Fatalf("%d goroutines took %d bytes in %d blocks, of %d bytes in 300 lines", goroutines, len(taken), blocks, text.Len())
			}
		}
	}
}
