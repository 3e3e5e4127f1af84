package scan

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
)

// shortest is how large files are together, in bytes, for a progress bar to be worth its place.
const shortest = 8 << 20

// bar shows how far a scan is. A nil bar shows nothing.
type bar struct{ bar *progressbar.ProgressBar }

func newBar(opts Options) *bar {
	if opts.Progress == nil {
		return nil
	}
	var size int64
	for _, name := range opts.Files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			size = -1 // unknown: a spinner
			break
		}
		size += info.Size()
	}
	if size >= 0 && size < shortest {
		return nil
	}
	return &bar{progressbar.NewOptions64(size, progressbar.OptionSetWriter(opts.Progress), progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100e6), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetDescription("scanning"))}
}

// reader counts what is read from in.
func (b *bar) reader(in io.Reader) io.Reader {
	if b == nil {
		return in
	}
	return io.TeeReader(in, b.bar)
}

func (b *bar) close() {
	if b != nil {
		b.bar.Finish() // writes to a terminal: nothing to do if it cannot
	}
}
