package pins

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"unsafe"

	"github.com/stianeikeland/go-rpio/v4"
)

// Where the GPIO registers are (BCM2835 ARM Peripherals, pages 6 and 90): the peripherals of a Pi
// 0 and 1 begin at oldPeripherals, those of others where the device tree says.
const (
	oldPeripherals = 0x20000000
	gpioOffset     = 0x200000
	pageSize       = 4096
)

// functions reads the function select registers, three bits for each pin, which go-rpio writes
// but does not read. A nil one says that every pin is an input, as after power-on.
type functions struct{ page []byte }

// mapFunctions maps the registers, only to read them, at the place where go-rpio maps them.
func mapFunctions(root fs.FS) (*functions, error) {
	file, err := os.Open("/dev/gpiomem")
	if err != nil {
		file, err = os.Open("/dev/mem") // as go-rpio does for root
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look what pins were: %w", err)
	}
	defer file.Close()
	page, err := syscall.Mmap(int(file.Fd()), peripherals(root)+gpioOffset, pageSize, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("cannot look what pins were: %s: %w", file.Name(), err)
	}
	return &functions{page}, nil
}

// of returns the function of a pin.
func (f *functions) of(bcm int) rpio.Mode {
	if f == nil {
		return rpio.Input
	}
	// A register is read as the word that it is: the bus knows no bytes.
	word := *(*uint32)(unsafe.Pointer(&f.page[bcm/10*4]))
	return [8]rpio.Mode{
		0: rpio.Input, 1: rpio.Output, 4: rpio.Alt0, 5: rpio.Alt1, 6: rpio.Alt2, 7: rpio.Alt3, 3: rpio.Alt4, 2: rpio.Alt5,
	}[word>>(bcm%10*3)&7]
}

func (f *functions) close() error {
	if f == nil {
		return nil
	}
	return syscall.Munmap(f.page)
}

// peripherals returns where the device tree puts them: the second word of soc/ranges, or the third
// where the addresses of the parent take two.
func peripherals(root fs.FS) int64 {
	ranges, err := fs.ReadFile(root, "proc/device-tree/soc/ranges")
	if err != nil || len(ranges) < 12 {
		return oldPeripherals
	}
	for _, at := range []int{4, 8} {
		if base := binary.BigEndian.Uint32(ranges[at:]); base != 0 {
			return int64(base)
		}
	}
	return oldPeripherals
}
